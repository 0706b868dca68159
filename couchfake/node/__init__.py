"""One server's state, its counters and its ids."""
