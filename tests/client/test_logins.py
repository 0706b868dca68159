"""Logins by cookie, and how they are renewed."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from couchdb_client import Server, ServerError, Session, Unauthorized
from couchfake import CouchFake


@pytest.fixture(params=["in process", "socket"])
def fake(request: pytest.FixtureRequest) -> Iterator[CouchFake]:
    fake = CouchFake(admins={"adm": "pass"})
    if request.param == "socket":
        fake.start()
    yield fake
    fake.stop()


def test_a_login_authenticates_the_server_and_its_databases(fake: CouchFake) -> None:
    with fake.session() as transport:
        server = Server(fake.url, session=transport)
        with pytest.raises(Unauthorized):
            server.create("people")
        assert server.session_login("adm", "pass") is server
        server.create("people")["john"] = {}
        assert server["people"]["john"].rev.startswith("1-")
        assert len(transport.cookies) == 0
        with pytest.raises(Unauthorized):
            server.session_login("adm", "wrong")


def says_login(wire: Any, token: str) -> None:
    wire.says(headers=[("Set-Cookie", f"AuthSession={token}; Version=1; Path=/; HttpOnly")])


def test_the_password_is_sent_once_and_the_cookie_each_time(wire: Any, server: Server) -> None:
    says_login(wire, "one")
    server.session_login("joe", "secret")
    assert wire.json() == {"name": "joe", "password": "secret"}
    server.tasks()
    server["db"].get("x")
    assert wire.lines[0] == "POST /_session"
    assert [request.headers.get("Cookie") for request in wire.requests] == [None, *["AuthSession=one"] * 3]
    assert all("Authorization" not in request.headers for request in wire.requests)


def test_a_cookie_that_comes_with_an_answer_replaces_the_old_one(wire: Any, server: Server) -> None:
    says_login(wire, "one")
    server.session_login("joe", "secret")
    says_login(wire, "two")
    server.tasks()
    server.tasks()
    assert wire.requests[-1].headers["Cookie"] == "AuthSession=two"


def test_an_expired_login_is_made_again_and_the_request_repeated(wire: Any, server: Server) -> None:
    says_login(wire, "one")
    server.session_login("joe", "secret")
    wire.says(b'{"error":"unauthorized","reason":"expired"}', 401)
    says_login(wire, "two")
    wire.says(b'[{"type":"indexer"}]')
    assert server.tasks() == [{"type": "indexer"}]
    assert wire.lines[1:] == ["GET /_active_tasks", "POST /_session", "GET /_active_tasks"]
    assert wire.requests[-1].headers["Cookie"] == "AuthSession=two"


def test_a_request_that_is_refused_after_a_new_login_is_refused(wire: Any, server: Server) -> None:
    says_login(wire, "one")
    server.session_login("joe", "secret")
    for _ in range(2):
        wire.says(b'{"error":"unauthorized","reason":"You are not a server admin."}', 401)
        says_login(wire, "two")
    with pytest.raises(Unauthorized, match="not a server admin"):
        server.tasks()
    assert wire.lines == ["POST /_session", "GET /_active_tasks", "POST /_session", "GET /_active_tasks"]


def test_a_login_needs_a_session_of_the_clients_own_kind() -> None:
    class Other:
        def request(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError

    with pytest.raises(TypeError):
        Server("http://couch.example/", session=Other()).session_login("joe", "secret")


def test_a_login_shows_no_password(wire: Any, transport: requests.Session) -> None:
    server = Server("http://couch.example/", session=Session(transport=transport))
    says_login(wire, "one")
    server.session_login("joe", "secret")
    assert "secret" not in repr(server.resource.credentials)


def test_a_login_without_a_cookie_is_an_error(wire: Any, server: Server) -> None:
    with pytest.raises(ServerError, match="no AuthSession cookie"):
        server.session_login("joe", "secret")


def test_a_login_goes_with_a_pickled_server(fake: CouchFake) -> None:
    if fake.url.startswith("http://127.0.0.1"):
        server = Server(fake.url).session_login("adm", "pass")
        copy = pickle.loads(pickle.dumps(server))
        copy.create("people")
        assert "people" in server
