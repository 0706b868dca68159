"""Which requests are sent again after which failures."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest
import requests

from couchdb_client import Database, Server, Session
from couchdb_client.http import ConnectionFailed, ConnectionRefused


def breaks_off(connection: Any) -> None:
    """A script: take a request and close without an answer."""
    connection.request()


def answers(body: bytes, status: str = "200 OK") -> Any:
    def play(connection: Any) -> None:
        connection.request()
        connection.answer(body, status)
        connection.is_left()

    return play


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda db: db.find({"selector": {}}), b'{"docs":[]}'),
        (lambda db: db.explain({"selector": {}}), b"{}"),
        (lambda db: db.view("_all_docs", keys=["a"]).rows, b'{"rows":[]}'),
        (lambda db: db.view("app/by_name", keys=["a"], include_docs=True).rows, b'{"rows":[]}'),
        (lambda db: db.list("app/csv", "by_name", keys=["a"]), b"[]"),
        (lambda db: db.changes(doc_ids=["a"]), b'{"results":[]}'),
        (lambda db: db.bulk_get(["a"]), b'{"results":[{"id":"a","docs":[{"ok":{"_id":"a"}}]}]}'),
        (lambda db: db.resource.post_json("_revs_diff", body={}), b"{}"),
    ],
)
def test_a_post_that_only_reads_is_repeated(serve: Any, call: Callable[[Database], Any], answer: bytes) -> None:
    played = serve(breaks_off, answers(answer))
    call(Database(played.url + "db"))
    assert played.connections == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.save({"n": 1}),
        lambda db: db.update([{"n": 1}]),
        lambda db: db.copy("a", "b"),
        lambda db: db.purge([]),
        lambda db: db.update_doc("app/count"),
        lambda db: db.update_doc("app/count", "a"),
        lambda db: db.resource.post_json("_find_not", body={}),
    ],
)
def test_a_request_that_may_have_been_carried_out_is_not_repeated(serve: Any, call: Callable[[Database], Any]) -> None:
    played = serve(breaks_off, answers(b"{}"))
    with pytest.raises(ConnectionFailed):
        call(Database(played.url + "db"))
    assert played.connections == 1


def test_a_post_whose_connection_was_refused_is_repeated(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    played = serve(answers(b'{"id":"a","rev":"1-a"}', "201 Created"))
    refused: list[Any] = []
    connect = socket.socket.connect

    def refuse_once(self: socket.socket, address: Any) -> None:
        if not refused:
            refused.append(address)
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse_once)
    assert Database(played.url + "db").save({"n": 1}) == ("a", "1-a")
    assert (len(refused), played.connections) == (1, 1)


def test_a_refused_post_is_repeated_as_often_as_the_session_has_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def refuse(self: socket.socket, address: Any) -> None:
        attempts.append(address)
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    db = Database("http://127.0.0.1:5984/db", session=Session(retry_delays=[0, 0]))
    with pytest.raises(ConnectionRefused):
        db.save({"n": 1})
    assert len(attempts) == 3


def test_a_refused_connection_of_ones_own_session_is_tried_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def refuse(self: socket.socket, address: Any) -> None:
        attempts.append(address)
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    transport = requests.Session()
    transport.hooks["response"].append(lambda response, **_: response)
    with pytest.raises(ConnectionRefused):
        Server("http://127.0.0.1:5984/", session=transport).resource.post("_replicate", body={})
    assert len(attempts) == 2


def test_an_upload_is_not_repeated_from_where_it_stopped(serve: Any) -> None:
    received = []

    def play(connection: Any) -> None:
        received.append(connection.request()[2])
        connection.answer(b'{"id":"a","rev":"2-b"}', "201 Created")

    class Once:
        """A file without a beginning to go back to."""

        def read(self, size: int) -> bytes:
            return b""

    played = serve(breaks_off, play)
    with pytest.raises(ConnectionFailed):
        Database(played.url + "db").put_attachment({"_id": "a", "_rev": "1-a"}, Once(), "x.bin")
    assert received == []
