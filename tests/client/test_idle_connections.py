"""Servers and proxies that close idle connections without saying so."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from urllib3 import HTTPConnectionPool

from couchdb_client import Database, Server, direct
from couchfake import CouchFake
from tests.client.conftest import Connection


class ClosingProxy:
    """Passes each request on to a server, answers it, and closes the connection without having announced that."""

    def __init__(self, port: int) -> None:
        self.connections = 0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._pass_on, args=(Connection(sock),), daemon=True).start()

    def _pass_on(self, client: Connection) -> None:
        line, headers, body = client.request()
        if line:
            method, target, _ = line.split()
            sent = {name: value for name, value in headers.items() if name not in ("transfer-encoding",)}
            server = http.client.HTTPConnection("127.0.0.1", self._port)
            server.request(method, target, body or None, sent)
            response = server.getresponse()
            answer = response.read()
            fields = [(name, value) for name, value in response.getheaders() if name not in _FRAMING]
            head = "".join(f"{name}: {value}\r\n" for name, value in fields)
            client.answer(answer, f"{response.status} {response.reason}", head)
            server.close()
        client.close()

    def close(self) -> None:
        self._listener.close()


_FRAMING = ("Transfer-Encoding", "Content-Length", "Connection")


@pytest.fixture
def proxy() -> Iterator[ClosingProxy]:
    with CouchFake() as fake:
        proxy = ClosingProxy(int(fake.url.rstrip("/").rpartition(":")[2]))
        yield proxy
        proxy.close()


def calls(server: Server, db: Database, number: int) -> list[Callable[[], object]]:
    """Calls of all kinds, those that must not be sent twice among them."""
    return [
        server.version,
        server.uuids,
        lambda: list(server),
        lambda: len(db),
        db.info,
        lambda: db["a"],
        lambda: db.get("missing"),
        lambda: "a" in db,
        lambda: db.save({"n": number}),
        lambda: db.save({"_id": f"saved-{number}"}),
        lambda: db.__setitem__(f"set-{number}", {}),
        lambda: db.__delitem__(f"set-{number}"),
        lambda: db.update([{"n": 1}, {"n": 2}]),
        lambda: db.copy("a", f"copy-{number}"),
        lambda: db.put_attachment(db["a"], b"text", "note.txt"),
        lambda: db.get_attachment("a", "note.txt"),
        lambda: db.view("_all_docs", limit=2).rows,
        lambda: db.view("_all_docs", keys=["a"]).rows,
        db.changes,
        db.commit,
        db.compact,
    ]


def test_none_of_420_calls_fails_where_each_connection_is_closed_after_its_answer(proxy: ClosingProxy) -> None:
    with Server(proxy.url) as server:
        db = server.create("people")
        db["a"] = {"n": 0}
        made = [call() for number in range(20) for call in calls(server, db, number)]
        assert len(made) == 420
        assert len(db) == 1 + 20 * (1 + 1 + 2 + 1)  # each write was carried out once
    assert proxy.connections >= 420


def answers_and_closes(connection: Connection) -> None:
    connection.request()
    connection.answer()


def answers(count: int) -> Callable[[Connection], None]:
    """A script: answer that many requests, then wait for the client to close the connection."""

    def play(connection: Connection) -> None:
        for _ in range(count):
            connection.request()
            connection.answer(b'{"id":"a","rev":"1-a"}')
        connection.is_left()

    return play


class Clock(SimpleNamespace):
    """In place of the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(direct, "time", clock)
    return clock


def read(db: Database) -> None:
    db.resource.get_json()


def test_a_write_gets_a_new_connection_from_half_the_time_on_after_which_the_server_closes(
    serve: Any, clock: Clock
) -> None:
    played = serve(answers_and_closes, answers(3), answers(1))
    db = Database(played.url + "db")
    read(db)
    clock.now += 60
    read(db)
    assert played.connections == 2
    clock.now += 29
    db.save({"n": 1})
    assert played.connections == 2
    clock.now += 31
    read(db)  # it can be repeated, so it takes what there is
    assert played.connections == 2
    clock.now += 31
    db.save({"n": 1})
    assert played.connections == 3


def test_a_connection_that_survives_longer_than_another_is_used_again(serve: Any, clock: Clock) -> None:
    played = serve(answers_and_closes, answers(3))
    db = Database(played.url + "db")
    read(db)
    clock.now += 10
    read(db)
    clock.now += 40  # the first was closed for another reason
    read(db)
    clock.now += 15
    db.save({"n": 1})
    assert played.connections == 2


def test_a_connection_that_the_server_said_it_would_close_teaches_nothing(serve: Any, clock: Clock) -> None:
    def says_so(connection: Connection) -> None:
        connection.request()
        connection.answer(headers="Content-Type: application/json\r\nConnection: close\r\n")

    played = serve(says_so, answers(2))
    db = Database(played.url + "db")
    read(db)
    read(db)
    db.save({"n": 1})
    assert played.connections == 2


def test_where_urllib3_is_replaced_its_own_way_is_taken(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    urlopen = HTTPConnectionPool.urlopen

    def watched(self: HTTPConnectionPool, method: str, url: str, *args: Any, **options: Any) -> Any:
        seen.append(f"{method} {url}")
        return urlopen(self, method, url, *args, **options)

    db = Database(serve(answers(2)).url + "db")
    read(db)
    monkeypatch.setattr(HTTPConnectionPool, "urlopen", watched)
    read(db)
    assert seen == ["GET /db"]


def test_urllib3_logs_requests_as_ever(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    db = Database(serve(answers(1)).url + "db")
    with caplog.at_level(logging.DEBUG, logger="urllib3.connectionpool"):
        read(db)
    assert any('"GET /db HTTP/1.1" 200' in record.getMessage() for record in caplog.records)


def test_a_session_whose_headers_ask_for_no_user_agent_sends_none(serve: Any) -> None:
    heads: list[dict[str, str]] = []

    def play(connection: Connection) -> None:
        heads.append(connection.request()[1])
        connection.answer()

    with requests.Session() as transport:
        transport.headers["User-Agent"] = None  # type: ignore[assignment]  # how requests removes a header
        read(Database(serve(play).url + "db", session=transport))
    assert "couchdb_client" not in heads[0].get("user-agent", "")
