"""What a first test looks like: a fresh database for each test, and the real server's answers."""

import pytest

import couchdb_client


def test_a_saved_document_is_found_again(couch_db):
    doc_id, rev = couch_db.save({"type": "person", "name": "John Doe"})
    doc = couch_db[doc_id]
    assert doc["name"] == "John Doe"
    assert doc.rev == rev
    assert rev.startswith("1-")


def test_a_renamed_person_has_a_second_revision(couch_db):
    couch_db["john"] = {"type": "person", "name": "John Doe"}
    john = couch_db["john"]
    john["name"] = "John Smith"
    couch_db["john"] = john
    assert couch_db["john"]["name"] == "John Smith"
    assert couch_db["john"].rev.startswith("2-")


def test_a_stale_revision_is_refused(couch_db):
    couch_db["john"] = {"visits": 1}
    mine, theirs = couch_db["john"], couch_db["john"]
    theirs["visits"] = 2
    couch_db.save(theirs)
    mine["visits"] = 3
    with pytest.raises(couchdb_client.ResourceConflict):
        couch_db.save(mine)
    assert couch_db["john"]["visits"] == 2


def test_an_attachment_comes_back_as_it_was_put(couch_db):
    couch_db["john"] = {"type": "person"}
    couch_db.put_attachment(couch_db["john"], b"\x89PNG...", "portrait.png", "image/png")
    assert couch_db.get_attachment("john", "portrait.png").read() == b"\x89PNG..."
    assert couch_db["john"]["_attachments"]["portrait.png"]["content_type"] == "image/png"


def test_changes_tell_what_happened_since(couch_db):
    couch_db["john"] = {"visits": 1}
    before = couch_db.info()["update_seq"]
    couch_db["mary"] = {"visits": 1}
    del couch_db["john"]
    changes = couch_db.changes(since=before)["results"]
    assert [(row["id"], row.get("deleted", False)) for row in changes] == [("mary", False), ("john", True)]
