"""What a map function sees of a document beside its body."""

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
