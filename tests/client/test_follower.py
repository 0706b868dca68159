"""Following a database through failures of the server and restarts of the program."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from couchdb_client import Database, ResourceNotFound, Server, Session
from couchdb_client.follower import LocalCheckpoint


def line(number: int) -> bytes:
    return b'{"seq":"%d-x","id":"doc%d","changes":[]}\n' % (number, number)


def feed(*numbers: int, expected: str) -> Any:
    """A script: send these changes to a request that contains ``expected``, then break the connection."""

    def play(connection: Any) -> None:
        request = connection.request()[0]
        assert expected in request, request
        connection.begin_chunked()
        for number in numbers:
            connection.chunk(line(number))

    return play


def refuses(status: str) -> Any:
    def play(connection: Any) -> None:
        connection.request()
        connection.answer(
            b'{"error":"e","reason":"r"}', status, "Content-Type: application/json\r\nConnection: close\r\n"
        )

    return play


def test_following_goes_on_from_the_last_change_after_any_failure(serve: Any) -> None:
    played = serve(
        feed(1, 2, expected="since=0"),
        refuses("503 Service Unavailable"),
        feed(expected="since=2-x"),
        refuses("500 Internal Server Error"),
        feed(3, expected="since=2-x"),
        feed(4, 5, expected="since=3-x"),
    )
    db = Database(played.url + "db", session=Session(retry_delays=[]))
    with db.follow(delays=(0.0,), include_docs=True) as changes:
        assert [next(changes)["id"] for _ in range(5)] == ["doc1", "doc2", "doc3", "doc4", "doc5"]
        assert changes.since == "5-x"
    assert played.errors == []


def test_pauses_grow_with_each_failure_in_a_row_and_start_again_after_a_change(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = serve(*[refuses("503 Busy")] * 4, feed(1, expected="since=0"), feed(2, expected="since=1-x"))
    pauses: list[float | None] = []
    db = Database(played.url + "db", session=Session(retry_delays=[]))
    with db.follow(delays=(1.0, 2.0, 3.0)) as changes:
        monkeypatch.setattr(changes._closed, "wait", pauses.append)
        assert [next(changes)["id"], next(changes)["id"]] == ["doc1", "doc2"]
    assert pauses == [1.0, 2.0, 3.0, 3.0, 1.0]


def test_what_does_not_go_away_by_waiting_is_raised(couch: Server) -> None:
    with pytest.raises(ResourceNotFound):
        next(Database(couch.resource("missing")).follow())
    with pytest.raises(TypeError):
        next(couch.create("people").follow(doc_ids=[object()]))
    with pytest.raises(requests.exceptions.InvalidURL):
        next(Database("http:///people").follow())


def test_a_feed_that_the_server_ends_is_opened_again_at_once(serve: Any) -> None:
    def ends(connection: Any) -> None:
        connection.request()
        connection.begin_chunked()
        connection.chunk(line(1) + b'{"last_seq":"7-x","pending":0}\n')
        connection.send(b"0\r\n\r\n")
        assert "since=7-x" in connection.request()[0]
        connection.begin_chunked()
        connection.chunk(line(8))
        connection.is_left()

    played = serve(ends)
    with Database(played.url + "db").follow() as changes:
        assert [next(changes)["id"], next(changes)["id"]] == ["doc1", "doc8"]
    assert played.errors == []


def test_changes_of_a_database_come_as_they_are_made(people: Database) -> None:
    with people.follow(since="now", heartbeat=50, include_docs=True) as changes:
        writer = threading.Timer(0.1, people.save, [{"_id": "later", "n": 1}])
        writer.start()
        assert next(changes)["doc"]["n"] == 1
        writer.join()


def test_the_next_program_goes_on_where_the_last_one_was(people: Database) -> None:
    people.update([{"_id": docid} for docid in "abc"])
    with people.follow(checkpoint="indexer") as changes:
        assert [next(changes)["id"], next(changes)["id"]] == ["a", "b"]
    with people.follow(checkpoint="indexer") as changes:
        assert next(changes)["id"] == "c"
    assert people["_local/indexer"]["seq"].startswith("3-")


def test_a_change_that_was_not_handled_comes_again(people: Database) -> None:
    people.update([{"_id": docid} for docid in "abc"])
    changes = people.follow(checkpoint="indexer")
    assert [next(changes)["id"], next(changes)["id"]] == ["a", "b"]
    changes._stop()  # the program is killed while it handles b
    with people.follow(checkpoint="indexer") as again:
        assert next(again)["id"] == "b"


def test_a_checkpoint_costs_one_request(wire: Any, db: Database) -> None:
    checkpoint = LocalCheckpoint(db.resource, "indexer")
    wire.says(b'{"error":"not_found","reason":"missing"}', 404)
    assert checkpoint.load() is None
    for rev in ("0-1", "0-2"):
        wire.says(f'{{"ok":true,"id":"_local/indexer","rev":"{rev}"}}'.encode(), 201)
        checkpoint.save("5-x")
    assert wire.lines == ["GET /people/_local/indexer", *["PUT /people/_local/indexer"] * 2]
    assert wire.json() == {"_id": "_local/indexer", "seq": "5-x", "_rev": "0-1"}


def test_checkpoints_may_be_saved_less_often_and_elsewhere(people: Database) -> None:
    saved: list[Any] = []

    class Checkpoint:
        def load(self) -> Any:
            return None

        def save(self, seq: Any) -> None:
            saved.append(int(seq.partition("-")[0]))

    people.update([{"_id": f"{number}"} for number in range(7)])
    with people.follow(checkpoint=Checkpoint(), save_every=3) as changes:
        for _ in range(7):
            next(changes)
        assert saved == [3, 6]
    assert saved == [3, 6, 7]


def test_closing_ends_an_iteration_that_waits_in_another_thread(people: Database) -> None:
    people["a"] = {}
    changes = people.follow(heartbeat=20_000)
    seen: list[str] = []
    first = threading.Event()

    def read() -> None:
        for change in changes:
            seen.append(change["id"])
            first.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(20)
    changes.close()
    reader.join(20)
    assert not reader.is_alive()
    assert seen == ["a"]


def test_options_of_the_feed_are_passed_on(serve: Any) -> None:
    def play(connection: Any) -> None:
        request, _, body = connection.request()
        assert request.startswith("POST /db/_changes?")
        assert json.loads(body) == {"doc_ids": ["a"]}
        connection.begin_chunked()
        connection.chunk(line(1))
        connection.is_left()

    played = serve(play)
    with Database(played.url + "db").follow(doc_ids=["a"], heartbeat=1000) as changes:
        assert next(changes)["id"] == "doc1"
    assert played.errors == []
