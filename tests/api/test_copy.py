"""COPY and its Destination header."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def db(party: Any) -> Any:
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/a", {"x": 1}, 201)
    return party


@pytest.mark.parametrize(
    ("destination", "docid"), [("b", "b"), ("b%2Fc", "b/c"), ("b%zz", "b%zz"), ("b+c", "b c"), ("b%", "b%")]
)
def test_a_destination_is_an_escaped_id(db: Any, destination: str, docid: str) -> None:
    assert db.json("COPY", "/db/a", headers={"Destination": destination}, status=201)["id"] == docid


@pytest.mark.parametrize("destination", ["b?foo=1", "b?rev=1", "b?rev="])
def test_whatever_the_parameter_is_called_it_is_a_revision(db: Any, destination: str) -> None:
    assert db.refusal("COPY", "/db/a", headers={"Destination": destination}) == "400 bad_request: Invalid rev format"


def test_a_destination_with_a_revision_overwrites_it(db: Any) -> None:
    rev = db.json("PUT", "/db/b", {"y": 1}, 201)["rev"]
    assert db("COPY", "/db/a", headers={"Destination": "b"}).status_code == 409
    assert db.json("COPY", "/db/a", headers={"Destination": f"b?x={rev}"}, status=201)["rev"].startswith("2-")


def test_an_illegal_destination_comes_before_a_missing_source(db: Any) -> None:
    refusal = db.refusal("COPY", "/db/missing", headers={"Destination": "_b"})
    assert refusal.startswith("400 illegal_docid: ")
