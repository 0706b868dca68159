"""What the client sends, seen where it leaves for the network."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import requests

import couchdb_client as couchdb
from couchdb_client import Database, Resource, Server, Session, client
from couchdb_client.http import extract_credentials, urljoin

STRANGE_IDS = {
    "plain": "plain",
    "a/b": "a%2Fb",
    "a b": "a%20b",
    "a+b": "a%2Bb",
    "100%": "100%25",
    "%2F": "%252F",
    "føø": "f%C3%B8%C3%B8",
    "日本": "%E6%97%A5%E6%9C%AC",
    "a?b#c": "a%3Fb%23c",
    "a:b@c;d=e&f,g": "a%3Ab%40c%3Bd%3De%26f%2Cg",
    '"quoted"\\': "%22quoted%22%5C",
    "~tilde-._": "~tilde-._",
    "..": "%2E%2E",
    ".": "%2E",
    "...": "...",
    "_design/app": "_design/app",
    "_design/a/b": "_design/a%2Fb",
    "_local/check point": "_local/check%20point",
}


@pytest.mark.parametrize(("docid", "path"), STRANGE_IDS.items())
def test_every_id_has_a_url_of_its_own(wire: Any, db: Database, docid: str, path: str) -> None:
    db.get(docid)
    assert docid in db
    assert wire.lines == [f"GET /people/{path}", f"HEAD /people/{path}"]


@pytest.mark.parametrize("name", ["a/b", "a+b", "a(b)$"])
def test_database_names_are_escaped(wire: Any, server: Server, name: str) -> None:
    assert server[name].name == name
    assert wire.requests[0].url == urljoin("http://couch.example/", name)


def test_an_empty_id_is_refused_before_it_names_the_database(wire: Any, db: Database) -> None:
    doc: dict[str, Any] = {"_id": "", "_rev": "1-a"}
    for request in (lambda: db[""], lambda: db.delete(doc), lambda: db.save(doc), lambda: db.__delitem__("")):
        with pytest.raises(ValueError, match="document ID cannot be ''"):
            request()
    with pytest.raises(ValueError, match="document ID cannot be None"):
        db.delete({"_id": None, "_rev": None})
    assert wire.lines == []


def test_an_empty_filename_is_refused_before_it_names_the_document(wire: Any, db: Database) -> None:
    with pytest.raises(ValueError, match="no filename"):
        db.delete_attachment({"_id": "a", "_rev": "1-a"}, "")
    assert wire.lines == []


@pytest.mark.parametrize("url", ["http://proxy.example/couch", "http://proxy.example/couch/"])
def test_a_server_may_be_mounted_below_a_path(wire: Any, transport: requests.Session, url: str) -> None:
    server = Server(url, session=transport)
    wire.says(b'["people"]')
    assert next(iter(server)) == "people"
    wire.says()
    wire.says(b'{"ok":true,"id":"john","rev":"1-a"}', 201)
    server["people"]["john"] = {}
    wire.says(b'{"version":"3.5.0"}')
    server.version()
    assert [request.url for request in wire.requests] == [
        "http://proxy.example/couch/_all_dbs",
        "http://proxy.example/couch/people",
        "http://proxy.example/couch/people/john",
        url,
    ]
    assert repr(server) == f"<Server {url!r}>"


def test_credentials_of_the_url_are_sent_with_each_request_and_shown_nowhere(
    wire: Any, transport: requests.Session
) -> None:
    server = Server("https://j%C3%B6rg%40example.com:p%3Ass@couch.example/", session=transport)
    assert server.resource.credentials == ("jörg@example.com", "p:ss")
    db = server["people"]
    db.get("john")
    for request in wire.requests:
        assert request.headers["Authorization"] == "Basic asO2cmdAZXhhbXBsZS5jb206cDpzcw=="
        assert request.url.startswith("https://couch.example/")
    assert repr(server) == "<Server 'https://couch.example/'>"


def test_credentials_of_the_url_win_over_those_of_the_session(wire: Any, transport: requests.Session) -> None:
    transport.auth = ("session", "secret")
    Server("http://url:secret@couch.example/", session=transport).tasks()
    Server("http://couch.example/", session=transport).tasks()
    assert [request.headers["Authorization"] for request in wire.requests] == [
        "Basic dXJsOnNlY3JldA==",
        "Basic c2Vzc2lvbjpzZWNyZXQ=",
    ]


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("http://localhost:5984/_config/", ("http://localhost:5984/_config/", None)),
        ("http://joe:secret@localhost:5984/", ("http://localhost:5984/", ("joe", "secret"))),
        ("http://joe%40example.com:se%3Acret@[::1]:5984/", ("http://[::1]:5984/", ("joe@example.com", "se:cret"))),
        ("http://joe:a@b@localhost/", ("http://localhost/", ("joe", "a@b"))),
        ("http://joe@localhost/", ("http://localhost/", ("joe", ""))),
    ],
)
def test_credentials_are_taken_out_of_a_url(url: str, result: Any) -> None:
    assert extract_credentials(url) == result


def test_full_commit_travels_as_a_header_to_every_database(wire: Any, transport: requests.Session) -> None:
    Server("http://couch.example/", False, transport)["people"].get("john")
    Server("http://couch.example/", session=transport)["people"].get("john")
    assert [request.headers.get("X-Couch-Full-Commit") for request in wire.requests] == ["false", "false", None, None]


def test_the_old_names_of_arguments_and_their_order_are_accepted(transport: requests.Session) -> None:
    resource = Resource("http://couch.example/", Session(transport=transport), {"X-Header": "1"})
    assert Server(url=resource).resource is resource
    assert Database(url="http://couch.example/people", name="x", session=transport).name == "x"
    session = Session(None, 5, 3, [1, 2], {104})
    assert Server("http://couch.example/", True, session).resource.session is session
    assert (session.timeout, session.max_redirects, session.retry_delays) == (5, 3, [1, 2])


def test_a_database_is_found_by_its_name_alone(transport: requests.Session) -> None:
    assert Database("people", session=transport).resource.url == client.DEFAULT_BASE_URL.rstrip("/") + "/people"


def test_the_environment_names_the_default_server() -> None:
    script = "import couchdb_client; print(couchdb_client.Server(), couchdb_client.Database('x').resource.url)"
    environment = {"COUCHDB_URL": "http://elsewhere:5985", "PYTHONPATH": ":".join(filter(None, sys.path))}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "<Server 'http://elsewhere:5985'> http://elsewhere:5985/x\n"


def test_the_modules_of_the_old_client_are_there() -> None:
    assert couchdb.client.Server is Server
    assert couchdb.http.ResourceNotFound is couchdb.ResourceNotFound
    for name in ("Server", "Database", "Document", "ViewResults", "Row", "Indexes", "PermanentView", "TemporaryView"):
        assert hasattr(couchdb.client, name)
    for name in ("HTTPError", "PreconditionFailed", "ResourceNotFound", "ResourceConflict", "ServerError"):
        assert issubclass(getattr(couchdb.http, name), couchdb.HTTPError)
    assert issubclass(couchdb.Unauthorized, couchdb.HTTPError)
    assert issubclass(couchdb.Forbidden, couchdb.HTTPError)


def test_parameters_are_encoded_as_before() -> None:
    assert urljoin("http://e/", "a", "b/c") == "http://e/a/b%2Fc"
    assert (
        urljoin("http://e", rev="1-a", n=1, yes=True, no=False, none=None) == "http://e?rev=1-a&n=1&yes=true&no=false"
    )
    assert urljoin("http://e", x=["a", None, "b"], y="ü &") == "http://e?x=a&x=b&y=%C3%BC+%26"


def test_a_body_is_json_unless_it_is_text_bytes_or_a_file(wire: Any, server: Server) -> None:
    server.resource.post("x", body={"ü": [1, 2**70, 1.0, None]})
    server.resource.post("x", body="té")
    server.resource.post("x", body=bytearray(b"bytes"))
    server.resource.post("x")
    assert wire.bodies == ['{"ü":[1,1180591620717411303424,1.0,null]}'.encode(), "té".encode(), b"bytes", b""]
    assert [request.headers.get("Content-Type") for request in wire.requests] == ["application/json", None, None, None]
    assert wire.requests[3].headers["Content-Length"] == "0"
    assert all(request.headers["Accept"] == "application/json" for request in wire.requests)


def test_what_json_cannot_hold_is_an_error_before_anything_is_sent(wire: Any, db: Database) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        db["x"] = {"n": float("nan")}
    with pytest.raises(TypeError):
        db["x"] = {"n": object()}
    assert wire.lines == []


def test_numbers_and_the_order_of_members_survive(wire: Any, db: Database) -> None:
    wire.says(b'{"_id":"x","_rev":"1-a","z":123456789012345678901234567890,"a":1.0}')
    doc = db["x"]
    assert list(doc) == ["_id", "_rev", "z", "a"]
    assert doc["z"] == 123456789012345678901234567890
    assert repr(doc) == "<Document 'x'@'1-a' {'z': 123456789012345678901234567890, 'a': 1.0}>"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, couchdb.Unauthorized),
        (403, couchdb.Forbidden),
        (404, couchdb.ResourceNotFound),
        (409, couchdb.ResourceConflict),
        (412, couchdb.PreconditionFailed),
    ],
)
def test_errors_have_the_servers_words_as_their_argument(wire: Any, db: Database, status: int, kind: Any) -> None:
    wire.says(b'{"error":"some_error","reason":"Some reason."}', status)
    with pytest.raises(kind) as caught:
        db["x"]
    assert caught.value.args == (("some_error", "Some reason."),)
    wire.says(status=status)
    with pytest.raises(kind) as caught:
        db.resource.head("x")
    assert caught.value.args == ("",)


@pytest.mark.parametrize("status", [400, 405, 415, 500, 503])
def test_any_other_error_has_the_status_in_its_argument(wire: Any, db: Database, status: int) -> None:
    wire.says(b'{"error":"some_error","reason":"Some reason."}', status)
    with pytest.raises(couchdb.ServerError) as caught:
        db["x"]
    assert caught.value.args == ((status, ("some_error", "Some reason.")),)


def test_an_error_that_is_not_couchdbs_has_its_body_as_argument(wire: Any, db: Database) -> None:
    for body, content_type in [
        (b"<h1>no</h1>", "text/html"),
        (b"no json", "application/json"),
        (b"[]", "application/json"),
    ]:
        wire.says(body, 502, [("Content-Type", content_type)])
        with pytest.raises(couchdb.ServerError) as caught:
            db["x"]
        assert caught.value.args == ((502, body),)


def test_every_request_has_a_timeout(wire: Any, transport: requests.Session) -> None:
    server = Server("http://couch.example/", session=transport)
    server.tasks()
    server.replicate("a", "b")
    server.resource("db")
    Database("http://couch.example/db", session=transport).changes(feed="longpoll", timeout=5000)
    Database("http://couch.example/db", session=transport).changes(feed="longpoll")
    Server("http://couch.example/", session=Session(timeout=None, transport=transport)).tasks()
    assert [settings["timeout"] for settings in wire.settings] == [(10, 300), (10, None), (10, 305), (10, 360), None]


def test_verification_of_certificates_can_be_switched_off(
    wire: Any, transport: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/a/bundle.pem")
    db = Database("https://couch.example/db", session=transport)
    db.get("x")
    session = db.resource.session
    assert isinstance(session, Session)
    session.disable_ssl_verification()
    db.get("x")
    transport.verify = "/my/bundle.pem"
    db.get("x")
    assert [settings["verify"] for settings in wire.settings] == ["/a/bundle.pem", False, "/my/bundle.pem"]


def test_the_sessions_own_headers_proxies_and_certificates_are_used(wire: Any, transport: requests.Session) -> None:
    transport.headers["X-Tenant"] = "t1"
    transport.proxies = {"http": "http://proxy.example:3128"}
    transport.cert = "/my/cert.pem"
    Server("http://couch.example/", session=transport).tasks()
    assert wire.requests[0].headers["X-Tenant"] == "t1"
    assert wire.settings[0]["proxies"] == {"http": "http://proxy.example:3128"}
    assert wire.settings[0]["cert"] == "/my/cert.pem"


def test_any_object_with_the_old_sessions_request_method_is_a_session() -> None:
    class Recorder:
        def request(self, method: str, url: str, body: Any = None, headers: Any = None, credentials: Any = None) -> Any:
            self.last = (method, url, body, headers, credentials)
            return 200, {"Content-Type": "text/plain"}, None

    session = Recorder()
    db = Database("http://me:pw@couch.example/db", session=session)
    assert db.resource.session is session
    db.update_doc("app/f", "x", body="b", headers={"X-A": "1"}, q=True)
    assert session.last == (
        "PUT",
        "http://couch.example/db/_design/app/_update/f/x?q=true",
        "b",
        {"X-A": "1"},
        ("me", "pw"),
    )


def test_an_answer_in_the_cache_is_only_confirmed(wire: Any, transport: requests.Session) -> None:
    by_url: dict[str, Any] = {}
    db = Database("http://couch.example/db", session=Session(by_url, transport=transport))
    wire.says(b'{"_id":"x","_rev":"1-a"}', headers=[("ETag", '"1-a"')])
    assert db["x"].rev == "1-a"
    wire.says(b"", 304, [("ETag", '"1-a"')])
    assert db["x"].rev == "1-a"
    assert wire.requests[1].headers["If-None-Match"] == '"1-a"'
    wire.says(b'{"_id":"x","_rev":"2-b"}', headers=[("ETag", '"2-b"')])
    assert db["x"].rev == "2-b"
    assert list(by_url) == ["http://couch.example/db/x"]


def test_a_full_cache_keeps_the_newest_answers() -> None:
    cache = couchdb.http.Cache()
    for number in range(cache.max_size + 1):
        cache.put(str(number), None)  # type: ignore[arg-type]
    assert list(cache.by_url) == [str(number) for number in range(66, 76)]
    cache.remove("never there")
