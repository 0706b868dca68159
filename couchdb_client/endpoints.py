"""What the URL of a request says about it."""

from __future__ import annotations

import re

__all__ = ["is_read", "is_repeatable", "is_slow", "is_update_function"]

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})

_INDEXED = r"(?:_all_docs|_design_docs|_local_docs|_design/[^/?]+/_view/[^/?]+)(?:/queries)?|_design/[^/?]+/_list/[^?]+"

_READING_POST = re.compile(
    rf"/(?:_find|_explain|_changes|_bulk_get|_revs_diff|_missing_revs|_dbs_info|{_INDEXED})/?(?:\?|\Z)"
)
_SLOW = re.compile(
    rf"/(?:_find|_index|_changes|_db_updates|_replicate|_design/[^/?]+/_(?:search|nouveau)/[^?]+|{_INDEXED})/?(?:\?|\Z)"
)
_UPDATE_FUNCTION = re.compile(r"/_design/[^/?]+/_update/")


def is_read(method: str, url: str) -> bool:
    """Return whether the request changes nothing on the server."""
    return _READING_POST.search(url) is not None if method == "POST" else method in ("GET", "HEAD", "OPTIONS")


def is_repeatable(method: str, url: str) -> bool:
    """Return whether it makes no difference if the server gets the request twice."""
    if method == "POST":
        return _READING_POST.search(url) is not None
    return method in _IDEMPOTENT and not is_update_function(url)


def is_slow(url: str) -> bool:
    """Return whether the server may have to build an index, or to wait for a change, before it answers."""
    return "/_" in url and _SLOW.search(url) is not None


def is_update_function(url: str) -> bool:
    """Return whether the request calls an update function, which may do anything."""
    return "/_update/" in url and _UPDATE_FUNCTION.search(url) is not None
