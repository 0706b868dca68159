"""``w`` and ``r``: there is one copy of each document."""

from __future__ import annotations

from typing import Any

import pytest

CONFLICT = {"id": "a", "error": "conflict", "reason": "Document update conflict."}


@pytest.fixture
def db(party: Any) -> Any:
    party("PUT", "/db")
    party("PUT", "/db/a", json={})
    return party


def test_a_write_that_asks_for_more_copies_is_accepted(db: Any) -> None:
    assert db("PUT", "/db/b?w=2", json={}).status_code == 202
    assert db("POST", "/db?w=2", json={}).status_code == 202
    assert db("PUT", "/db/c/x?w=2", data="x").status_code == 202


def test_a_replicated_write_misses_no_copy(db: Any) -> None:
    assert db("PUT", "/db/b?new_edits=false&w=2", json={"_rev": "1-abc"}).status_code == 201
    docs = {"docs": [{"_id": "b", "_rev": "1-def"}], "new_edits": False, "w": 2}
    assert db("POST", "/db/_bulk_docs", json=docs).status_code == 201


def test_bulk_writes_are_accepted_where_one_of_them_was_done(db: Any) -> None:
    answer = db("POST", "/db/_bulk_docs?w=2", json={"docs": [{"_id": "a"}, {"_id": "b"}]})
    assert answer.status_code == 202
    assert answer.json()[0] == CONFLICT
    assert answer.json()[1]["accepted"] is True


@pytest.mark.parametrize(("docs", "results"), [([], []), ([{"_id": "a"}], [CONFLICT])])
def test_bulk_writes_that_do_nothing_are_not_accepted(db: Any, docs: Any, results: Any) -> None:
    answer = db("POST", "/db/_bulk_docs?w=2", json={"docs": docs})
    assert (answer.status_code, answer.json()) == (201, results)


@pytest.mark.parametrize("w", ["", "x", "1.5"])
def test_a_write_quorum_that_is_not_a_number_breaks_the_request_after_the_write(db: Any, w: str) -> None:
    assert db.refusal("PUT", f"/db/b?w={w}", {}) == "500 unknown_error: badarg"
    assert db.refusal("PUT", f"/db/a?w={w}", {}) == "500 unknown_error: badarg"  # though it conflicts
    assert db.refusal("POST", f"/db/_bulk_docs?w={w}", {"docs": [{"_id": "c"}]}) == "500 unknown_error: badarg"
    assert db("POST", f"/db/_bulk_docs?w={w}", json={"docs": []}).status_code == 201
    assert db.json("GET", "/db")["doc_count"] == 3
    assert db.refusal("POST", f"/db/_purge?w={w}", {"b": ["1-967a00dff5e02add41819138abb3284d"]}).startswith("500")
    assert db("GET", "/db/b").status_code == 404


def test_a_purge_that_asks_for_more_copies_is_accepted(db: Any) -> None:
    assert db("POST", "/db/_purge?w=2", json={"a": ["1-abc"]}).status_code == 202
    assert db("POST", "/db/_purge?w=2", json={}).status_code == 201


@pytest.mark.parametrize("path", ["/db/a", "/db/missing", "/db/a?open_revs=all", "/db/a/x", "/db/_local/x"])
def test_a_read_quorum_that_is_not_a_number_breaks_the_request(db: Any, path: str) -> None:
    joined = path + ("&" if "?" in path else "?")
    assert db.refusal("GET", joined + "r=x") == "500 unknown_error: badarg"
    assert db.refusal("GET", joined + "r=1;r=") == "500 unknown_error: badarg"
    assert db("GET", joined + "r=x&r=3").status_code == db("GET", path).status_code
