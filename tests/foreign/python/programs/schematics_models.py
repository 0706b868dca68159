"""Documents as models of schematics, by couchdb-schematics, which imports ``couchdb``. Takes the server's URL."""

from __future__ import annotations

import sys

import couchdb_client

couchdb_client.install_as_couchdb()

import couchdb  # noqa: E402 - after the name is installed
from couchdb.design import ViewDefinition  # noqa: E402
from couchdb.mapping import ViewField  # noqa: E402
from couchdb_schematics.document import Document  # noqa: E402
from schematics.exceptions import DataError, ValidationError  # noqa: E402
from schematics.types import IntType, StringType  # noqa: E402


class Person(Document):  # type: ignore[misc]  # couchdb-schematics has no types
    name = StringType(required=True)
    age = IntType()
    by_name = ViewField("people", "function (doc) { if (doc.name) { emit(doc.name, doc); } }")


def main(url: str) -> None:
    db = couchdb.Server(url).create("people")
    ViewDefinition.sync_many(db, [Person.by_name])
    for name, age in (("Joe", 42), ("Ann", 43)):
        person = Person({"_id": name.lower(), "name": name, "age": age})
        assert person.store(db).rev.startswith("1-")
    try:
        Person({"age": 1}).store(db)
    except (DataError, ValidationError):
        pass
    else:
        raise AssertionError("a person without a name was stored")
    loaded = Person.load(db, "joe")
    assert (loaded.id, loaded.name, loaded.age, loaded.doc_type) == ("joe", "Joe", 42, "Person")
    loaded.age = 44
    assert loaded.store(db).rev.startswith("2-")
    assert loaded.reload(db).age == 44
    assert Person.load(db, "missing") is None
    assert [(type(person), person.name) for person in Person.by_name(db)] == [(Person, "Ann"), (Person, "Joe")]
    loaded.delete_instance(db)
    assert "joe" not in db


if __name__ == "__main__":
    main(sys.argv[1])
