"""Document bodies: kept as encoded JSON, parsed again where a view or a query needs the values; and their sizes.

Most documents are written once and read as text, so the text is what is kept; parsed values are five times as big.
A bounded number of parsed bodies stays in memory beside their texts, the oldest parsed leaving first.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from couchfake.values import json

PARSED_OVERHEAD = 400
"""Bytes that a parsed body counts beside its text, so that the number of small ones is bounded too."""


class ParsedBodies:
    """The parsed bodies of one server.

    At most ``limit`` bytes are kept: the bodies' texts, and ``PARSED_OVERHEAD`` for each of them.
    """

    def __init__(self, limit: int = 40_000_000) -> None:
        self._limit = limit
        self._size = 0
        self._queue: deque[Body] = deque()

    def keep(self, body: Body) -> None:
        """Count a body that was parsed, and drop the values of the oldest bodies if there are too many."""
        self._queue.append(body)
        self._size += len(body.json) + PARSED_OVERHEAD
        while self._size > self._limit:
            try:
                oldest = self._queue.popleft()
            except IndexError:  # another thread was faster
                self._size = 0
                return
            oldest.forget()
            self._size -= len(oldest.json) + PARSED_OVERHEAD


class Body:
    """The members of a document without the underscore ones. ``json`` is the object's text, ``{…}``, in UTF-8."""

    __slots__ = ("_parsed", "_size", "_value", "json")

    def __init__(self, value: dict[str, Any], encoded: bytes, parsed: ParsedBodies) -> None:
        self.json = encoded
        self._parsed = parsed
        self._value: dict[str, Any] | None = value
        self._size: int | None = None  # only if it is not the length of the text
        parsed.keep(self)

    @property
    def value(self) -> dict[str, Any]:
        """The members as values. They are shared: never change them."""
        value = self._value
        if value is None:
            value = self._value = json.loads(self.json)
            self._parsed.keep(self)
        return value

    @property
    def size(self) -> int:
        """The bytes of the body as ``sizes`` counts them."""
        if self._size is not None:
            return self._size
        size = text_size(self.json)
        if size is None:
            size = self._size = json_size(self.value)
        return size

    def forget(self) -> None:
        self._value = None


# The sizes that a database reports
#
# ``external`` is what documents take as JSON without spaces; attachments count as they are stored. ``active`` and
# ``file`` are estimates of the bytes in a database file: this server has none.
# Source: ``couch_ejson_size``, ``couch_db_updater``.


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
