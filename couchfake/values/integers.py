"""Whole numbers as requests and settings write them, of any length."""

from __future__ import annotations

_DIGITS = 4000  # Python reads no more than 4,300 at once; the real server's integers have no end


def read_integer(text: str) -> int:
    """The number, ValueError for what is none. One too long to be read counts as another that nothing reaches."""
    return int(text if len(text) <= _DIGITS else text[:_DIGITS])
