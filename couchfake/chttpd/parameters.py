"""The query string, as the real server reads it, and the escaping of paths.

Parameters are separated by ``&`` and by ``;``; a plus sign is a space. Of a repeated parameter the first wins,
except in endpoints that go through all of them in order, where the last wins.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from couchfake.errors import BadRequest
from couchfake.values.json import read_json

_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})?")
_UNESCAPED = re.compile(r"[A-Za-z0-9._:-]*")  # what quote() leaves as it is


def unquote(text: str) -> str:
    """Decode ``%XX`` and ``+``. Invalid UTF-8 becomes lone surrogates. Raise BadRequest for a broken escape."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text and text.isascii():
        return text
    return _bytes_of(text).decode("utf-8", "surrogateescape")


def _bytes_of(text: str) -> bytes:
    raw = bytearray()
    place = 0
    for match in _ESCAPE.finditer(text):
        if match[1] is None:
            raise BadRequest("invalid_url_encoding")
        raw += text[place : match.start()].encode("latin-1", "replace")
        raw.append(int(match[1], 16))
        place = match.end()
    return bytes(raw + text[place:].encode("latin-1", "replace"))


def unquote_leniently(text: str) -> str:
    """Decode ``%XX`` and ``+`` of text in Latin-1, as forms and headers have it. A broken escape stays as it is."""
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace")).decode("utf-8", "surrogateescape")


def quote(text: str) -> str:
    """Escape everything but letters, digits and ``-._:``, as ``couch_util:url_encode`` does."""
    if _UNESCAPED.fullmatch(text):
        return text
    return "".join(
        chr(byte) if byte < 128 and (chr(byte).isalnum() or chr(byte) in "-._:") else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


class Parameters:
    """The pairs of a query string in order. It is parsed when something looks at them."""

    __slots__ = ("_pairs", "_query")

    def __init__(self, query: str = "", pairs: list[tuple[str, str]] | None = None) -> None:
        self._query = query
        self._pairs = pairs if pairs or query else []

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names and values, unescaped. Raise BadRequest if an escape is broken."""
        pairs = self._pairs
        if pairs is None:
            pairs = self._pairs = _parse(self._query)
        return pairs

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of that name."""
        for each, value in self.pairs:
            if each == name:
                return value
        return default

    def __contains__(self, name: str) -> bool:
        return any(each == name for each, _ in self.pairs)

    def boolean(self, name: str, default: bool = False) -> bool:
        """Return a ``true`` or ``false`` parameter; ``default`` for anything else."""
        return {"true": True, "false": False}.get(self.get(name, "") or "", default)

    def json(self, name: str, default: Any = None) -> Any:
        """Return the value parsed as JSON. Raise BadRequest if it is not valid JSON."""
        text = self.get(name)
        return default if text is None else read_json(text)

    def as_dict(self) -> dict[str, str]:
        """Return the parameters by name; of a repeated one the first value."""
        first: dict[str, str] = {}
        for name, value in self.pairs:
            first.setdefault(name, value)
        return first


def _parse(query: str) -> list[tuple[str, str]]:
    pairs = []
    for part in re.split("[&;]", query):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote(name), unquote(value)))
    return pairs
