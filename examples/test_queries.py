"""Views in JavaScript and Mango queries, as the real server runs them."""

import pytest


@pytest.fixture
def people(couch_db):
    couch_db.update(
        [
            {"_id": "ada", "type": "person", "name": "Ada", "born": 1815, "city": "London"},
            {"_id": "alan", "type": "person", "name": "Alan", "born": 1912, "city": "London"},
            {"_id": "grace", "type": "person", "name": "Grace", "born": 1906, "city": "New York"},
        ]
    )
    return couch_db


def test_a_view_counts_people_by_city(people):
    people["_design/people"] = {
        "views": {
            "by_city": {
                "map": "function (doc) { if (doc.type === 'person') emit(doc.city, 1); }",
                "reduce": "_count",
            }
        }
    }
    rows = people.view("people/by_city", group=True)
    assert {row.key: row.value for row in rows} == {"London": 2, "New York": 1}
    londoners = people.view("people/by_city", key="London", reduce=False, include_docs=True)
    assert [row.doc["name"] for row in londoners] == ["Ada", "Alan"]


def test_a_mango_query_finds_people_by_year(people):
    found = people.find({"selector": {"born": {"$gt": 1900}}, "fields": ["name"]})
    assert sorted(doc["name"] for doc in found) == ["Alan", "Grace"]
