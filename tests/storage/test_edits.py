"""Documents that are refused for their form, and what is taken out of those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from couchfake.errors import CouchError
from couchfake.storage.edits import check_docid
from couchfake.storage.revision_ids import format_rev

from .conftest import Store


def refusal(store: Store, document: Any) -> tuple[int, str, Any]:
    with pytest.raises(CouchError) as caught:
        store.edit(document)
    return caught.value.status, caught.value.error, caught.value.reason


@pytest.mark.parametrize("document", [[], "text", 1, None, True])
def test_a_document_is_an_object(document: Any, store: Store) -> None:
    assert refusal(store, document) == (400, "bad_request", "Document must be a JSON object")


@pytest.mark.parametrize(
    ("docid", "reason"),
    [
        ("", "Document id must not be empty"),
        (7, "Document id must be a string"),
        (None, "Document id must be a string"),
        ({}, "Document id must be a string"),
        ("_x", "Only reserved document ids may start with underscore."),
        ("_design", "Only reserved document ids may start with underscore."),
        ("_Local/x", "Only reserved document ids may start with underscore."),
        ("_design/", "Illegal document id `_design/`"),
        ("_local/", "Illegal document id `_local/`"),
        ("\udcff", "Document id must be valid UTF-8"),
        ("\udced\udca0", "Document id must be valid UTF-8"),
    ],
)
def test_ids_that_no_document_can_have(docid: Any, reason: str, store: Store) -> None:
    assert refusal(store, {"_id": docid}) == (400, "illegal_docid", reason)


@pytest.mark.parametrize("docid", ["a", " ", "a/b", "_design/x", "_local/x", "-_", "é", "a" * 10_000, "\x00"])
def test_ids_that_documents_can_have(docid: str, store: Store) -> None:
    assert store.edit({"_id": docid}).id == docid


def test_the_longest_id_is_counted_in_bytes() -> None:
    check_docid("é" * 5, 10)
    check_docid("é" * 500)
    with pytest.raises(CouchError, match="too long"):
        check_docid("é" * 6, 10)


@pytest.mark.parametrize("rev", ["", "1", "-1", "x-abc", "1-" + "z" * 32, 1, None, ["1-a"], "-", "1.5-a"])
def test_an_invalid_revision_is_refused(rev: Any, store: Store) -> None:
    assert refusal(store, {"_rev": rev}) == (400, "bad_request", "Invalid rev format")


@pytest.mark.parametrize("name", ["_", "_x", "_deleted", "_attachments", "_revisions", "_Id", "_revs"])
def test_members_with_an_underscore_must_be_known_and_of_their_kind(name: str, store: Store) -> None:
    found = refusal(store, {name: "text"})
    assert found == (400, "doc_validation", f"Bad special document member: {name}")


@pytest.mark.parametrize("name", ["_revs_info", "_local_seq", "_conflicts", "_deleted_conflicts"])
def test_what_the_server_adds_to_documents_may_be_sent_back_and_is_not_kept(name: str, store: Store) -> None:
    assert store.edit({name: ["anything"], "x": 1}).body == {"x": 1}


def test_what_a_replicator_notes_is_kept(store: Store) -> None:
    noted = {"_replication_state": "completed", "_replication_id": "x", "_replication_stats": {}}
    assert store.edit(noted).body == noted


@pytest.mark.parametrize(
    ("revisions", "reason"),
    [
        ({"start": "1", "ids": []}, "_revisions.start isn't an integer."),
        ({"start": True, "ids": []}, "_revisions.start isn't an integer."),
        ({"ids": ["a"]}, "_revisions.start isn't an integer."),
        ({"start": 1}, "_revisions.ids isn't a array."),
        ({"start": 1, "ids": "a"}, "_revisions.ids isn't a array."),
        ({"start": 1, "ids": [1]}, "RevId isn't a string"),
        ({"start": 1, "ids": ["z" * 32]}, "RevId isn't a valid hexadecimal"),
    ],
)
def test_a_history_must_be_one(revisions: dict[str, Any], reason: str, store: Store) -> None:
    assert refusal(store, {"_revisions": revisions}) == (400, "doc_validation", reason)


@pytest.mark.parametrize("order", [("_rev", "_revisions"), ("_revisions", "_rev")])
def test_the_history_counts_more_than_the_revision(order: tuple[str, str], store: Store) -> None:
    both = {"_rev": "9-x", "_revisions": {"start": 2, "ids": ["b", "a"]}}
    edit = store.edit({name: both[name] for name in order})
    assert edit.rev is not None
    assert format_rev(edit.rev) == "2-b"
    assert edit.ids == [b"b", b"a"]


def test_only_true_deletes(store: Store) -> None:
    assert store.edit({"_deleted": True}).deleted is True
    assert store.edit({"_deleted": False}).deleted is False


def test_the_body_keeps_the_order_of_its_members(store: Store) -> None:
    edit = store.edit({"z": 1, "_id": "a", "a": 2, "_rev": "1-x", "m": {"_x": 3}})
    assert edit.encoded() == b'{"z":1,"a":2,"m":{"_x":3}}'


def test_the_size_of_a_document_is_limited(store: Store) -> None:
    store.config.set("couchdb", "max_document_size", "10")
    assert store.edit({"_id": "a", "x": "12"}).body == {"x": "12"}
    assert refusal(store, {"_id": "a", "x": "1234"}) == (413, "document_too_large", "a")
