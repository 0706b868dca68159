"""Revision ids, as the real server makes them.

The id is the MD5 of Erlang's external form of ``[Deleted, OldStart, OldRev, Body, Atts]``: the parent's generation
and hash (0 and 0 for a first revision), the document without underscore members, and ``{Name, Type, Md5}`` of each
attachment. Two servers given the same edit make the same revision. Source: ``couch_db:new_revid/1``.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5
from typing import Any

from couchfake.storage.revision_ids import RevisionId
from couchfake.values import erlang

_UNDEFINED = b"h\x03" + 3 * b"d\x00\x09undefined"
_HEAD = {False: b"\x83l\x00\x00\x00\x05d\x00\x05false", True: b"\x83l\x00\x00\x00\x05d\x00\x04true"}


def revision_hash(
    deleted: bool,
    parent: RevisionId | None,
    body: dict[str, Any],
    attachments: Iterable[tuple[str, Any, bytes] | None] = (),
) -> str:
    """The 32 hex digits of a new revision. ``parent`` is its (generation, hash bytes).

    Attachments are (name, type, md5), or None where the server looks for these in vain: of a document that follows
    its own tombstone they are in their form on disk when the revision is made, and only their number enters it.
    """
    if parent is None:
        start = b"a\x00a\x00"
    else:
        start = erlang.external_integer(parent[0]) + erlang.external_binary(parent[1])
    term = _HEAD[deleted] + start + erlang.external(body) + _attachments(attachments) + b"j"
    return md5(term, usedforsecurity=False).hexdigest()


def _attachments(attachments: Iterable[tuple[str, Any, bytes] | None]) -> bytes:
    return erlang.external_list([_UNDEFINED if each is None else _attachment(*each) for each in attachments])


def _attachment(name: str, kind: Any, digest: bytes) -> bytes:
    return erlang.external_tuple(erlang.external(name), erlang.external(kind), erlang.external_binary(digest))
