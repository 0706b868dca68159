"""Which request wrote a revision, and when, as far as the request log goes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from couchfake.control.request_log import LoggedRequest, RequestLog


def origins(log: RequestLog, database: str, docid: str) -> dict[str, dict[str, Any]]:
    """Return for each revision ``at`` (seconds since 1970), ``by`` (``replication`` or ``edit``) and ``user``.

    Replication is what ``new_edits: false`` says. Revisions whose request is not kept in the log are missing.
    """
    found: dict[str, dict[str, Any]] = {}
    for logged in log:
        if logged.database != database or logged.status not in (200, 201, 202) or logged.method not in _WRITES:
            continue
        for rev, by in _written(logged, docid):
            found.setdefault(rev, {"at": logged.at, "by": by, "user": logged.user})
    return found


_WRITES = frozenset(("PUT", "POST", "DELETE", "COPY"))


def _written(logged: LoggedRequest, docid: str) -> Iterator[tuple[str, str]]:
    body, answer = logged.json, logged.answer_json
    if logged.path.rstrip("/").endswith("/_bulk_docs"):
        documents = body.get("docs") if isinstance(body, dict) else None
        if isinstance(documents, list) and body.get("new_edits") is False:
            for document in documents:
                if isinstance(document, dict) and document.get("_id") == docid and "_rev" in document:
                    yield document["_rev"], "replication"
        elif isinstance(answer, list):
            for row in answer:
                if isinstance(row, dict) and row.get("id") == docid and "rev" in row:
                    yield row["rev"], "edit"
    elif isinstance(answer, dict) and answer.get("id") == docid and "rev" in answer:
        yield answer["rev"], "replication" if logged.query.get("new_edits") == "false" else "edit"
