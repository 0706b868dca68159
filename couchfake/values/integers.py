"""Integers of any length, as requests and settings write them."""

from __future__ import annotations

import re

INTEGER = re.compile(r"[+-]?[0-9]+")
"""An integer as the server reads one."""

_DIGITS = 4000  # Python reads at most 4,300 digits; the real server has no limit


def read_integer(text: str) -> int:
    """Parse an integer. One longer than Python accepts is clamped. Raise ValueError if the text is not an integer."""
    return int(text if len(text) <= _DIGITS else text[:_DIGITS])
