"""The examples of couchdb-python's reference for couchdb.client, in Python 3's spelling, against the fake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import couchdb_client as couchdb
from couchdb_client import Database, Document, ResourceConflict, Server
from couchfake import CouchFake

PEOPLE_AND_A_CITY = {
    "johndoe": {"type": "Person", "name": "John Doe"},
    "maryjane": {"type": "Person", "name": "Mary Jane"},
    "gotham": {"type": "City", "name": "Gotham City"},
}


@pytest.fixture
def server() -> Server:
    fake = CouchFake()
    return Server(fake.url, session=fake.session())


@pytest.fixture
def db(server: Server) -> Iterator[Database]:
    yield server.create("python-tests")
    del server["python-tests"]
    assert "python-tests" not in server


@pytest.fixture
def people(db: Database) -> Database:
    for docid, doc in PEOPLE_AND_A_CITY.items():
        db[docid] = dict(doc)
    return db


def test_the_modules_first_example(server: Server) -> None:
    db = server.create("python-tests")
    doc_id, _doc_rev = db.save({"type": "Person", "name": "John Doe"})
    doc = db[doc_id]
    assert doc["type"] == "Person"
    assert doc["name"] == "John Doe"
    del db[doc.id]
    assert (doc.id in db) is False
    del server["python-tests"]


def test_connecting() -> None:
    assert repr(Server()) == f"<Server {couchdb.client.DEFAULT_BASE_URL!r}>"
    assert repr(Server("http://example.com:5984/")) == "<Server 'http://example.com:5984/'>"
    secure = Server("https://username:password@example.com:5984/")
    assert repr(secure) == "<Server 'https://example.com:5984/'>"
    assert secure.resource.credentials == ("username", "password")


def test_a_server_is_a_dictionary_of_databases(server: Server) -> None:
    assert repr(server.create("python-tests")) == "<Database 'python-tests'>"
    assert server["python-tests"].name == "python-tests"
    assert "python-tests" in list(server)
    del server["python-tests"]
    assert "python-tests" not in list(server)


def test_a_database_is_a_dictionary_of_documents(db: Database) -> None:
    doc_id, doc_rev = db.save({"type": "Person", "name": "John Doe"})
    doc = db[doc_id]
    assert repr(doc) == f"<Document {doc_id!r}@{doc_rev!r} {{'type': 'Person', 'name': 'John Doe'}}>"
    assert (doc.id, doc.rev) == (doc_id, doc_rev)
    assert doc["type"] == "Person"
    assert doc["name"] == "John Doe"
    doc["name"] = "Mary Jane"
    db[doc.id] = doc
    db["JohnDoe"] = {"type": "person", "name": "John Doe"}
    assert "JohnDoe" in db
    assert len(db) == 2


def test_certificates_need_not_be_verified(db: Database) -> None:
    session: Any = db.resource.session
    session.disable_ssl_verification()
    assert session.transport.verify is False


def test_deleting_a_document_that_was_updated_since(db: Database) -> None:
    doc = {"type": "Person", "name": "John Doe"}
    db["johndoe"] = doc
    doc2 = db["johndoe"]
    doc2["age"] = 42
    db["johndoe"] = doc2
    with pytest.raises(ResourceConflict) as caught:
        db.delete(doc)
    assert caught.value.args == (("conflict", "Document update conflict."),)
    assert str(caught.value) == "DELETE /python-tests/johndoe: conflict: Document update conflict."


def test_explain(people: Database) -> None:
    mango = {"selector": {"type": "Person"}, "fields": ["name"]}
    explained = people.explain(mango)
    assert explained["dbname"] == "python-tests"
    assert explained["fields"] == ["name"]
    assert explained["selector"] == {"type": {"$eq": "Person"}}


def test_find(people: Database) -> None:
    people.index()["names", "by_name"] = [{"name": "asc"}]  # a server that has none refuses to sort by it
    mango = {"selector": {"type": "Person"}, "fields": ["name"], "sort": [{"name": "asc"}]}
    assert [row["name"] for row in people.find(mango)] == ["John Doe", "Mary Jane"]


def test_query(people: Database) -> None:
    map_fun = """function(doc) {
        if (doc.type == 'Person')
            emit(doc.name, null);
    }"""
    assert [row.key for row in people.query(map_fun)] == ["John Doe", "Mary Jane"]
    assert [row.key for row in people.query(map_fun, descending=True)] == ["Mary Jane", "John Doe"]
    assert [row.key for row in people.query(map_fun, key="John Doe")] == ["John Doe"]
    assert [docid for docid in people if docid.startswith("_design/")] == []


def test_bulk_update(db: Database) -> None:
    results = db.update(
        [
            Document(type="Person", name="John Doe"),
            Document(type="Person", name="Mary Jane"),
            Document(type="City", name="Gotham City"),
        ]
    )
    assert [success for success, _, _ in results] == [True, True, True]
    assert {docid for _, docid, _ in results} == set(db)
    assert all(db[docid].rev == rev for _, docid, rev in results)


def test_view(db: Database) -> None:
    db["gotham"] = {"type": "City", "name": "Gotham City"}
    assert [row.id for row in db.view("_all_docs")] == ["gotham"]


def test_view_results(people: Database) -> None:
    map_fun = """function(doc) {
        emit([doc.type, doc.name], doc.name);
    }"""
    results = people.query(map_fun)
    assert len(results) == 3
    persons = results[["Person"] : ["Person", "ZZZZ"]]
    assert [person.value for person in persons] == ["John Doe", "Mary Jane"]
    assert (persons.total_rows, persons.offset) == (3, 1)
    city = list(results[["City", "Gotham City"]])
    assert repr(city) == "[<Row id='gotham', key=['City', 'Gotham City'], value='Gotham City'>]"


def test_indexes(people: Database) -> None:
    all_docs = {"ddoc": None, "name": "_all_docs", "type": "special", "def": {"fields": [{"_id": "asc"}]}}
    indexes = people.index()
    assert list(indexes) == [all_docs]
    indexes["foo", "bar"] = [{"type": "asc"}]
    _, made = indexes
    assert made["ddoc"] == "_design/foo"
    assert (made["name"], made["type"], made["def"]) == ("bar", "json", {"fields": [{"type": "asc"}]})
    del indexes["foo", "bar"]
    assert list(indexes) == [all_docs]
