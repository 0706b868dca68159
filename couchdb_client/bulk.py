"""Requests for many documents at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from couchdb_client.document import as_dict
from couchdb_client.errors import HTTPError, ResourceConflict, ServerError
from couchdb_client.resource import Resource

__all__ = ["UpdateResult", "purge", "update"]

#: ``(success, docid, rev_or_exc)``
UpdateResult = tuple[bool, str, "str | HTTPError | None"]


def update(database: Resource, documents: Iterable[Any], options: Mapping[str, Any]) -> list[UpdateResult]:
    documents = list(documents)
    docs = [as_dict(doc) for doc in documents]
    rows = database.post_json("_bulk_docs", body={**options, "docs": docs})[2]
    # With new_edits=False the answer has rows for the refused documents alone: a row's place says nothing then.
    saved = documents if len(rows) == len(documents) else [None] * len(rows)
    return [_update_result(row, document) for row, document in zip(rows, saved, strict=True)]


def _update_result(row: Mapping[str, Any], document: Any) -> UpdateResult:
    docid = row.get("id", "")
    if "error" in row:
        kind = ResourceConflict if row["error"] == "conflict" else ServerError
        return False, docid, kind(row.get("reason"))
    rev = row.get("rev")
    if isinstance(document, dict):
        document.update({"_id": docid, "_rev": rev} if rev else {"_id": docid})
    return True, docid, rev


def purge(database: Resource, docs: Iterable[Any]) -> dict[str, Any]:
    revs: dict[str, list[str]] = {}
    for doc in map(as_dict, docs):
        revs.setdefault(doc["_id"], []).append(doc["_rev"])
    data: dict[str, Any] = database.post_json("_purge", body=revs)[2]
    return data
