"""Revision ids, as the real server makes them.

The id is the MD5 of Erlang's external form of ``[Deleted, OldStart, OldRev, Body, Atts]``: the parent's generation
and hash (0 and 0 for a first revision), the document without underscore members, and ``{Name, Type, Md5}`` of each
attachment. Two servers given the same edit make the same revision. Source: ``couch_db:new_revid/1``.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from typing import Any

from couchfake.values import erlang

_HEAD = {False: b"\x83l\x00\x00\x00\x05d\x00\x05false", True: b"\x83l\x00\x00\x00\x05d\x00\x04true"}


def revision_hash(
    deleted: bool,
    parent: tuple[int, str] | None,
    body: dict[str, Any],
    attachments: Iterable[tuple[str, str, bytes]] = (),
) -> str:
    """The 32 hex digits of a new revision. ``parent`` is its (generation, hash); attachments are (name, type, md5)."""
    if parent is None:
        start = b"a\x00a\x00"
    else:
        start = erlang.external_integer(parent[0]) + _parent_rev(parent[1])
    term = _HEAD[deleted] + start + erlang.external(body) + _attachments(attachments) + b"j"
    return md5(term, usedforsecurity=False).hexdigest()


def _parent_rev(rev: str) -> bytes:
    """Hashes of 32 hex digits are 16 raw bytes to the server; any other id is its text."""
    if len(rev) == 32:
        try:
            return b"m\x00\x00\x00\x10" + bytes.fromhex(rev)
        except ValueError:
            pass
    return erlang.external_binary(rev.encode("utf-8"))


def _attachments(attachments: Iterable[tuple[str, str, bytes]]) -> bytes:
    tuples = [
        b"h\x03" + b"".join(map(erlang.external_binary, (name.encode("utf-8"), kind.encode("utf-8"), digest)))
        for name, kind, digest in attachments
    ]
    if not tuples:
        return b"j"
    return b"l" + len(tuples).to_bytes(4, "big") + b"".join(tuples) + b"j"
