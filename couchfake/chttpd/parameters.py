"""The query string, as the real server reads it, and the texts of paths.

Parameters are separated by ``&`` and by ``;``; a plus sign is a space; of a repeated parameter the first counts,
except where an endpoint goes through all of them in order (then the last one wins).
"""

from __future__ import annotations

import re
from typing import Any

from couchfake.errors import BadRequest
from couchfake.values import json

_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})?")


def unquote(text: str) -> str:
    """Undo ``%XX`` and ``+``. Bytes that are no UTF-8 become lone surrogates; a broken escape is a BadRequest."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text and text.isascii():
        return text
    return _bytes_of(text).decode("utf-8", "surrogateescape")


def unquote_leniently(text: str) -> str:
    """Undo ``%XX`` and ``+`` as ``unquote`` does, but leave broken escapes as they are."""
    return unquote(_BROKEN_ESCAPE.sub("%25", text))


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


def quote(text: str) -> str:
    """Escape all but letters, digits and ``-._:`` (what ``couch_util:url_encode`` leaves alone)."""
    return "".join(
        chr(byte) if byte < 128 and (chr(byte).isalnum() or chr(byte) in "-._:") else f"%{byte:02X}"
        for byte in text.encode("utf-8", "surrogateescape")
    )


class Parameters:
    """The pairs of a query string in order."""

    __slots__ = ("pairs",)

    def __init__(self, query: str = "", pairs: list[tuple[str, str]] | None = None) -> None:
        self.pairs: list[tuple[str, str]] = pairs if pairs is not None else list(_parse(query)) if query else []

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of that name."""
        for each, value in self.pairs:
            if each == name:
                return value
        return default

    def __contains__(self, name: str) -> bool:
        return any(each == name for each, _ in self.pairs)

    def boolean(self, name: str, default: bool = False) -> bool:
        """``true`` and ``false``; anything else counts as not there."""
        return {"true": True, "false": False}.get(self.get(name, "") or "", default)

    def json(self, name: str, default: Any = None) -> Any:
        """The value as JSON; BadRequest where it is none."""
        text = self.get(name)
        if text is None:
            return default
        try:
            return json.loads(text)
        except ValueError:
            raise BadRequest("invalid UTF-8 JSON") from None

    def as_dict(self) -> dict[str, str]:
        """By name; of a repeated one the first value, at its first place."""
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
