"""Documents as programs use them, on the fake and on a real server alike."""

from __future__ import annotations

import base64
import hashlib

import pytest
import requests

from couchdb_client import (
    Database,
    Document,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
    Server,
    ServerError,
)


def test_a_document_is_created_read_changed_and_deleted(couch_db: Database) -> None:
    docid, rev = couch_db.save({"_id": "john", "type": "person", "name": "John Doe"})
    doc = couch_db[docid]
    assert list(doc.items()) == [("_id", "john"), ("_rev", rev), ("type", "person"), ("name", "John Doe")]
    doc["age"] = 44
    couch_db.save(doc)
    assert couch_db["john"]["age"] == 44
    couch_db.delete(doc)
    assert "john" not in couch_db
    with pytest.raises(ResourceNotFound) as caught:
        couch_db["john"]
    assert caught.value.args[0] == ("not_found", "deleted")


def test_revisions_are_those_of_every_couchdb(couch_db: Database) -> None:
    doc = {"_id": "a", "x": 1}
    assert couch_db.save(doc) == ("a", "1-0785e9eb543380151003dc452c3a001a")
    doc["x"] = 2
    assert couch_db.save(doc) == ("a", "2-8c49edca19d786e747fb5bea32c4cb91")


def test_the_server_chooses_an_id_where_none_is_given(couch_db: Database) -> None:
    docid, _ = couch_db.save({"x": 1})
    assert len(docid) == 32
    assert couch_db[docid]["x"] == 1


def test_a_stale_revision_is_refused(couch_db: Database) -> None:
    couch_db["a"] = {"n": 1}
    stale = couch_db["a"]
    couch_db["a"] = dict(stale, n=2)
    for write in (lambda: couch_db.save(stale), lambda: couch_db.delete(stale)):
        with pytest.raises(ResourceConflict) as caught:
            write()
        assert caught.value.args[0] == ("conflict", "Document update conflict.")
    assert couch_db["a"]["n"] == 2


def test_a_deleted_document_can_be_created_again(couch_db: Database) -> None:
    couch_db["a"] = {"n": 1}
    del couch_db["a"]
    _, rev = couch_db.save({"_id": "a", "n": 1})
    assert rev is not None
    assert rev.startswith("3-")
    assert couch_db.info()["doc_count"] == 1


def test_old_revisions_can_be_read_until_they_are_compacted(couch_db: Database) -> None:
    first = couch_db.save({"_id": "a", "n": 1})[1]
    couch_db.save({"_id": "a", "_rev": first, "n": 2})
    assert [doc["n"] for doc in couch_db.revisions("a")] == [2, 1]
    assert couch_db.get("a", Document(), rev=first)["n"] == 1
    info = couch_db.get("a", Document(), revs_info=True)["_revs_info"]
    assert [each["status"] for each in info] == ["available", "available"]


def test_conflicts_come_by_replication_and_are_seen_when_asked_for(couch_db: Database) -> None:
    histories = {"b" * 32: "first", "c" * 32: "second"}
    documents = [
        {"_id": "a", "_rev": f"2-{each}", "_revisions": {"start": 2, "ids": [each, "a" * 32]}, "who": who}
        for each, who in histories.items()
    ]
    assert couch_db.update(documents, new_edits=False) == []
    doc = couch_db.get("a", Document(), conflicts=True)
    assert (doc["who"], doc["_conflicts"]) == ("second", ["2-" + "b" * 32])
    couch_db.delete(doc)
    assert couch_db.get("a", Document(), conflicts=True)["who"] == "first"
    assert len(couch_db.get("a", Document(), deleted_conflicts=True)["_deleted_conflicts"]) == 1


