"""Views, Mango and security, on the fake and on a real server alike."""

from __future__ import annotations

import pytest

from couchdb_client import Database, Forbidden, ServerError

PEOPLE = [("ann", "Ulm", 30), ("bob", "Bonn", 50), ("cem", "Ulm", 40), ("dee", "Köln", 20)]
MAP = "function (doc) { if (doc.city) { emit([doc.city, doc.age], doc.age); } }"
DDOC = {"_id": "_design/people", "views": {"by_city": {"map": MAP, "reduce": "_sum"}}}


@pytest.fixture
def people(couch_db: Database) -> Database:
    couch_db.update([{"_id": name, "city": city, "age": age} for name, city, age in PEOPLE])
    couch_db.save(dict(DDOC))
    return couch_db


def test_the_rows_of_a_view_are_in_order(people: Database) -> None:
    rows = people.view("people/by_city", reduce=False).rows
    assert [(row.id, row.key) for row in rows] == [
        ("bob", ["Bonn", 50]),
        ("dee", ["Köln", 20]),
        ("ann", ["Ulm", 30]),
        ("cem", ["Ulm", 40]),
    ]


def test_a_view_is_asked_for_ranges(people: Database) -> None:
    rows = people.view("people/by_city", reduce=False, startkey=["Ulm"], endkey=["Ulm", {}], include_docs=True).rows
    assert [row.doc["age"] for row in rows] == [30, 40]
    rows = people.view("people/by_city", reduce=False, descending=True, limit=1, skip=1).rows
    assert [row.id for row in rows] == ["ann"]


def test_a_view_is_reduced_in_groups(people: Database) -> None:
    assert [row.value for row in people.view("people/by_city")] == [140]
    groups = {row.key[0]: row.value for row in people.view("people/by_city", group_level=1)}
    assert groups == {"Bonn": 50, "Köln": 20, "Ulm": 70}


def test_a_view_follows_what_is_written(people: Database) -> None:
    people.view("people/by_city").rows  # noqa: B018  # asks the server
    del people["bob"]
    people["ann"] = dict(people["ann"], city="Bonn")
    groups = {row.key[0]: row.value for row in people.view("people/by_city", group_level=1)}
    assert groups == {"Bonn": 30, "Köln": 20, "Ulm": 40}


def test_a_selector_finds_with_and_without_an_index(people: Database) -> None:
    query = {"selector": {"age": {"$gt": 25}}, "fields": ["_id", "age"]}
    assert sorted(doc["_id"] for doc in people.find(query)) == ["ann", "bob", "cem"]
    with pytest.raises(ServerError) as caught:
        people.find({**query, "sort": ["age"]})
    assert caught.value.args[0][1][0] == "no_usable_index"
    people.index()[None, "by_age"] = ["age"]
    assert list(people.find({**query, "sort": [{"age": "desc"}]})) == [
        {"_id": "bob", "age": 50},
        {"_id": "cem", "age": 40},
        {"_id": "ann", "age": 30},
    ]
    assert people.explain(query)["index"]["name"] == "by_age"


def test_a_validation_function_refuses(people: Database) -> None:
    ddoc = people["_design/people"]
    ddoc["validate_doc_update"] = "function (doc) { if (!doc.city) { throw {forbidden: 'where?'}; } }"
    people.save(ddoc)
    with pytest.raises(Forbidden) as caught:
        people.save({"_id": "eve"})
    assert caught.value.args[0] == ("forbidden", "where?")
    assert "eve" not in people


def test_security_is_kept_as_it_was_put(couch_db: Database) -> None:
    security = {"admins": {"names": ["ann"], "roles": []}, "members": {"names": [], "roles": ["_admin"]}}
    couch_db.security = security
    assert couch_db.security == security
