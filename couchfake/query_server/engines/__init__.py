"""JavaScript engines behind one protocol."""
