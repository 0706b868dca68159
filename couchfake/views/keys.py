"""Positions of rows in an index, and ranges of them.

Positions are bytes: the encoding of the row's key, then of its document's id, then a number that distinguishes the rows
of one document. Encodings of keys and ids are never prefixes of each other, so positions compare as the three parts
would, and a cut between two rows is just some bytes that lie between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from couchfake.values.collation import HIGHEST, text_key

Collate = Callable[[Any], bytes]
"""From a JSON key to bytes that sort in the order of the index."""

ONLY = bytes(6)
"""A position's end where its document has one row for the key; ``ordinal(0, 0)``."""

ENTRY = slice(-3)
"""The part of a position that all rows of one document with the very same key share."""

_BEHIND_ID = b"\x00\x01"


class KeyRange(NamedTuple):
    """The rows at ``lower`` and behind it, up to but not at ``upper``."""

    lower: bytes = b""
    upper: bytes = HIGHEST


EVERYTHING = KeyRange()


class _Missing:
    """No key given, which is not the key null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()


def ordinal(nth_key: int, nth_value: int) -> bytes:
    """Return the end of a position, which distinguishes rows of one document.

    ``nth_key`` counts keys that differ but collate as equal, ``nth_value`` rows under the very same key.
    """
    return nth_key.to_bytes(3, "big") + nth_value.to_bytes(3, "big")


def position(collated_key: bytes, docid: str, end: bytes = ONLY) -> bytes:
    """Return the position of a row."""
    return collated_key + text_key(docid) + end


def before(collate: Collate, key: Any, docid: str | None = None) -> bytes:
    """The cut before all rows with this key (and, where given, this document id)."""
    return collate(key) if docid is None else collate(key) + text_key(docid)[:-2]


def behind(collate: Collate, key: Any, docid: str | None = None) -> bytes:
    """The cut behind all rows with this key (and, where given, this document id)."""
    return collate(key) + HIGHEST if docid is None else collate(key) + text_key(docid)[:-2] + _BEHIND_ID


def key_range(
    collate: Collate,
    start_key: Any = MISSING,
    end_key: Any = MISSING,
    start_key_docid: str | None = None,
    end_key_docid: str | None = None,
    inclusive_end: bool = True,
    descending: bool = False,
    prefix: bytes = b"",
) -> KeyRange:
    """The range of a query. Descending queries start at the high end; a document id counts only beside its key.

    ``prefix`` is what all positions of the requested partition begin with. A reversed range is returned as it is
    (``lower`` above ``upper``); no row lies in it. An empty ``end_key_docid`` with ``inclusive_end`` false is
    behind all rows of the end key, whichever the direction: the server takes it for an end it has put there itself,
    and turns it round.
    """
    lower, upper = b"", HIGHEST
    if end_key_docid == "" and not inclusive_end:
        end_key_docid, inclusive_end = None, not descending
    if descending:
        if start_key is not MISSING:
            upper = behind(collate, start_key, start_key_docid)
        if end_key is not MISSING:
            lower = (before if inclusive_end else behind)(collate, end_key, end_key_docid)
    else:
        if start_key is not MISSING:
            lower = before(collate, start_key, start_key_docid)
        if end_key is not MISSING:
            upper = (behind if inclusive_end else before)(collate, end_key, end_key_docid)
    return KeyRange(prefix + lower, prefix + upper)


def group_prefix(collate: Collate, key: Any, level: int | None) -> bytes:
    """What the positions of a key's group begin with: ``level`` parts of an array key, or (None) the whole key.

    Keys that are not arrays, and shorter arrays, are groups of their own.
    """
    if level is not None and isinstance(key, list) and len(key) >= level:
        return collate(key[:level])[:-1]
    return collate(key)
