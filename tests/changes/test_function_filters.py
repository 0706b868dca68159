"""Filter functions and views as filters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.changes.feed import ChangesQuery, Scan
from couchfake.changes.filters import FunctionFilter, filter_function, view_filter
from couchfake.errors import CouchError, NotFound
from couchfake.storage.database import Database

from .conftest import Writer, scanned

ALL = ChangesQuery()


@pytest.fixture
def ddoc(writer: Writer) -> Writer:
    writer.put(
        "_design/d",
        filters={
            "owned": "function (doc, req) { return doc.owner === req.query.owner; }",
            "live": "function (doc) { return !doc._deleted; }",
            "conflicted": "function (doc) { return !!doc._conflicts; }",
            "old": "function (doc) { return doc._revisions.ids.length > 2; }",
            "throws": "function (doc) { return doc.a.b; }",
        },
        views={"owners": {"map": "function (doc) { if (doc.owner) { emit(doc.owner, 1); emit(2); } }"}},
    )
    writer.put("a", owner="ann")
    writer.put("b", owner="bob")
    writer.put("c")
    return writer


def function(fake: CouchFake, db: Database, name: str, **query: str) -> ChangesQuery:
    chosen = filter_function(fake.node.query_server, db, "d", name, lambda: {"query": query})
    return replace(ALL, filter=chosen)


def ids(db: Database, query: ChangesQuery) -> str:
    return "".join(docid for _, docid in scanned(db, query)[0] if docid != "_design/d")


def test_a_function_gets_document_and_request(fake: CouchFake, db: Database, ddoc: Writer) -> None:
    assert ids(db, function(fake, db, "owned", owner="ann")) == "a"
    assert ids(db, function(fake, db, "owned", owner="eve")) == ""


def test_a_function_gets_tombstones(fake: CouchFake, db: Database, ddoc: Writer) -> None:
    ddoc.delete("b")
    assert ids(db, function(fake, db, "live")) == "ac"


def test_a_winner_shows_its_conflicts_and_other_leaves_do_not(fake: CouchFake, db: Database, ddoc: Writer) -> None:
    ddoc.leaves("x", "1-a", "1-b")
    assert ids(db, function(fake, db, "conflicted")) == "x"
    assert ids(db, replace(function(fake, db, "conflicted"), style="all_docs")) == ""


def test_a_document_shows_its_history_up_to_the_limit(fake: CouchFake, db: Database, ddoc: Writer) -> None:
    for _ in range(3):
        ddoc.put("a")
    assert ids(db, function(fake, db, "old")) == "a"
    short = filter_function(fake.node.query_server, db, "d", "old", dict, revs_limit=2)
    assert ids(db, replace(ALL, filter=short)) == ""


def test_the_request_is_made_once_and_only_when_it_is_needed(fake: CouchFake, db: Database, ddoc: Writer) -> None:
    made: list[int] = []

    def req() -> Any:
        made.append(1)
        return {"query": {"owner": "bob"}}

    query = replace(ALL, filter=filter_function(fake.node.query_server, db, "d", "owned", req))
    assert made == []
    assert ids(db, query) == ids(db, query) == "b"
    assert made == [1]


def test_a_function_that_throws_ends_the_feed_with_an_error(fake: CouchFake, db: Database, ddoc: Writer) -> None:
    with pytest.raises(CouchError) as caught:
        scanned(db, function(fake, db, "throws"))
    assert (caught.value.status, caught.value.error) == (500, "error")
    assert "TypeError" in caught.value.reason


def test_functions_that_are_not_there_are_missed_at_once(fake: CouchFake, db: Database, ddoc: Writer) -> None:
    server = fake.node.query_server
    with pytest.raises(NotFound, match="missing json key: nope"):
        filter_function(server, db, "d", "nope", dict)
    with pytest.raises(NotFound, match="missing"):
        filter_function(server, db, "nope", "owned", dict)
    with pytest.raises(NotFound, match="missing json key: nope"):
        view_filter(server, db, "d", "nope")
    ddoc.delete("_design/d")
    with pytest.raises(NotFound, match="deleted"):
        view_filter(server, db, "d", "owners")


def test_a_view_lets_documents_pass_for_which_it_emits(fake: CouchFake, db: Database, ddoc: Writer) -> None:
    assert ids(db, replace(ALL, filter=view_filter(fake.node.query_server, db, "d", "owners"))) == "ab"


def test_documents_are_filtered_in_batches_in_their_order(db: Database, writer: Writer) -> None:
    batches: list[int] = []

    def ask(documents: list[Any]) -> list[bool]:
        batches.append(len(documents))
        return [document["n"] % 3 == 0 for document in documents]

    for number in range(200):
        writer.put(f"{number:03}", n=number)
    query = replace(ALL, filter=FunctionFilter(ask))
    rows, _, _ = scanned(db, query)
    assert [int(docid) for _, docid in rows] == list(range(0, 200, 3))
    assert sum(batches) == 200
    assert 2 < len(batches) < 100


def test_a_function_is_not_called_much_beyond_a_limit(db: Database, writer: Writer) -> None:
    asked: list[int] = []

    def ask(documents: list[Any]) -> list[bool]:
        asked.append(len(documents))
        return [True] * len(documents)

    for number in range(100):
        writer.put(f"{number}")
    scan = Scan(db, replace(ALL, filter=FunctionFilter(ask)), 0, 3)
    assert sum(len(rows) for rows in scan.rows()) == 3
    assert sum(asked) == 8
