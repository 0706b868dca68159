"""What becomes of requests that are redirected."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests

from couchdb_client import Database, Server, ServerError
from couchdb_client.http import RedirectLimit


def redirect(wire: Any, status: int, location: str) -> None:
    wire.says(b"", status, [("Location", location)])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_put_is_put_where_it_was_sent_on(wire: Any, db: Database, status: int) -> None:
    redirect(wire, status, "http://couch.example/moved/john")
    wire.says(b'{"id":"john","rev":"1-a"}', 201)
    assert db.save({"_id": "john", "n": 1}) == ("john", "1-a")
    assert wire.lines == ["PUT /people/john", "PUT /moved/john"]
    assert wire.json(0) == wire.json(1) == {"_id": "john", "n": 1}


def test_a_redirected_file_is_sent_again_from_its_start(wire: Any, db: Database) -> None:
    redirect(wire, 307, "/moved/john/x.txt")
    wire.says(b'{"id":"john","rev":"2-b"}', 201)
    db.put_attachment({"_id": "john", "_rev": "1-a"}, io.BytesIO(b"content"), "x.txt")
    assert wire.bodies == [b"content", b"content"]


def test_a_redirected_stream_says_that_it_cannot_be_sent_again(wire: Any, db: Database) -> None:
    class Pipe:
        def read(self, size: int) -> bytes:
            return b""

    redirect(wire, 307, "/moved/john/x.txt")
    with pytest.raises(ServerError, match=r"PUT was redirected to .*, but its body cannot be read again"):
        db.put_attachment({"_id": "john", "_rev": "1-a"}, Pipe(), "x.txt")


@pytest.mark.parametrize("status", [301, 302])
def test_a_redirected_post_says_what_happened(wire: Any, db: Database, status: int) -> None:
    redirect(wire, status, "/moved")
    with pytest.raises(ServerError) as caught:
        db.save({"n": 1})
    assert (caught.value.status, caught.value.error) == (status, "redirected")
    assert "POST was redirected to http://couch.example/moved" in str(caught.value)
    assert wire.lines == ["POST /people"]


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_is_repeated_where_the_server_says_that_it_may(wire: Any, db: Database, status: int) -> None:
    redirect(wire, status, "/moved")
    wire.says(b'{"id":"a","rev":"1-a"}', 201)
    assert db.save({"n": 1}) == ("a", "1-a")
    assert wire.lines == ["POST /people", "POST /moved"]


def test_credentials_go_to_the_same_server_only(wire: Any, transport: requests.Session) -> None:
    transport.headers["Authorization"] = "Bearer mine"
    server = Server("http://joe:secret@couch.example/", session=transport)
    redirect(wire, 302, "/there")
    redirect(wire, 302, "http://other.example/")
    wire.says(b'{"version":"1"}')
    assert server.version() == "1"
    first, second, third = wire.requests
    assert first.headers["Authorization"] == second.headers["Authorization"] != "Bearer mine"
    assert "Authorization" not in third.headers


def test_a_redirect_to_the_same_host_by_https_keeps_the_credentials(wire: Any, transport: requests.Session) -> None:
    server = Server("http://joe:secret@couch.example/", session=transport)
    redirect(wire, 301, "https://couch.example/")
    wire.says(b'{"version":"1"}')
    server.version()
    assert [request.url for request in wire.requests] == ["http://couch.example/", "https://couch.example/"]
    assert wire.requests[1].headers["Authorization"] == wire.requests[0].headers["Authorization"]


def test_redirects_without_end_are_an_error(wire: Any, db: Database) -> None:
    for _ in range(6):
        redirect(wire, 307, "/round")
    with pytest.raises(RedirectLimit):
        db.save({"_id": "a"})
    assert len(wire.lines) == 6
