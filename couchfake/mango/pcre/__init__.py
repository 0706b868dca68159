"""Patterns of ``$regex``: PCRE's syntax on Python's engines."""
