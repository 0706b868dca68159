"""The shortest way that a request takes, and what of a `requests.Session` is honoured on it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from couchdb_client import Database, ResourceNotFound, Server, Session, direct
from couchdb_client.http import ConnectionRefused, Exchange
from couchfake import CouchFake


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake() as fake:
        Server(fake.url).create("people")["john"] = {"n": 1}
        yield fake


class Echo:
    """A script that keeps the head of each request and answers with a document."""

    def __init__(self, cookies: bool = False) -> None:
        self.heads: list[dict[str, str]] = []
        self._fields = "Content-Type: application/json\r\n" + ("Set-Cookie: load=1; Path=/\r\n" if cookies else "")

    def __call__(self, connection: Any) -> None:
        while (request := connection.request())[0]:
            self.heads.append(request[1])
            connection.answer(b'{"_id":"john","_rev":"1-a"}', headers=self._fields)


def test_adapters_hooks_and_subclasses_are_honoured(fake: CouchFake) -> None:
    seen: list[str] = []

    class Adapter(HTTPAdapter):
        def send(self, request: Any, *args: Any, **settings: Any) -> Any:
            seen.append("adapter")
            return super().send(request, *args, **settings)

    class Sessions(requests.Session):
        def send(self, request: Any, **settings: Any) -> Any:
            seen.append("session")
            return super().send(request, **settings)

    mounted = requests.Session()
    mounted.mount("http://", Adapter())
    hooked = requests.Session()
    hooked.hooks["response"].append(lambda response, **_: seen.append("hook"))
    for transport in (mounted, hooked, Sessions(), requests.Session()):
        with transport:
            assert Database(fake.url + "people", session=transport)["john"]["n"] == 1
    assert seen == ["adapter", "hook", "session"]


def test_a_method_that_was_patched_is_called(fake: CouchFake, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    send = HTTPAdapter.send

    def watched(self: HTTPAdapter, request: Any, **settings: Any) -> Any:
        seen.append(request.url)
        return send(self, request, **settings)

    db = Database(fake.url + "people")
    db["john"]
    monkeypatch.setattr(HTTPAdapter, "send", watched)
    db["john"]
    assert seen == [fake.url + "people/john"]


def test_authentication_of_any_kind_is_honoured(serve: Any) -> None:
    class Token(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = "Bearer token"
            return request

    script = Echo()
    played = serve(script, script, script)
    for auth in (Token(), ("joe", "secret"), None):
        with requests.Session() as transport:
            transport.auth = auth
            Database(played.url + "db", session=transport)["john"]
    assert [head.get("authorization") for head in script.heads] == ["Bearer token", "Basic am9lOnNlY3JldA==", None]


def test_netrc_is_read_for_ones_own_session_only(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login joe password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    script = Echo()
    played = serve(script, script)
    with requests.Session() as transport:
        Database(played.url + "db", session=transport)["john"]
    Database(played.url + "db")["john"]
    assert [head.get("authorization") for head in script.heads] == ["Basic am9lOnNlY3JldA==", None]


def test_headers_of_the_session_and_of_the_request_are_one_field_each(serve: Any) -> None:
    script = Echo()
    with requests.Session() as transport:
        transport.headers = requests.structures.CaseInsensitiveDict({"accept": "text/plain", "X-Tenant": "t1"})
        db = Database(serve(script).url + "db", session=transport)
        db.get("john", headers={"x-tenant": "t2"})
    (head,) = script.heads
    assert (head["accept"], head["x-tenant"]) == ("application/json", "t2")


def test_cookies_of_an_answer_are_kept_by_ones_own_session(serve: Any) -> None:
    script = Echo(cookies=True)
    with requests.Session() as transport:
        db = Database(serve(script).url + "db", session=transport)
        db["john"]
        db["john"]
    assert [head.get("cookie") for head in script.heads] == [None, "load=1"]


def test_proxies_of_the_environment_are_used_and_exceptions_from_them_too(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Echo()
    proxy = serve(script)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert Database("http://couch.invalid/db")["john"].rev == "1-a"
    assert script.heads[0]["host"] == "couch.invalid"
    with pytest.raises(ConnectionRefused):
        Server("http://127.0.0.1:1/").version()


def test_a_session_that_was_closed_opens_connections_again(fake: CouchFake) -> None:
    with Server(fake.url) as server:
        assert server["people"]["john"]["n"] == 1
    assert server["people"]["john"]["n"] == 1
    server.close()


def test_a_context_manager_leaves_a_session_alone_that_was_given_to_it(fake: CouchFake) -> None:
    closed = []

    class Sessions(requests.Session):
        def close(self) -> None:
            closed.append(True)
            super().close()

    with Sessions() as transport:
        with Server(fake.url, session=transport):
            pass
        assert closed == []


def test_each_request_is_logged(fake: CouchFake, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="couchdb_client"):
        Database(fake.url + "people").get("john", conflicts=True)
        with pytest.raises(ResourceNotFound):
            Server(fake.url)["missing"]
    messages = [record.getMessage() for record in caplog.records if record.name == "couchdb_client"]
    assert [message.rpartition(" (")[0] for message in messages] == ["GET /people/john 200", "HEAD /missing 404"]


def test_parameters_and_bodies_are_not_logged(fake: CouchFake, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(fake.url.replace("//", "//joe:secret@"))
    with caplog.at_level(logging.DEBUG, logger="couchdb_client"):
        with pytest.raises(Exception, match="incorrect"):
            server.resource.post_json("_session", {"name": "joe", "password": "secret"}, token="secret")
        with pytest.raises(ConnectionRefused):
            Server("http://joe:secret@127.0.0.1:1/").version()
    assert len(caplog.records) >= 3
    assert "secret" not in caplog.text


def test_hooks_see_and_change_requests(fake: CouchFake) -> None:
    exchanges: list[Exchange] = []

    def trace(method: str, url: str, headers: dict[str, str | None]) -> None:
        headers["X-Couch-Request-ID"] = "0123456789"

    session = Session(before_request=[trace], after_answer=[exchanges.append], retry_delays=[0])
    assert Server(fake.url, session=session)["people"].resource.get()[1]["X-Couch-Request-ID"] == "0123456789"
    with pytest.raises(ConnectionRefused):
        Server("http://joe:secret@127.0.0.1:1/", session=session).version()
    assert [(each.method, each.status, each.attempt) for each in exchanges] == [
        ("HEAD", 200, 1), ("GET", 200, 1), ("GET", None, 1), ("GET", None, 2),
    ]  # fmt: skip
    assert exchanges[0].url == fake.url + "people"
    assert isinstance(exchanges[-1].error, ConnectionRefused)
    assert exchanges[-1].url == "http://127.0.0.1:1/"


def test_an_answer_is_read_though_the_request_could_not_be_sent_to_its_end(
    fake: CouchFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = direct._send

    def broken(*arguments: Any) -> None:
        send(*arguments)
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(direct, "_send", broken)
    assert Database(fake.url + "people")["john"]["n"] == 1


@pytest.mark.parametrize(
    ("chunked", "sent"), [(True, [b"1\r\na\r\n", b"2\r\nbc\r\n", b"0\r\n\r\n"]), (False, [b"a", b"bc"])]
)
def test_empty_pieces_do_not_end_a_body(chunked: bool, sent: list[bytes]) -> None:
    written: list[bytes] = []
    direct._send_pieces(SimpleNamespace(send=written.append), [b"a", b"", b"bc"], chunked)
    assert written == sent
