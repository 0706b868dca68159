"""Document bodies: kept as encoded JSON, parsed again where a view or a query needs the values.

Most documents are written once and read as text, so the text is what is kept; parsed values are five times as big.
A bounded number of parsed bodies stays in memory beside their texts, the oldest parsed leaving first.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from couchfake.values import json


class ParsedBodies:
    """The parsed bodies of one server, at most ``limit`` bytes of text in sum."""

    def __init__(self, limit: int = 24_000_000) -> None:
        self._limit = limit
        self._size = 0
        self._queue: deque[Body] = deque()

    def keep(self, body: Body) -> None:
        self._queue.append(body)
        self._size += len(body.json)
        while self._size > self._limit:
            try:
                oldest = self._queue.popleft()
            except IndexError:  # another thread was faster
                return
            oldest.forget()
            self._size -= len(oldest.json)


class Body:
    """The members of a document without the underscore ones. ``json`` is the object's text, ``{…}``, in UTF-8."""

    __slots__ = ("_parsed", "_value", "json")

    def __init__(self, value: dict[str, Any], encoded: bytes, parsed: ParsedBodies) -> None:
        self.json = encoded
        self._parsed = parsed
        self._value: dict[str, Any] | None = value
        parsed.keep(self)

    @property
    def value(self) -> dict[str, Any]:
        """The members as values. They are shared: never change them."""
        value = self._value
        if value is None:
            value = self._value = json.loads(self.json)
            self._parsed.keep(self)
        return value

    def forget(self) -> None:
        self._value = None
