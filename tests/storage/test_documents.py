"""Documents as JSON: which members there are, and in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from couchfake.storage import documents
from couchfake.storage.documents import DocOptions
from couchfake.storage.revision_ids import parse_rev

from .conftest import Store

EVERYTHING = DocOptions(revs=True, revs_info=True, conflicts=True, deleted_conflicts=True, local_seq=True)


def shown(store: Store, docid: str, wanted: DocOptions, limit: int = 1000) -> dict[str, Any]:
    entry = store.entry(docid)
    found: dict[str, Any] = json.loads(documents.shown_document(entry, entry.winner, wanted, limit))
    return found


@pytest.fixture
def forked(store: Store) -> Store:
    """A document ``a`` with two live branches and a dead one."""
    file = {"data": "eA==", "content_type": "image/png", "revpos": 3}
    store.replicate("a", 3, "c3", "b2", "a1", n=1, _attachments={"f": file})
    store.replicate("a", 2, "x2", "a1")
    store.replicate("a", 2, "d2", "a1", _deleted=True)
    return store


def test_a_plain_document_is_its_id_its_revision_and_its_body(store: Store) -> None:
    rev = store.put("é", z=1, a={"_b": [1.0, 10**30]})
    entry = store.entry("é")
    text = documents.shown_document(entry, entry.winner, documents.PLAIN, 1000)
    assert text == f'{{"_id":"é","_rev":"{rev}","z":1,"a":{{"_b":[1.0,{10**30}]}}}}'.encode()


def test_an_empty_document_has_two_members(store: Store) -> None:
    store.put("a")
    assert list(shown(store, "a", documents.PLAIN)) == ["_id", "_rev"]


def test_members_stand_in_the_servers_order(forked: Store) -> None:
    assert list(shown(forked, "a", EVERYTHING)) == [
        "_id",
        "_rev",
        "n",
        "_revisions",
        "_revs_info",
        "_conflicts",
        "_deleted_conflicts",
        "_local_seq",
        "_attachments",
    ]


def test_a_tombstone_says_so_behind_its_body(store: Store) -> None:
    store.put("a", store.put("a"), _deleted=True, why="x")
    assert list(shown(store, "a", EVERYTHING)) == [
        "_id",
        "_rev",
        "why",
        "_deleted",
        "_revisions",
        "_revs_info",
        "_local_seq",
    ]


def test_empty_members_are_omitted(store: Store) -> None:
    store.put("a")
    assert "_conflicts" not in shown(store, "a", DocOptions(conflicts=True, deleted_conflicts=True))


def test_live_and_deleted_branches_are_distinguished(forked: Store) -> None:
    found = shown(forked, "a", EVERYTHING)
    assert found["_conflicts"] == ["2-x2"]
    assert found["_deleted_conflicts"] == ["2-d2"]
    assert found["_local_seq"] == 3


def test_the_history_tells_what_can_still_be_read(forked: Store) -> None:
    found = shown(forked, "a", EVERYTHING)
    assert found["_revisions"] == {"start": 3, "ids": ["c3", "b2", "a1"]}
    assert [each["status"] for each in found["_revs_info"]] == ["available", "missing", "missing"]


def test_the_limit_of_revisions_shows_on_reads(forked: Store) -> None:
    found = shown(forked, "a", EVERYTHING, limit=2)
    assert found["_revisions"] == {"start": 3, "ids": ["c3", "b2"]}
    assert [each["rev"] for each in found["_revs_info"]] == ["3-c3", "2-b2", "1-a1"]


def test_the_parsed_document_is_the_text(forked: Store) -> None:
    for leaf in forked.entry("a").leaves():
        entry = forked.entry("a")
        text = documents.shown_document(entry, leaf, documents.PLAIN, 1000)
        parsed = forked.db.open_doc(entry, leaf)
        assert json.loads(text) == parsed
        assert sorted(json.loads(text)) == sorted(parsed)


def test_changing_an_opened_document_changes_nothing_that_is_kept(store: Store) -> None:
    store.put("a", x=1)
    store.db.open_doc(store.entry("a")).clear()
    assert store.db.open_doc(store.entry("a"))["x"] == 1


@pytest.mark.parametrize(
    ("since", "form"),
    [([], "data"), (["1-a1"], "data"), (["9-x"], "data"), (["3-c3"], "stub"), (["1-a1", "3-c3"], "stub")],
)
def test_attachments_come_with_their_bytes_where_the_reader_has_none_of_them(
    since: list[str], form: str, forked: Store
) -> None:
    forked.put("a", "3-c3", _attachments={"f": {"stub": True}, "g": {"data": "eQ==", "content_type": "image/png"}})
    wanted = DocOptions(attachments=True, atts_since=tuple(parse_rev(each) for each in since) or None)
    sent = shown(forked, "a", wanted)["_attachments"]
    assert {"data", "stub"} & set(sent["f"]) == {form}
    assert "data" in sent["g"]


def test_options_can_be_freed_of_what_is_not_in_the_document_itself() -> None:
    everything = DocOptions(True, True, True, True, True, True, True, True, ((1, b"a"),))
    assert everything.without_meta() == DocOptions(True, False, False, False, False, True, True, True, ((1, b"a"),))
    assert everything.any_meta
    assert not everything.without_meta().any_meta
