"""What the gates say."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.control.gates import Gates

URL = "http://couchfake.invalid/shop"


@pytest.fixture
def shop() -> Any:
    with CouchFake() as fake, fake.session() as session:
        session.put(URL).raise_for_status()
        session.put(f"{URL}/tea", json={"subject": "Printer", "tags": ["new"]}).raise_for_status()
        yield fake, session


def unindexed(fake: CouchFake, session: requests.Session, selector: dict[str, Any]) -> list[str]:
    gates = Gates(fake, ["unindexed_query"])
    session.post(f"{URL}/_find", json={"selector": selector}).raise_for_status()
    return gates.problems()


@pytest.mark.parametrize(
    "condition",
    [{"$regex": "Printer"}, {"$ne": 3}, {"$exists": True}, {"$elemMatch": {"$eq": "new"}}, {"$in": ["Printer"]}],
)
def test_a_field_that_is_required_but_not_compared_has_the_index_that_explain_would_choose(
    shop: tuple[CouchFake, requests.Session], condition: dict[str, Any]
) -> None:
    fake, session = shop
    (problem,) = unindexed(fake, session, {"subject": condition})
    request = 'POST /shop/_index {"index": {"fields": ["subject"]}}'
    assert problem.endswith(f". An index for it, of which it reads every row: {request}")
    session.post(f"{URL}/_index", json={"index": {"fields": ["subject"]}}).raise_for_status()
    explained = session.post(f"{URL}/_explain", json={"selector": {"subject": condition}}).json()
    assert explained["index"]["type"] == "json"
    assert unindexed(fake, session, {"subject": condition}) == []


@pytest.mark.parametrize("selector", [{}, {"a": {"$exists": False}}, {"$or": [{"a": 1}, {"b": 1}]}])
def test_a_selector_that_requires_no_field_has_no_index(
    shop: tuple[CouchFake, requests.Session], selector: dict[str, Any]
) -> None:
    (problem,) = unindexed(*shop, selector)
    assert problem.endswith(". No index helps: its selector names no field, apart from _id, that a document must have.")


def test_an_or_whose_branches_all_have_a_field_has_an_index(shop: tuple[CouchFake, requests.Session]) -> None:
    (problem,) = unindexed(*shop, {"$or": [{"a": 1, "b": 1}, {"b": 2}]})
    assert problem.endswith('{"index": {"fields": ["b"]}}')


@pytest.mark.parametrize("selector", [{"_id": "tea"}, {"_id": {"$gte": "t", "$lt": "u"}, "subject": {"$ne": 1}}])
def test_a_range_of_ids_needs_no_index(shop: tuple[CouchFake, requests.Session], selector: dict[str, Any]) -> None:
    assert unindexed(*shop, selector) == []


def test_all_ids_are_not_a_range_of_ids(shop: tuple[CouchFake, requests.Session]) -> None:
    (problem,) = unindexed(*shop, {"_id": {"$gt": None}})
    assert "No index helps" in problem


def test_a_large_index_has_a_remedy(shop: tuple[CouchFake, requests.Session]) -> None:
    fake, session = shop
    session.post(f"{URL}/_index", json={"index": {"fields": ["subject"]}}).raise_for_status()
    gates = Gates(fake, ["max_indexed=0"])
    session.post(f"{URL}/_find", json={"selector": {"subject": "Printer"}}).raise_for_status()
    (problem,) = gates.problems()
    assert problem.endswith("by POST /shop/_find. Query a smaller database, or allow it with max_indexed=1")
