"""Documents and views: what a map function sees beside the body, what ``include_docs`` puts beside a row."""

from __future__ import annotations

from .conftest import Client


def test_a_map_function_sees_the_revisions_that_lost(party: Client) -> None:
    party.json("PUT", "/db", status=201)
    docs = [
        {"_id": "a", "_rev": "1-c"},
        {"_id": "a", "_rev": "1-b"},
        {"_id": "a", "_rev": "1-a", "_deleted": True},
    ]
    party.json("POST", "/db/_bulk_docs", {"new_edits": False, "docs": docs}, 201)
    source = "function (doc) { emit(doc._conflicts, doc._deleted_conflicts); }"
    party.json("PUT", "/db/_design/d", {"views": {"v": {"map": source}}}, 201)
    [row] = party.json("GET", "/db/_design/d/_view/v")["rows"]
    assert (row["key"], row["value"]) == (["1-b"], ["1-a"])


def test_a_linked_document_may_be_a_local_one(party: Client) -> None:
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/_local/l", {"x": 1}, 201)
    party.json("PUT", "/db/a", {}, 201)
    source = "function (doc) { emit(1, {_id: '_local/l'}); emit(2, {_id: '_local/l', _rev: '0-1'}); }"
    party.json("PUT", "/db/_design/d", {"views": {"v": {"map": source}}}, 201)
    rows = party.json("GET", "/db/_design/d/_view/v?include_docs=true", status=200)["rows"]
    assert [row["doc"] for row in rows] == [{"_id": "_local/l", "_rev": "0-1", "x": 1}, None]


def test_a_link_with_an_invalid_revision_ends_the_query(party: Client) -> None:
    party.json("PUT", "/db", status=201)
    party.json("POST", "/db/_bulk_docs", {"docs": [{"_id": "a", "to": "x"}, {"_id": "b", "to": None}]}, 201)
    source = "function (doc) { emit(doc._id, {_rev: doc.to}); }"
    party.json("PUT", "/db/_design/d", {"views": {"v": {"map": source}}}, 201)
    for key in ("a", "b"):
        answer = party.json("GET", f'/db/_design/d/_view/v?include_docs=true&key="{key}"', status=400)
        assert list(answer) == ["error", "reason", "ref"]
        assert (answer["error"], answer["reason"]) == ("bad_request", "Invalid rev format")
    assert len(party.json("GET", "/db/_design/d/_view/v", status=200)["rows"]) == 2
