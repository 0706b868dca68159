"""The results of Mango queries: an iterator that can be used as a sequence."""

from __future__ import annotations

from typing import Any

import pytest

from couchdb_client import Database, Document, ServerError
from couchdb_client.mango import FindResults, Indexes


def play_pages(wire: Any, *pages: str) -> None:
    for number, ids in enumerate(pages):
        docs = ",".join(f'{{"_id":"{docid}"}}' for docid in ids)
        wire.says(f'{{"docs":[{docs}],"bookmark":"{number}"}}'.encode())


@pytest.fixture
def found(wire: Any, db: Database, monkeypatch: pytest.MonkeyPatch) -> FindResults:
    monkeypatch.setattr("couchdb_client.mango.PAGE_SIZE", 2)
    play_pages(wire, "ab", "cd", "e")
    return db.find({"selector": {}})


def ids(docs: Any) -> str:
    return "".join(doc["_id"] for doc in docs)


def test_pages_are_fetched_when_they_are_reached(wire: Any, found: FindResults) -> None:
    assert len(wire.lines) == 1
    assert next(found).id == "a"
    assert next(found).id == "b"
    assert len(wire.lines) == 1
    assert next(found).id == "c"
    assert len(wire.lines) == 2


def test_what_next_has_given_is_not_given_again_by_the_loop_that_follows(found: FindResults) -> None:
    assert next(found).id == "a"
    assert iter(found) is found
    assert ids(found) == "bcde"
    with pytest.raises(StopIteration):
        next(found)


def test_a_second_loop_gives_all_documents_again(wire: Any, found: FindResults) -> None:
    assert ids(found) == ids(found) == "abcde"
    assert len(wire.lines) == 3


def test_a_length_an_index_or_a_slice_makes_it_a_sequence(found: FindResults) -> None:
    assert len(found) == 5
    assert (found[0].id, found[-1].id, ids(found[1:3])) == ("a", "e", "bc")
    assert ids(found) == ids(found) == ids(reversed(list(reversed(found)))) == "abcde"
    assert found == [Document(_id=docid) for docid in "abcde"]
    assert {"_id": "c"} in found


def test_truth_needs_the_first_document_only(wire: Any, found: FindResults) -> None:
    assert found
    assert len(wire.lines) == 1


def test_no_documents_are_false(wire: Any, db: Database) -> None:
    play_pages(wire, "")
    assert not db.find({"selector": {}})


def test_paging_by_skip_gives_no_document_twice(people: Database) -> None:
    people.update([{"_id": f"{number:03}"} for number in range(70)])
    found: list[str] = []
    while page := [doc["_id"] for doc in people.find({"selector": {}, "skip": len(found)})]:
        assert len(page) <= 25
        found += page
    assert found == sorted(set(found))
    assert len(found) == 70


def test_an_error_of_the_query_is_raised_by_the_call(people: Database) -> None:
    with pytest.raises(ServerError):
        people.find({"selector": {"$nonsense": 1}})


def test_more_documents_than_a_page_has(people: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("couchdb_client.mango.PAGE_SIZE", 7)
    people.update([{"_id": f"{number:03}"} for number in range(30)])
    assert [doc["_id"] for doc in people.find({"selector": {}})] == [f"{number:03}" for number in range(30)]
    assert people.find({"selector": {}}, wrapper=lambda doc: doc["_id"])[-1] == "029"


def test_an_index_may_take_its_time(wire: Any, transport: Any) -> None:
    Indexes("http://couch.example/people/_index", session=transport)["a", "b"] = ["name"]
    assert wire.json() == {"index": {"fields": ["name"]}, "ddoc": "a", "name": "b"}


def test_results_compare_as_lists_and_show_how_far_they_have_been_read(found: FindResults) -> None:
    assert repr(found) == "<FindResults of 2 documents so far>"
    assert found == [{"_id": docid} for docid in "abcde"]
    assert found == found[:]
    assert repr(found) == "<FindResults of 5 documents so far>"
