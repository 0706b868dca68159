"""Requests for many documents at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from couchdb_client.document import Document, as_dict
from couchdb_client.errors import HTTPError, http_error, refusal
from couchdb_client.resource import Resource

__all__ = ["UpdateResult", "bulk_get", "purge", "save_many", "update"]

#: ``(success, docid, rev_or_exc)``
UpdateResult: TypeAlias = "tuple[bool, str, str | HTTPError | None]"


def update(database: Resource, documents: Iterable[Any], options: Mapping[str, Any]) -> list[UpdateResult]:
    documents = list(documents)
    docs = [doc if isinstance(doc, dict) else as_dict(doc) for doc in documents]
    rows = database.fetch("POST", "_bulk_docs", body={**options, "docs": docs})
    # With new_edits=False the answer has rows for the refused documents alone: a row's place says nothing then.
    saved = documents if len(rows) == len(documents) else [None] * len(rows)
    url = database.url + "/_bulk_docs"
    results: list[UpdateResult] = []
    for row, document in zip(rows, saved, strict=True):
        if "error" in row:
            docid = row.get("id", "")
            results.append((False, docid, refusal(row["error"], row.get("reason"), docid, url)))
            continue
        docid, rev = row["id"], row.get("rev")
        if isinstance(document, dict):
            document["_id"] = docid
            if rev:
                document["_rev"] = rev
        results.append((True, docid, rev))
    return results


def save_many(
    database: Resource,
    documents: Iterable[Any],
    chunk: int,
    progress: Callable[[int], object] | None,
    options: Mapping[str, Any],
) -> Iterator[UpdateResult]:
    waiting = iter(documents)
    done = 0
    while docs := list(islice(waiting, chunk)):
        results = update(database, docs, options)
        done += len(docs)
        if progress is not None:
            progress(done)
        yield from results


def bulk_get(
    database: Resource, documents: Iterable[str | tuple[str, str] | Mapping[str, Any]], options: Mapping[str, Any]
) -> list[Document | None]:
    wanted = [_wanted(doc) for doc in documents]
    if not wanted:
        return []
    results = database.fetch("POST", "_bulk_get", body={"docs": wanted}, **options)["results"]
    return [_found(result, "rev" in want) for result, want in zip(results, wanted, strict=True)]


def _wanted(doc: str | tuple[str, str] | Mapping[str, Any]) -> dict[str, str]:
    if isinstance(doc, str):
        return {"id": doc}
    if isinstance(doc, tuple):
        return {"id": doc[0], "rev": doc[1]}
    return {"id": doc["_id"], "rev": doc["_rev"]}


def _found(result: Mapping[str, Any], has_rev: bool) -> Document | None:
    """Return the document of one result; None if it is not there. Raise `HTTPError` for any other error."""
    (answer, *_) = result["docs"]
    doc = answer.get("ok")
    if doc is not None:
        return None if doc.get("_deleted") and not has_rev else Document(doc)
    error = answer["error"]
    if error.get("error") == "not_found":
        return None
    failure = http_error(400, (error.get("error"), error.get("reason")))
    failure.docid = result["id"]
    raise failure


def purge(database: Resource, docs: Iterable[Any]) -> dict[str, Any]:
    revs: dict[str, list[str]] = {}
    for doc in map(as_dict, docs):
        revs.setdefault(doc["_id"], []).append(doc["_rev"])
    data: dict[str, Any] = database.fetch("POST", "_purge", body=revs)
    return data
