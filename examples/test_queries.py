"""Views in JavaScript and Mango queries, as the real server runs them."""

PEOPLE = {
    "ada": {"type": "person", "name": "Ada", "born": 1815, "city": "London"},
    "alan": {"type": "person", "name": "Alan", "born": 1912, "city": "London"},
    "grace": {"type": "person", "name": "Grace", "born": 1906, "city": "New York"},
}


def test_a_view_counts_people_by_city(couch_db):
    for name, person in PEOPLE.items():
        couch_db[name] = person
    couch_db["_design/people"] = {
        "views": {
            "by_city": {
                "map": "function (doc) { if (doc.type === 'person') emit(doc.city, 1); }",
                "reduce": "_count",
            }
        }
    }
    rows = couch_db.view("people/by_city", group=True)
    assert {row.key: row.value for row in rows} == {"London": 2, "New York": 1}
    londoners = couch_db.view("people/by_city", key="London", reduce=False, include_docs=True)
    assert [row.doc["name"] for row in londoners] == ["Ada", "Alan"]


def test_a_mango_query_finds_people_by_year(couch_db):
    for name, person in PEOPLE.items():
        couch_db[name] = person
    found = couch_db.find({"selector": {"born": {"$gt": 1900}}, "fields": ["name"]})
    assert sorted(doc["name"] for doc in found) == ["Alan", "Grace"]
