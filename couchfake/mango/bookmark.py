"""Bookmarks: where the next page of a query begins.

A bookmark is base64url of an Erlang term that holds the last row's document id and key. It does not
name the query: another query may use it, and begins at that row. Source: the server's ``mango_json_bookmark``.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import Any, NamedTuple

from couchfake.mango.errors import invalid_bookmark
from couchfake.values.erlang import (
    VERSION,
    TermError,
    external,
    external_atom,
    external_list,
    external_tuple,
    read_term,
)

NIL = "nil"
_DOCID, _KEY = external_atom("startkey_docid"), external_atom("startkey")
_FOREIGN = re.compile(r"[^A-Za-z0-9+/_\-=\s]")


class Bookmark(NamedTuple):
    """A row."""

    docid: Any
    key: Any


def pack(bookmark: Bookmark) -> str:
    docid, key = external(bookmark.docid), external(bookmark.key)
    term = external_list([external_tuple(_DOCID, docid), external_tuple(_KEY, key)])
    packed = zlib.compress(term)
    if len(packed) <= len(term) - 5:  # Erlang compresses a term only if the result is no larger, header included
        term = b"P" + len(term).to_bytes(4, "big") + packed
    return base64.urlsafe_b64encode(VERSION + term).decode("ascii").rstrip("=")


def unpack(text: str) -> Bookmark:
    """Read a bookmark. Raise a CouchError (400) if the text is not one."""
    try:
        if _FOREIGN.search(text):
            raise TermError("not base64")
        bare = "".join(text.split()).rstrip("=")
        data = base64.urlsafe_b64decode(bare.replace("+", "-").replace("/", "_") + "=" * (-len(bare) % 4))
        pairs = dict(_pairs(read_term(data)))
        return Bookmark(pairs["startkey_docid"], pairs["startkey"])
    except (TermError, binascii.Error, KeyError):
        raise invalid_bookmark(text) from None


def _pairs(term: Any) -> list[tuple[str, Any]]:
    if not isinstance(term, list):
        raise TermError("not a list")
    return [pair for pair in term if isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)]
