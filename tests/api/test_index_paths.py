"""The paths behind ``_index``, and the methods that they take."""

from __future__ import annotations

import pytest

from .conftest import Client

METHODS = ["GET", "PUT", "POST", "DELETE", "COPY"]


@pytest.fixture
def db(party: Client) -> Client:
    party.json("PUT", "/db", status=201)
    party.json("POST", "/db/_index", {"index": {"fields": ["a"]}, "ddoc": "d", "name": "a"}, 200)
    return party


@pytest.mark.parametrize("path", ["a", "a/b", "a/b/c/d", "a/b/c/d/e"])
def test_a_path_that_names_no_index_is_not_found_whatever_the_method(db: Client, path: str) -> None:
    for method in METHODS:
        assert db.refusal(method, f"/db/_index/{path}") == "404 not_found: missing"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("_bulk_delete", "POST"),
        ("d/json/a", "DELETE"),
        ("_design/d/json/a", "DELETE"),
        ("_design%2Fd/json/a", "DELETE"),
    ],
)
def test_a_path_of_indexes_takes_one_method(db: Client, path: str, allowed: str) -> None:
    for method in METHODS:
        if method != allowed:
            answer = db(method, f"/db/_index/{path}")
            assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