def test_many_documents_are_written_in_one_request_each_with_its_own_outcome(couch_db: Database) -> None:
    couch_db["b"] = {"n": 0}
    results = couch_db.update([{"_id": "c", "n": 3}, {"_id": "b", "n": 2}, {"_id": "a", "n": 1}])
    assert [(success, docid) for success, docid, _ in results] == [(True, "c"), (False, "b"), (True, "a")]
    assert isinstance(results[1][2], ResourceConflict)
    assert [row.id for row in couch_db.view("_all_docs")] == ["a", "b", "c"]
    rows = couch_db.view("_all_docs", keys=["c", "missing"], include_docs=True).rows
    assert rows[0].doc["n"] == 3
    assert rows[1].error == "not_found"


def test_attachments_of_text_and_of_bytes(couch_db: Database) -> None:
    doc = {"_id": "a"}
    couch_db.save(doc)
    couch_db.put_attachment(doc, "text" * 100, "a.txt", "text/plain")
    couch_db.put_attachment(doc, bytes(range(256)), "b.bin", "application/octet-stream")
    assert couch_db.get_attachment("a", "a.txt").read() == b"text" * 100
    assert couch_db.get_attachment("a", "b.bin").read() == bytes(range(256))
    stubs = couch_db["a"]["_attachments"]
    assert {name: (stub["length"], stub["revpos"]) for name, stub in stubs.items()} == {
        "a.txt": (400, 2),
        "b.bin": (256, 3),
    }
    digest = base64.b64encode(hashlib.md5(bytes(range(256)), usedforsecurity=False).digest()).decode()
    assert stubs["b.bin"]["digest"] == f"md5-{digest}"
    couch_db.delete_attachment(doc, "a.txt")
    assert couch_db.get_attachment("a", "a.txt", "none") == "none"


def test_changes_list_each_document_once_in_the_order_of_its_last_change(couch_db: Database) -> None:
    for docid in "abc":
        couch_db[docid] = {}
    couch_db["a"] = {"_rev": couch_db["a"].rev, "n": 2}
    del couch_db["b"]
    changes = couch_db.changes()
    assert [(row["id"], row.get("deleted", False)) for row in changes["results"]] == [
        ("c", False),
        ("a", False),
        ("b", True),
    ]
    later = couch_db.changes(since=changes["results"][1]["seq"])
    assert [row["id"] for row in later["results"]] == ["b"]
    assert couch_db.changes(since=changes["last_seq"])["results"] == []


def test_purged_revisions_are_gone(couch_db: Database) -> None:
    couch_db["a"] = {"n": 1}
    doc = couch_db["a"]
    assert couch_db.purge([doc])["purged"] == {"a": [doc.rev]}
    with pytest.raises(ResourceNotFound) as caught:
        couch_db["a"]
    assert caught.value.args[0] == ("not_found", "missing")


def test_wrong_requests_are_refused_in_the_servers_words(couch: Server, couch_db: Database) -> None:
    with pytest.raises(PreconditionFailed) as exists:
        couch.create(couch_db.name)
    assert exists.value.args[0] == ("file_exists", "The database could not be created, the file already exists.")
    with pytest.raises(ServerError) as underscore:
        couch_db.save({"_id": "a", "_member": 1})
    assert underscore.value.args[0] == (400, ("doc_validation", "Bad special document member: _member"))
    with pytest.raises(ServerError) as revision:
        couch_db.save({"_id": "a", "_rev": "nonsense"})
    assert revision.value.args[0] == (400, ("bad_request", "Invalid rev format"))


def test_any_other_program_sees_the_same_database(couch_db: Database, couch_url: str) -> None:
    url = f"{couch_url.rstrip('/')}/{couch_db.name}"
    assert requests.put(f"{url}/a", json={"n": 1}, timeout=30).status_code == 201
    assert couch_db["a"]["n"] == 1
    answer = requests.get(f"{url}/a", timeout=30)
    assert answer.headers["ETag"] == f'"{couch_db["a"].rev}"'
    assert requests.get(f"{url}/a", headers={"If-None-Match": answer.headers["ETag"]}, timeout=30).status_code == 304
    assert requests.put(f"{url}/b", data="{no json", timeout=30).json()["error"] == "bad_request"
