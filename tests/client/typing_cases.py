"""What type checkers know of the client: checked by mypy, never run.

A call below "wrong" has a comment that mypy rejects if it finds nothing to ignore there.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, MutableMapping
from dataclasses import dataclass
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from typing_extensions import assert_type

from couchdb_client import Database, Document, Row, Server, Session, ViewResults
from couchdb_client.errors import HTTPError
from couchdb_client.mango import FindResults
from couchdb_client.options import Change, ChangesResult
from couchdb_client.paging import Page
from couchdb_client.typed import TypedDatabase, TypedRow


class PersonDocument(TypedDict, total=False):
    _id: str
    _rev: str
    name: str


@dataclass
class Person:
    id: str
    name: str


def documents(db: Database, mapping: MutableMapping[str, Any], person: PersonDocument) -> None:
    assert_type(db["a"], Document)
    assert_type(db.get("a"), Document | None)
    assert_type(db.get("a", 5), Document | int)
    assert_type(db.get("a", rev="1-a", conflicts=True), Document | None)
    assert_type(db.bulk_get(["a", ("b", "1-a")]), list[Document | None])
    assert_type(db.save({"a": 1}), tuple[str, str | None])
    assert_type(db.save(mapping, batch="ok"), tuple[str, str | None])
    assert_type(db.save(person), tuple[str, str | None])
    db["a"] = person
    db["b"] = mapping
    assert_type(db.update([person, mapping, {"a": 1}]), list[tuple[bool, str, str | HTTPError | None]])
    assert_type(db.update_with("a", lambda doc: doc.update(n=1), default={}), Document)
    assert_type(db.resolve("a", lambda leaves, ancestor: leaves[0]), Document)
    assert_type(db.conflicts("a"), list[Document])


def views(db: Database) -> None:
    assert_type(db.view("a/b"), ViewResults[Row[Any, Any]])
    assert_type(db.view("a/b", lambda row: str(row)), ViewResults[str])
    assert_type(db.view("a/b", key=["a", {}], limit=5, include_docs=True).rows, list[Row[Any, Any]])
    assert_type(db.view("a/b")["a":"b"].total_rows, int | None)
    assert_type(db.iterview("a/b", 100, lambda row: 5), Iterator[int])
    assert_type(db.query("function (doc) {}", wrapper=lambda row: 5), ViewResults[int])
    assert_type(next(db.pages("a/b", 20)), Page[Row[Any, Any]])
    typed: ViewResults[Row[str, int]] = db.view("a/b")
    for row in typed:
        assert_type(row, Row[str, int])
        assert_type(row.key, str)
        assert_type(row.value, int)
        assert_type(row.doc, Document | Any)
    assert_type(db.partition("p").all_docs().rows[0].key, str)


def queries(db: Database) -> None:
    assert_type(db.find({"selector": {}}), FindResults[Document])
    assert_type(db.find({"selector": {}}, lambda doc: str(doc)), FindResults[str])
    assert_type(next(db.find({"selector": {}})), Document)
    assert_type(db.iterfind({"selector": {}}), Iterator[Document])


def changes(db: Database) -> None:
    assert_type(db.changes(), ChangesResult)
    assert_type(db.changes(since=0, include_docs=True), ChangesResult)
    assert_type(db.changes(feed="continuous", heartbeat=1000), Generator[Change, None, None])
    assert_type(next(db.follow(since="now", checkpoint="mine")), Change)
    assert_type(db.changes(filter="app/mine", owner="me"), ChangesResult)
    assert_type(db.changes(filter="app/mine", owner="me", feed="continuous"), Generator[Change, None, None])
    assert_type(db.changes()["results"][0]["id"], str)


def attachments(db: Database) -> None:
    assert_type(db.get_attachment("a", "b.txt"), BufferedIOBase | Any)
    assert_type(db.get_attachment({"_id": "a"}, "b.txt", 5), BufferedIOBase | int)


def typed_documents(db: Database) -> None:
    persons = db.typed(Person)
    assert_type(persons, TypedDatabase[Person])
    assert_type(persons["a"], Person)
    assert_type(persons.get("a"), Person | None)
    assert_type(persons.find({"selector": {}}), FindResults[Person])
    assert_type(persons.view("a/b").rows, list[TypedRow[Person]])
    assert_type(persons.view("a/b").rows[0].object, Person | None)


def server_calls(server: Server) -> None:
    with server as same:
        assert_type(same, Server)
    assert_type(server.create("a", partitioned=True, q=2), Database)
    assert_type(server.session_login("a", "b"), Server)


def wrong(db: Database, server: Server) -> None:
    db.view("a/b", startky="a")  # type: ignore[call-overload]
    db.view("a/b", limit="5")  # type: ignore[call-overload]
    db.view("a/b", descending="yes")  # type: ignore[call-overload]
    db.view("a/b", keys="abc")  # type: ignore[call-overload]
    db.view("a/b", stale="maybe")  # type: ignore[call-overload]
    db.view(("a", "b"))  # type: ignore[call-overload]
    db.iterview("a/b", "100")  # type: ignore[call-overload]
    db.get("a", rev=1)  # type: ignore[call-overload]
    db.get("a", conflict=True)  # type: ignore[call-overload]
    db.save("text")  # type: ignore[arg-type]
    db.save({}, batch=True)  # type: ignore[arg-type]
    db.save({}, bach="ok")  # type: ignore[call-arg]
    db["a"] = 5  # type: ignore[assignment]
    db.delete("a")  # type: ignore[arg-type]
    db.copy("a", 5)  # type: ignore[arg-type]
    db.update("documents")  # type: ignore[arg-type]
    db.update([], new_edit=False)  # type: ignore[call-arg]
    db.changes(feed="continous")  # type: ignore[call-overload]
    db.changes(includedocs=True)  # type: ignore[call-overload]
    db.changes(heartbeat="often")  # type: ignore[call-overload]
    db.find("selector")  # type: ignore[call-overload]
    db.find({}, wrapper=5)  # type: ignore[call-overload]
    db.put_attachment({"_id": "a", "_rev": "1-a"}, 5, "b.txt")  # type: ignore[arg-type]
    db.get_attachment(5, "b.txt")  # type: ignore[call-overload]
    db.view("a/b").rows[0].vlaue  # type: ignore[attr-defined]  # noqa: B018
    db.get("a").id  # type: ignore[union-attr]  # noqa: B018
    server.create("a", partitioned="yes")  # type: ignore[arg-type]
    server.replicate(5, "b")  # type: ignore[arg-type]
    server.add_user("a", "b", roles="staff")  # type: ignore[arg-type]
    server["a"].security = "open"  # type: ignore[assignment]
    Session(timeout="5")  # type: ignore[arg-type]
    Session(retry_delays=["1"])  # type: ignore[list-item]
