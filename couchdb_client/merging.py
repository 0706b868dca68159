"""Updating documents that others update too, and resolving the conflicts that replication leaves."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from couchdb_client import bulk
from couchdb_client.document import Document, as_dict, doc_resource, get, stamp
from couchdb_client.errors import HTTPError, ResourceConflict, ResourceNotFound
from couchdb_client.resource import Resource

__all__ = ["ATTEMPTS", "Merge", "conflicts", "resolve", "update_with"]

#: How often a document is read, changed and written before `ResourceConflict` is raised.
ATTEMPTS = 10

#: Seconds of the longest pause before a further attempt.
LONGEST_PAUSE = 0.5

#: What makes one document of the leaves in conflict, the winner first, and of their newest common ancestor, None if
#: that is not there any more.
Merge = Callable[["list[Document]", "Document | None"], Mapping[str, Any]]


def update_with(
    database: Resource,
    docid: str,
    function: Callable[[Document], Any],
    default: Mapping[str, Any] | None,
    attempts: int,
) -> Document:
    for attempt in range(attempts):
        _pause(attempt)
        doc = get(database, docid, None, {})
        if doc is None:
            if default is None:
                raise _missing(database, docid)
            doc = Document({**copy.deepcopy(dict(default)), "_id": docid})
        before = copy.deepcopy(doc)
        changed = function(doc)
        new = doc if changed is None else Document(as_dict(changed))
        if new == before and doc.rev is not None:
            return new
        if doc.rev is not None:
            new.setdefault("_rev", before["_rev"])
        try:
            data = doc_resource(database, docid).fetch("PUT", body=new)
        except ResourceConflict:
            if attempt + 1 == attempts:
                raise
            continue
        stamp(new, data["id"], data["rev"])
        return new
    raise ValueError("attempts must be 1 or more")


def conflicts(database: Resource, docid: str) -> list[Document]:
    """Return the documents of all leaves that are not deleted, the winner excepted."""
    doc = get(database, docid, None, {"conflicts": True})
    if doc is None:
        raise _missing(database, docid)
    revs = doc.get("_conflicts", [])
    found = [get(database, docid, None, {"rev": rev}) for rev in revs]
    return [leaf for leaf in found if leaf is not None]


def resolve(database: Resource, docid: str, merge: Merge, attempts: int) -> Document:
    lost: list[Document] = []
    for attempt in range(attempts):
        _pause(attempt)
        leaves = _leaves(database, docid)
        if not leaves:
            raise _missing(database, docid)
        if len(leaves) + len(lost) == 1:
            return _without_history(leaves[0])
        ancestor = _common_ancestor(database, docid, [*leaves, *lost])
        winner, *losers = leaves
        content = merge([_without_history(leaf) for leaf in (*leaves, *lost)], ancestor)
        merged = Document({**content, "_id": docid, "_rev": winner.rev})
        tombstones = [{"_id": docid, "_rev": leaf.rev, "_deleted": True} for leaf in losers]
        results = bulk.update(database, [merged, *tombstones], {})
        refusals = [rev for ok, _, rev in results if not ok and isinstance(rev, HTTPError)]
        if not refusals:
            return merged
        if attempt + 1 == attempts or not all(isinstance(each, ResourceConflict) for each in refusals):
            raise refusals[0]
        # Leaves that were deleted, though their content has not been merged, take part in the next attempt.
        if not results[0][0]:
            lost += [leaf for leaf, (ok, _, _) in zip(losers, results[1:], strict=True) if ok]
        else:
            lost = []
    raise ValueError("attempts must be 1 or more")


def _leaves(database: Resource, docid: str) -> list[Document]:
    """Return all leaves that are not deleted, each with its ``_revisions``, the winner first."""
    answers = get(database, docid, None, {"open_revs": "all", "revs": True})
    if answers is None:
        return []
    docs = [Document(answer["ok"]) for answer in answers if "ok" in answer and not answer["ok"].get("_deleted")]
    return sorted(docs, key=_rank, reverse=True)


def _without_history(leaf: Document) -> Document:
    return Document({name: copy.deepcopy(value) for name, value in leaf.items() if name != "_revisions"})


def _rank(doc: Document) -> tuple[int, str]:
    """Return what the server chooses a winner by: the longest history, then the greatest hash."""
    generation, _, digest = doc.rev.partition("-")
    return int(generation), digest


def _common_ancestor(database: Resource, docid: str, leaves: list[Document]) -> Document | None:
    """Return the newest revision that all leaves descend from; None if the server does not have it."""
    histories = [_history(leaf) for leaf in leaves]
    shared = set(histories[0]).intersection(*histories[1:])
    rev = next((rev for rev in histories[0] if rev in shared), None)
    ancestor: Document | None = None if rev is None else get(database, docid, None, {"rev": rev})
    return ancestor


def _history(leaf: Document) -> list[str]:
    """Return the revisions of a leaf's history, the newest first."""
    history = leaf["_revisions"]
    return [f"{history['start'] - age}-{digest}" for age, digest in enumerate(history["ids"])]


def _missing(database: Resource, docid: str) -> ResourceNotFound:
    missing = ResourceNotFound(("not_found", "missing"))
    missing.method, missing.url, missing.docid = "GET", doc_resource(database, docid).url, docid
    return missing


def _pause(attempt: int) -> None:
    """Wait for a moment before a further attempt, so that not all who compete try again at once."""
    if attempt:
        time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.005 * 2**attempt)))
