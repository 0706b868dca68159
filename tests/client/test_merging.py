"""Updating what others update too, and ending conflicts."""

from __future__ import annotations

from typing import Any

import pytest

from couchdb_client import Database, Document, ResourceConflict, ResourceNotFound


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("couchdb_client.merging.LONGEST_PAUSE", 0)


def count(doc: Document) -> None:
    doc["n"] += 1


def test_an_update_is_made_again_on_the_document_that_won(people: Database) -> None:
    people["counter"] = {"n": 0}
    disturbances = [1, 1]

    def disturbed(doc: Document) -> None:
        if disturbances:
            people["counter"] = {**people["counter"], "n": people["counter"]["n"] + disturbances.pop()}
        doc["n"] += 1

    saved = people.update_with("counter", disturbed)
    assert (saved["n"], saved.rev) == (3, people["counter"].rev)
    assert people["counter"]["n"] == 3


def test_an_update_that_is_always_too_late_is_a_conflict(people: Database) -> None:
    people["counter"] = {"n": 0}
    attempts = []

    def too_late(doc: Document) -> None:
        attempts.append(doc.rev)
        people["counter"] = {**people["counter"], "n": -1}
        doc["n"] = 7

    with pytest.raises(ResourceConflict):
        people.update_with("counter", too_late, attempts=3)
    assert len(attempts) == 3


def test_the_function_may_return_another_document(people: Database) -> None:
    people["counter"] = {"n": 0}
    saved = people.update_with("counter", lambda doc: {"m": doc["n"]})
    assert people["counter"] == saved == {"_id": "counter", "_rev": saved.rev, "m": 0}


def test_nothing_is_written_if_nothing_has_changed(people: Database) -> None:
    people["counter"] = {"n": 0}
    assert people.update_with("counter", lambda doc: None).rev == people["counter"].rev
    assert people["counter"].rev.startswith("1-")


def test_a_missing_document_begins_with_the_default(people: Database) -> None:
    with pytest.raises(ResourceNotFound) as caught:
        people.update_with("counter", count)
    assert caught.value.docid == "counter"
    default = {"n": 0}
    assert people.update_with("counter", count, default=default)["n"] == 1
    assert people.update_with("counter", count, default=default)["n"] == 2
    assert default == {"n": 0}


def conflict(db: Database, *leaves: dict[str, Any], base: dict[str, Any] | None = None) -> None:
    """Make a document with these leaves upon one base."""
    db["doc"] = base or {"n": 0}
    start = db["doc"].rev.partition("-")[2]
    docs = [
        {
            "_id": "doc",
            "_rev": f"2-{number:032x}",
            "_revisions": {"start": 2, "ids": [f"{number:032x}", start]},
            **leaf,
        }
        for number, leaf in enumerate(leaves)
    ]
    assert db.update(docs, new_edits=False) == []


def test_conflicts_are_the_revisions_that_lost(people: Database) -> None:
    conflict(people, {"n": 1}, {"n": 2}, {"n": 3})
    assert people["doc"]["n"] == 3
    assert sorted(doc["n"] for doc in people.conflicts("doc")) == [1, 2]
    people["single"] = {}
    assert people.conflicts("single") == []
    with pytest.raises(ResourceNotFound):
        people.conflicts("missing")


def test_a_conflict_is_resolved_with_the_leaves_and_their_ancestor(people: Database) -> None:
    conflict(people, {"tags": ["a", "b"]}, {"tags": ["a", "c"]}, base={"tags": ["a"]})
    seen: list[Any] = []

    def merge(leaves: list[Document], ancestor: Document | None) -> dict[str, Any]:
        seen.append(([leaf["tags"] for leaf in leaves], ancestor and ancestor["tags"]))
        return {"tags": sorted({tag for leaf in leaves for tag in leaf["tags"]})}

    saved = people.resolve("doc", merge)
    assert seen == [([["a", "c"], ["a", "b"]], ["a"])]
    assert people["doc"] == saved == {"_id": "doc", "_rev": saved.rev, "tags": ["a", "b", "c"]}
    assert people.conflicts("doc") == []


def test_an_ancestor_that_is_not_stored_any_more_is_none(people: Database) -> None:
    conflict(people, {"n": 1}, {"n": 2})
    people.compact()
    assert people.resolve("doc", lambda leaves, ancestor: {"ancestor": ancestor})["ancestor"] is None


def test_a_document_without_conflicts_is_returned_as_it_is(people: Database) -> None:
    people["doc"] = {"n": 1}
    assert people.resolve("doc", lambda leaves, ancestor: {"n": 2}) == people["doc"]
    with pytest.raises(ResourceNotFound):
        people.resolve("missing", lambda leaves, ancestor: {})


def test_an_update_while_a_conflict_is_resolved_loses_nothing(people: Database) -> None:
    conflict(people, {"tags": ["a"]}, {"tags": ["b"]}, base={"tags": []})
    disturbed: list[bool] = []

    def merge(leaves: list[Document], ancestor: Document | None) -> dict[str, Any]:
        if not disturbed:
            disturbed.append(True)
            winner = people["doc"]
            winner["tags"] = [*winner["tags"], "c"]
            people.save(winner)
        return {"tags": sorted({tag for leaf in leaves for tag in leaf["tags"]})}

    assert people.resolve("doc", merge)["tags"] == ["a", "b", "c"]
    assert people.conflicts("doc") == []


def test_a_loser_that_is_updated_while_a_conflict_is_resolved_is_merged_too(people: Database) -> None:
    conflict(people, {"tags": ["a"]}, {"tags": ["b"]}, base={"tags": []})
    merged: list[list[list[str]]] = []

    def merge(leaves: list[Document], ancestor: Document | None) -> dict[str, Any]:
        merged.append([leaf["tags"] for leaf in leaves])
        if len(merged) == 1:
            people.save({**leaves[1], "tags": ["a", "c"]})
        return {"tags": sorted({tag for leaf in leaves for tag in leaf["tags"]})}

    assert people.resolve("doc", merge)["tags"] == ["a", "b", "c"]
    assert len(merged) == 2
    assert people.conflicts("doc") == []


def test_a_conflict_that_is_always_disturbed_stays_one(people: Database) -> None:
    conflict(people, {"n": 1}, {"n": 2})

    def merge(leaves: list[Document], ancestor: Document | None) -> dict[str, Any]:
        people.save({**people["doc"], "n": 7})
        return {"n": 9}

    with pytest.raises(ResourceConflict):
        people.resolve("doc", merge, attempts=2)
    assert people["doc"]["n"] == 7


def test_at_least_one_attempt_is_made(people: Database) -> None:
    people["counter"] = {"n": 0}
    with pytest.raises(ValueError, match="attempts must be 1 or more"):
        people.update_with("counter", count, attempts=0)
    with pytest.raises(ValueError, match="attempts must be 1 or more"):
        people.resolve("counter", lambda leaves, ancestor: leaves[0], attempts=0)
