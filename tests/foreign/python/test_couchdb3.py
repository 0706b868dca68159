"""couchdb3, a client on requests or httpx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

couchdb3 = pytest.importorskip("couchdb3", reason="the dependency group clients is not installed")
pytestmark = pytest.mark.foreign


@pytest.fixture
def server(url: str) -> Any:
    return couchdb3.Server(url, user="adm", password="pass")


@pytest.fixture
def db(server: Any) -> Any:
    return server.create("db")


def test_the_server_says_that_it_is_up(server: Any) -> None:
    assert server.up()
    assert "_users" in server.all_dbs()


def test_documents_are_saved_read_and_deleted(db: Any) -> None:
    docid, ok, rev = db.save({"_id": "a", "x": 1})
    assert (docid, ok, rev) == ("a", True, "1-0785e9eb543380151003dc452c3a001a")
    assert db.get("a")["x"] == 1
    with pytest.raises(couchdb3.exceptions.ConflictError):
        db.save({"_id": "a", "x": 2})
    assert db.delete("a", rev)
    assert "a" not in db


def test_views_reduce(db: Any) -> None:
    db.put_design("d", views={"v": {"map": "function (doc) { emit(doc._id, 2); }", "reduce": "_sum"}})
    for name in "abc":
        db.save({"_id": name})
    assert db.view("d", "v", reduce=True).rows[0].value == 6


def test_queries_use_an_index(db: Any) -> None:
    db.save_index({"fields": ["n"]}, name="by-n", ddoc="by-n")
    for number in range(3):
        db.save({"_id": str(number), "n": number})
    assert [doc["_id"] for doc in db.find({"n": {"$gt": 0}})["docs"]] == ["1", "2"]


def test_queries_are_paged_through_by_bookmark(db: Any) -> None:
    db.bulk_docs(docs=[{"_id": f"doc-{number}", "n": number} for number in range(5)])
    pages: list[list[int]] = []
    bookmark = None
    while not pages or pages[-1]:
        found = db.find({"n": {"$gte": 0}}, limit=2, bookmark=bookmark)
        pages.append([doc["n"] for doc in found["docs"]])
        bookmark = found["bookmark"]
    assert pages == [[0, 1], [2, 3], [4], []]


@pytest.mark.skipif(not hasattr(couchdb3.Database, "changes"), reason="this version of couchdb3 reads no changes")
def test_changes_are_listed_and_followed(db: Any) -> None:
    for name in "ab":
        db.save({"_id": name})
    listed = db.changes(include_docs=True)
    assert [change["doc"]["_id"] for change in listed["results"]] == ["a", "b"]
    db.save({"_id": "c"})
    with db.changes_stream(since=listed["last_seq"], limit=1) as changes:
        assert next(iter(changes))["id"] == "c"


def test_attachments_come_back_as_they_went(db: Any, tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    path.write_bytes(b"hello")
    _, _, rev = db.save({"_id": "a"})
    db.put_attachment("a", "f.txt", str(path), rev=rev)
    assert db.get_attachment("a", "f.txt").content == b"hello"
