"""The sizes that a database reports.

``external`` is what documents take as JSON without spaces; attachments count as they are stored. ``active`` and
``file`` are estimates of the bytes in a database file: this server has none.

Source: ``couch_ejson_size``, ``couch_db_updater``.
"""

from __future__ import annotations

import re
from typing import Any

EMPTY_FILE = 8346
"""Bytes of the file of a database without documents."""

LEAF_OVERHEAD = 57
"""Bytes that a leaf takes in the file beside its body and attachments."""

WRITE_OVERHEAD = 400
"""Bytes of index nodes that a write of a document adds to the file."""

_BACKSLASH, _POINT, _PLUS, _MINUS = b"\\.+-"  # numbers: they are found in bytes faster than other bytes
_FRACTION = re.compile(rb"-?[0-9]+(?:\.[0-9]+(?:e[+-]?[0-9]+)?|e[+-]?[0-9]+)")


def text_size(text: bytes) -> int | None:
    """Return the size of a value from its JSON text, or None if the text has escapes and the value has to be read."""
    if _BACKSLASH in text:
        return None
    size = len(text)
    if _POINT in text or (_PLUS in text and b"e+" in text) or (_MINUS in text and b"e-" in text):
        outside = b" ".join(text.split(b'"')[::2])  # what is not in strings
        for number in _FRACTION.findall(outside):
            size += float_size(float(number)) - len(number)
    return size


def json_size(value: Any) -> int:
    """Return the size of a JSON value. Numbers with a fraction count by rule of thumb, as in the real server."""
    size = 0
    rest = [value]
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            size += 2 + len(value.encode("utf-8", "surrogatepass"))
        elif isinstance(value, dict):
            size += 1 + 2 * len(value) if value else 2
            rest += value
            rest += value.values()
        elif isinstance(value, list):
            size += 1 + len(value) if value else 2
            rest += value
        elif isinstance(value, float):
            size += float_size(value)
        elif value is None or value is True:
            size += 4
        else:
            size += 5 if value is False else len(str(value))
    return size


def float_size(value: float) -> int:
    """Return the size of a number with a fraction by the real server's rule of thumb."""
    if value < 0:
        return 1 + float_size(-value)
    if value >= 1:
        return 5 if value >= 1e100 else 4 if value >= 1e10 else 3
    if value <= 1e-300 or value > 0.01:
        return 3
    return 6 if value <= 1e-100 else 5 if value <= 1e-10 else 4
