"""Revision ids: ``N-hash`` in texts, a generation and bytes inside.

A hash of 32 hex digits is kept as 16 bytes, any other string as its UTF-8 bytes; ids are compared in this form. So a
string of 16 characters comes back as 32 hex digits, as on the real server.
Source: ``couch_doc:parse_rev/1``.
"""

from __future__ import annotations

from typing import Any

from couchfake.errors import BadRequest

RevisionId = tuple[int, bytes]


def parse_hash(text: str) -> bytes:
    """Return the bytes of a revision's hash. Raise ValueError for 32 UTF-8 bytes that are not hex digits."""
    raw = text.encode("utf-8")
    if len(raw) != 32:
        return raw
    if text[0] in "+-":  # a sign passes where Erlang reads a number; what does not fit 16 bytes is cut off
        return (int(text, 16) & ((1 << 128) - 1)).to_bytes(16, "big")
    if not text.isalnum():  # bytes.fromhex would skip blanks
        raise ValueError("not hexadecimal")
    return bytes.fromhex(text)


def format_hash(raw: bytes) -> str:
    return raw.hex() if len(raw) == 16 else raw.decode("utf-8")


def parse_rev(text: Any) -> RevisionId:
    """Parse ``"3-abc"`` to ``(3, b"abc")``. Raise BadRequest "Invalid rev format" if it is not a revision."""
    if isinstance(text, str):
        generation, dash, rest = text.partition("-")
        if dash and (generation.isascii() and generation.lstrip("+").isdigit()):
            try:
                return int(generation), parse_hash(rest)
            except ValueError:
                pass
    raise BadRequest("Invalid rev format")


def format_rev(rev: RevisionId) -> str:
    return f"{rev[0]}-{format_hash(rev[1])}"
