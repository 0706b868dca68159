"""Command-line tools for databases: `dump`, `load` and `replicate`."""
