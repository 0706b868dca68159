"""Several revisions of a document at once."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def db(party: Any) -> Any:
    party("PUT", "/db")
    for revisions in ({"start": 2, "ids": ["b", "a"]}, {"start": 3, "ids": ["d", "c", "a"]}):
        document = {"_id": "p", "_revisions": revisions}
        party("POST", "/db/_bulk_docs", json={"docs": [document], "new_edits": False})
    return party


@pytest.mark.parametrize(
    ("requested", "answered"),
    [
        ('["9-x","2-b","1-x"]', ["2-b", "missing 1-x", "missing 9-x"]),
        ('["3-d","2-b"]', ["2-b", "3-d"]),
        ('["2-b","2-b","9-x","9-x"]', ["2-b", "missing 9-x"]),
        ('["1-a"]', ["missing 1-a"]),
        ('["1-a"]&latest=true', ["2-b", "3-d"]),
        ('["2-c","1-a"]&latest=true', ["2-b", "3-d"]),
        ("all", ["2-b", "3-d"]),
    ],
)
def test_revisions_come_once_each_in_order_and_missing_ones_last(db: Any, requested: str, answered: list[str]) -> None:
    results = db.json("GET", f"/db/p?open_revs={requested}", headers={"Accept": "application/json"})
    assert [each["ok"]["_rev"] if "ok" in each else "missing " + each["missing"] for each in results] == answered


def test_a_local_document_has_no_revisions_to_open(db: Any) -> None:
    db("PUT", "/db/_local/x", json={})
    json = {"Accept": "application/json"}
    assert db.json("GET", '/db/_local/x?open_revs=["0-1"]', headers=json) == [{"missing": "0-1"}]
    assert db("GET", "/db/_local/x?open_revs=all", headers=json).status_code == 404


@pytest.mark.parametrize("operation", ["_revs_diff", "_missing_revs", "_purge"])
def test_a_list_is_not_a_revision(db: Any, operation: str) -> None:
    assert db.refusal("POST", f"/db/{operation}", {"p": [["1-a"]]}) == "400 bad_request: Invalid rev format"
