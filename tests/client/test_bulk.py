"""Many documents at once, partitions, and pages of a view."""

from __future__ import annotations

import json
from typing import Any

import pytest

from couchdb_client import Database, ResourceConflict, Server, ServerError


def test_many_documents_are_saved_in_chunks(people: Database) -> None:
    done: list[int] = []
    docs = [{"_id": f"{number:02}"} for number in range(23)]
    results = people.save_many(iter(docs), chunk=10, progress=done.append)
    assert done == [10, 20, 23]
    assert [docid for ok, docid, _ in results if ok] == [doc["_id"] for doc in docs]
    assert all(doc["_rev"] == rev for doc, (_, _, rev) in zip(docs, results, strict=True))
    ((ok, _, refused),) = people.save_many([{"_id": "00"}])
    assert not ok and isinstance(refused, ResourceConflict)
    with pytest.raises(ValueError, match="chunk"):
        people.save_many([], chunk=0)


def test_chunks_are_taken_from_a_generator_as_they_are_sent(wire: Any, db: Database) -> None:
    taken: list[int] = []

    def docs() -> Any:
        for number in range(5):
            taken.append(number)
            yield {"_id": str(number)}

    sent: list[int] = []
    for ids in ("01", "23", "4"):
        rows = ",".join(f'{{"ok":true,"id":"{docid}","rev":"1-a"}}' for docid in ids)
        wire.says(f"[{rows}]".encode(), 201)
    db.save_many(docs(), chunk=2, progress=lambda done: sent.append(len(taken)))
    assert sent == [2, 4, 5]


def test_many_documents_are_read_by_one_request(people: Database) -> None:
    people.update([{"_id": "a", "n": 1}, {"_id": "b", "n": 2}, {"_id": "gone"}])
    first = people["a"]
    people["a"] = {**first, "n": 3}
    del people["gone"]
    found = people.bulk_get(["b", "missing", ("a", first.rev), "gone", people["a"]], revs=True)
    assert [doc and doc.get("n") for doc in found] == [2, None, 1, None, 3]
    assert found[4] is not None and found[4]["_revisions"]["start"] == 2
    assert people.bulk_get([]) == []


def test_a_database_is_created_with_its_shards(wire: Any, server: Server) -> None:
    server.create("a")
    server.create("b", partitioned=True, q=4, n=1)
    server.create("c", partitioned=False)
    assert wire.lines == ["PUT /a", "PUT /b?partitioned=true&q=4&n=1", "PUT /c?partitioned=false"]


def test_a_partition_is_queried_by_itself(couch: Server) -> None:
    db = couch.create("sensors", partitioned=True)
    db.update([{"_id": f"{room}:{number}", "n": number} for room in ("hall", "attic") for number in range(30)])
    db["_design/app"] = {"views": {"by_n": {"map": "function (doc) { emit(doc.n, doc._id); }"}}}
    hall = db.partition("hall")
    assert hall.info()["doc_count"] == 30
    assert len(hall.all_docs()) == 30
    assert [row.value for row in hall.view("app/by_n", startkey=28)] == ["hall:28", "hall:29"]
    assert [doc["n"] for doc in hall.find({"selector": {"n": {"$lt": 2}}})] == [0, 1]
    assert len(hall.find({"selector": {}})) == 30
    assert hall.explain({"selector": {}})["partitioned"] is True
    assert hall.view("app/by_n", wrapper=lambda row: row["key"], key=3).rows == [3]


@pytest.fixture
def numbers(people: Database) -> Database:
    people["_design/app"] = {"views": {"by_n": {"map": "function (doc) { emit(doc.n, null); }"}}}
    people.update([{"_id": f"doc{number}", "n": number // 3} for number in range(10)])
    return people


def test_pages_have_the_rows_of_the_view_in_their_order(numbers: Database) -> None:
    for size in (1, 2, 3, 10, 11):
        pages = list(numbers.pages("app/by_n", size))
        assert [row.id for page in pages for row in page] == [row.id for row in numbers.view("app/by_n")]
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert [page.bookmark is None for page in pages] == [False] * (len(pages) - 1) + [True]


def test_a_bookmark_leads_to_the_next_page(numbers: Database) -> None:
    page = next(numbers.pages("app/by_n", 4, descending=True))
    seen = [row.id for row in page]
    while page.bookmark is not None:
        assert page.bookmark.replace("-", "").replace("_", "").isalnum()
        page = next(numbers.pages("app/by_n", 4, bookmark=page.bookmark, descending=True))
        seen += [row.id for row in page]
    assert seen == [row.id for row in numbers.view("app/by_n", descending=True)]


def test_a_page_is_a_sequence(numbers: Database) -> None:
    page = next(numbers.pages("app/by_n", 4, lambda row: row["id"]))
    assert (page[0], page[-1], page[1:3]) == ("doc0", "doc3", ["doc1", "doc2"])


@pytest.mark.parametrize("bookmark", ["nonsense", "e30K", "WzFd", "eyJsaW1pdCI6MX0"])
def test_what_is_not_a_bookmark_is_refused(wire: Any, db: Database, bookmark: str) -> None:
    if bookmark == "e30K":  # an empty object: the first page
        wire.says(b'{"rows":[]}')
        assert len(next(db.pages("app/v", 3, bookmark=bookmark))) == 0
        return
    with pytest.raises(ValueError, match="not a bookmark"):
        next(db.pages("app/v", 3, bookmark=bookmark))
    assert wire.lines == []
    with pytest.raises(ValueError, match="size"):
        next(db.pages("app/v", 0))


def test_a_document_that_cannot_be_read_is_an_error_that_names_it(wire: Any, db: Database) -> None:
    answer = {"docs": [{"error": {"id": "a", "rev": "x", "error": "bad_request", "reason": "Invalid rev format"}}]}
    wire.says(json.dumps({"results": [{"id": "a", **answer}]}).encode())
    with pytest.raises(ServerError, match="Invalid rev format") as caught:
        db.bulk_get([("a", "x")])
    assert (caught.value.docid, caught.value.error) == ("a", "bad_request")


def test_nothing_to_read_needs_no_request(wire: Any, db: Database) -> None:
    assert db.bulk_get([]) == []
    assert wire.lines == []


def test_a_partition_shows_its_name(db: Database) -> None:
    assert repr(db.partition("p")) == "<Partition 'p'>"
