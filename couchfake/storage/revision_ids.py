"""Revision ids: ``N-hash`` in texts, a generation and bytes inside.

A hash of 32 hex digits is kept as 16 bytes, any other string as its UTF-8 bytes; ids are compared in this form. So a
string of 16 characters comes back as 32 hex digits, as on the real server.

The hash of a new revision is the MD5 of Erlang's external form of ``[Deleted, OldStart, OldRev, Body, Atts]``: the
parent's generation and hash (0 and 0 for a first revision), the document without underscore members, and ``{Name, Type,
Md5}`` of each attachment. Two servers given the same edit make the same revision.
Source: ``couch_doc:parse_rev/1``, ``couch_db:new_revid/1``.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from typing import Any

from couchfake.errors import BadRequest
from couchfake.values import erlang

RevisionId = tuple[int, bytes]

_UNDEFINED = erlang.external_tuple(*[erlang.external_atom("undefined")] * 3)
_ZERO = erlang.external_integer(0)
_DELETED = (erlang.external(False), erlang.external(True))


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
        if dash and erlang.INTEGER.fullmatch(generation):
            try:
                return int(generation), parse_hash(rest)
            except ValueError:
                pass
    raise BadRequest("Invalid rev format")


def format_rev(rev: RevisionId) -> str:
    return f"{rev[0]}-{format_hash(rev[1])}"


def revision_hash(
    deleted: bool,
    parent: RevisionId | None,
    body: dict[str, Any],
    attachments: Iterable[tuple[str, Any, bytes] | None] = (),
) -> str:
    """The 32 hex digits of a new revision. ``parent`` is its (generation, hash bytes).

    Attachments are (name, type, md5), or None where the server does not find these: in a document that follows its own
    tombstone they are in their form on disk when the revision is made, and only their number enters it.
    """
    term = erlang.external_list(
        (
            _DELETED[deleted],
            _ZERO if parent is None else erlang.external_integer(parent[0]),
            _ZERO if parent is None else erlang.external_binary(parent[1]),
            erlang.external(body),
            _attachments(attachments),
        )
    )
    return md5(erlang.VERSION + term, usedforsecurity=False).hexdigest()


def _attachments(attachments: Iterable[tuple[str, Any, bytes] | None]) -> bytes:
    return erlang.external_list([_UNDEFINED if each is None else _attachment(*each) for each in attachments])


def _attachment(name: str, kind: Any, digest: bytes) -> bytes:
    return erlang.external_tuple(erlang.external(name), erlang.external(kind), erlang.external_binary(digest))
