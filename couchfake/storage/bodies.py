"""Document bodies: kept as encoded JSON, parsed again where a view or a query needs the values.

Most documents are written once and read as text, so the text is what is kept; parsed values are five times as big.
A bounded number of parsed bodies stays in memory beside their texts, the oldest parsed leaving first.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from couchfake.storage.sizes import json_size, text_size
from couchfake.values import json

OVERHEAD = 400
"""Bytes that a parsed body counts beside its text, so that the number of small ones is bounded too."""


class ParsedBodies:
    """The parsed bodies of one server. At most ``limit`` bytes of text, and ``OVERHEAD`` for each body, are kept."""

    def __init__(self, limit: int = 40_000_000) -> None:
        self._limit = limit
        self._size = 0
        self._queue: deque[Body] = deque()

    def keep(self, body: Body) -> None:
        """Count a body that was parsed, and drop the values of the oldest bodies if there are too many."""
        self._queue.append(body)
        self._size += len(body.json) + OVERHEAD
        while self._size > self._limit:
            try:
                oldest = self._queue.popleft()
            except IndexError:  # another thread was faster
                self._size = 0
                return
            oldest.forget()
            self._size -= len(oldest.json) + OVERHEAD


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
