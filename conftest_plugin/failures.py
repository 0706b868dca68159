"""What a failed test's server contains, as plain values for the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from couchfake import CouchFake
    from couchfake.control.request_log import LoggedRequest

REQUESTS = 200
"""How many requests of a test are kept, the last ones."""
DOCUMENTS = 200
"""How many documents of a database are kept, the first ones."""
TREES = 50
"""How many revision trees of a database are kept: those of documents that have more than one revision."""
CHARACTERS = 4000
"""How much of a body or a document is kept."""


def failure_of(fake: CouchFake, test: str, title: str, message: str) -> dict[str, Any]:
    """Return a failed test's ``test``, ``server``, ``message``, ``requests``, ``log`` and ``databases``."""
    mine = [each for each in fake.requests.all if each.test == test]
    names = [name for name in fake.ask("GET", "/_all_dbs") if not name.startswith("_") or _has_documents(fake, name)]
    return {
        "test": test,
        "server": title,
        "message": message,
        "left_out": max(0, len(mine) - REQUESTS),
        "requests": [_request(each) for each in mine[-REQUESTS:]],
        "log": [f"{line.level}: {line.message}" for line in fake.function_log if line.test == test],
        "databases": [_database(fake, name) for name in names],
    }


def _has_documents(fake: CouchFake, name: str) -> bool:
    info = fake.ask("GET", f"/{name}")
    return bool(info["doc_count"] > (1 if name in ("_users", "_replicator") else 0))  # they have a design document


def _request(logged: LoggedRequest) -> dict[str, Any]:
    return {
        "line": str(logged),
        "status": logged.status,
        "body": _cut(logged.body.decode("utf-8", "replace")),
        "answer": _cut(logged.answer.decode("utf-8", "replace")),
    }


def _database(fake: CouchFake, name: str) -> dict[str, Any]:
    path = f"/{quote(name, safe='')}"
    found = fake.ask("GET", f"{path}/_all_docs?include_docs=true&limit={DOCUMENTS}")
    changes = fake.ask("GET", f"{path}/_changes?style=all_docs&limit={10 * DOCUMENTS}")["results"]
    grown = [row["id"] for row in changes if len(row["changes"]) > 1 or not row["changes"][0]["rev"].startswith("1-")]
    documents = [{"id": row["id"], "text": _cut(json.dumps(row["doc"], indent=1))} for row in found["rows"]]
    trees = [{"id": docid, "svg": fake.revision_tree(name, docid).svg()} for docid in sorted(grown)[:TREES]]
    return {"name": name, "total": found["total_rows"], "documents": documents, "trees": trees}


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}… ({len(text)} characters)"
