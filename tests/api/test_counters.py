"""What ``_stats`` counts of the work that requests ask for."""

from __future__ import annotations

from typing import Any

import pytest


def counters(admin: Any) -> dict[str, int]:
    tree = admin.json("GET", "/_node/_local/_stats")
    flat = {}
    for name, leaf in (*tree["couchdb"].items(), *tree["couchdb"]["httpd"].items(), *tree["mango"].items()):
        if leaf.get("type") == "counter":
            flat[name] = leaf["value"]
    flat["vdu_rejects"] = tree["couchdb"]["query_server"]["vdu_rejects"]["value"]
    return flat


def grown(admin: Any, before: dict[str, int]) -> dict[str, int]:
    after = counters(admin)
    steps = {name: after[name] - before[name] for name in after}
    return {name: step for name, step in steps.items() if step and name not in ("requests", "open_databases")}


@pytest.fixture
def db(admin: Any) -> Any:
    admin.json("PUT", "/db", status=201)
    return admin


def test_writes_are_counted_by_request_and_by_document(db: Any) -> None:
    before = counters(db)
    db.json("PUT", "/db/a", {}, 201)
    db.json("PUT", "/db/a", {}, 409)
    db.json("PUT", "/db/_local/x", {}, 201)
    db.json("POST", "/db/_bulk_docs", {"docs": [{"_id": "b"}, {"_id": "c"}, {"_id": "a"}]}, 201)
    assert grown(db, before) == {
        "database_writes": 4,
        "document_writes": 3,
        "document_inserts": 3,
        "local_document_writes": 1,
        "bulk_requests": 1,
    }


def test_reads_are_counted_by_document(db: Any) -> None:
    db.json("POST", "/db/_bulk_docs", {"docs": [{"_id": "a"}, {"_id": "b"}]}, 201)
    before = counters(db)
    for path in ("/db/a", "/db/none", "/db/_all_docs?include_docs=true", "/db/a?open_revs=all", "/db/_all_docs"):
        db("GET", path)
    assert grown(db, before) == {"database_reads": 5}


def test_what_was_done_in_a_database_that_is_gone_still_counts(db: Any) -> None:
    before = counters(db)
    db.json("PUT", "/db/a", {}, 201)
    db.json("DELETE", "/db", status=200)
    assert grown(db, before) == {"database_writes": 1, "document_writes": 1, "document_inserts": 1}


def test_views_queries_and_purges_are_counted(db: Any) -> None:
    rev = db.json("PUT", "/db/a", {"n": 1}, 201)["rev"]
    db.json("PUT", "/db/_design/d", {"views": {"v": {"map": "function (doc) { emit(doc.n, null); }"}}}, 201)
    before = counters(db)
    db.json("GET", "/db/_design/d/_view/v", status=200)
    db.json("POST", "/db/_find", {"selector": {"n": 1}}, 200)
    db.json("POST", "/db/_purge", {"a": [rev]}, 201)
    assert grown(db, before) == {
        "view_reads": 1,
        "docs_examined": 2,
        "unindexed_queries": 1,
        "purge_requests": 1,
        "database_purges": 1,
    }


def test_documents_that_a_query_reads_from_several_copies_are_counted_apart(db: Any) -> None:
    db.json("POST", "/db/_bulk_docs", {"docs": [{"n": 1}, {"n": 2}]}, 201)
    before = counters(db)
    db.json("POST", "/db/_find", {"selector": {"n": 1}, "r": 2}, 200)
    assert grown(db, before) == {"quorum_docs_examined": 2, "unindexed_queries": 1}


def test_refusals_by_validation_functions_are_counted(db: Any) -> None:
    refuse = "function (doc) { if (doc.bad) throw({forbidden: 'no'}); }"
    db.json("PUT", "/db/_design/d", {"validate_doc_update": refuse}, 201)
    before = counters(db)
    db.json("PUT", "/db/a", {"bad": True}, 403)
    assert grown(db, before) == {"database_writes": 1, "vdu_rejects": 1}


def test_open_feeds_are_counted_while_they_are_open(db: Any) -> None:
    def feeds() -> int:
        return counters(db)["clients_requesting_changes"]

    with db("GET", "/db/_changes?feed=continuous&heartbeat=10000", stream=True) as feed:
        feed.raw.read(0)
        assert feeds() == 1
    assert feeds() == 0
