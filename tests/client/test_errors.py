"""What the client's exceptions say, and what they can be caught as."""

from __future__ import annotations

import errno
import pickle
import socket
from typing import Any

import pytest
import requests

from couchdb_client import (
    Database,
    Forbidden,
    HTTPError,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
    Server,
    ServerError,
    Session,
)
from couchdb_client.http import ConnectionFailed, ConnectionRefused, HostNotFound, RedirectLimit, TimedOut


def test_an_error_of_the_server_says_which_request_it_belongs_to(people: Database) -> None:
    people["john"] = {}
    with pytest.raises(ResourceConflict) as caught:
        people["john"] = {"again": True}
    error = caught.value
    assert error.args == (("conflict", "Document update conflict."),)
    assert (error.status, error.error, error.reason) == (409, "conflict", "Document update conflict.")
    assert (error.method, error.url, error.docid) == ("PUT", people.resource.url + "/john", "john")
    assert str(error) == "PUT /people/john: conflict: Document update conflict."


def test_an_error_of_another_status_names_the_status(people: Database) -> None:
    with pytest.raises(ServerError) as caught:
        people.find({"selector": 5})
    error = caught.value
    assert error.args == ((400, (error.error, error.reason)),)
    assert (error.status, error.method, error.docid) == (400, "POST", None)
    assert str(error) == f"POST /people/_find: 400: {error.error}: {error.reason}"


@pytest.mark.parametrize("docid", ["a/b", "_design/app", "_local/x y"])
def test_the_id_of_the_document_is_not_that_of_the_url(people: Database, docid: str) -> None:
    with pytest.raises(ResourceNotFound) as caught:
        people[docid]
    assert caught.value.docid == docid
    with pytest.raises(HTTPError) as attachment:
        people.delete_attachment({"_id": docid, "_rev": "1-" + "0" * 32}, "x.txt")
    assert attachment.value.docid == docid


def test_the_password_is_in_no_attribute_and_no_text(wire: Any, transport: requests.Session) -> None:
    server = Server("http://joe:secret@couch.example/", session=transport)
    wire.says(b'{"error":"forbidden","reason":"no"}', 403)
    with pytest.raises(Forbidden) as caught:
        server.version()
    assert (caught.value.url, str(caught.value)) == ("http://couch.example/", "GET /: forbidden: no")
    with pytest.raises(ConnectionRefused) as refused:
        Server(f"http://joe:secret@127.0.0.1:{unused_port()}/").version()
    assert "secret" not in f"{refused.value} {refused.value.args} {vars(refused.value)}"


def test_an_answer_that_is_not_couchdbs_is_quoted(wire: Any, db: Database) -> None:
    wire.says(b"<h1>Bad Gateway</h1>", 502, [("Content-Type", "text/html")])
    with pytest.raises(ServerError) as caught:
        db["x"]
    assert (caught.value.error, caught.value.reason) == (None, "<h1>Bad Gateway</h1>")
    assert caught.value.args == ((502, b"<h1>Bad Gateway</h1>"),)
    wire.says(b"", 404)
    with pytest.raises(ResourceNotFound) as missing:
        db.resource.head("x")
    assert (missing.value.status, missing.value.reason, str(missing.value)) == (404, None, "HEAD /people/x: 404")


def test_an_error_made_by_hand_has_attributes_and_the_text_of_its_arguments() -> None:
    error = PreconditionFailed(("file_exists", "The database could not be created."))
    assert (error.status, error.error, error.method, error.url) == (412, "file_exists", None, None)
    assert str(error) == "('file_exists', 'The database could not be created.')"
    assert (ServerError((500, "text")).status, ServerError("refused").reason) == (500, "refused")


def test_a_document_that_a_bulk_update_refuses_is_named_by_its_exception(people: Database) -> None:
    people["a"] = {}
    ((_, _, refused), _) = people.update([{"_id": "a"}, {"_id": "b"}])
    assert isinstance(refused, ResourceConflict)
    assert refused.args == ("Document update conflict.",)
    assert (refused.docid, refused.method, refused.status) == ("a", "POST", 409)
    for exc in (refused, pickle.loads(pickle.dumps(refused))):
        assert (exc.error, exc.reason) == ("conflict", "Document update conflict.")
        assert str(exc).endswith("/_bulk_docs: conflict: Document update conflict.")


def test_errors_survive_pickling(people: Database) -> None:
    with pytest.raises(HTTPError) as caught:
        people["missing"]
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.args, str(copy), copy.docid) == (caught.value.args, str(caught.value), "missing")


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_refused_connection_is_the_exceptions_of_all_who_could_raise_it() -> None:
    url = f"http://127.0.0.1:{unused_port()}/"
    for kind in (ConnectionRefused, ConnectionFailed, ConnectionRefusedError, requests.ConnectionError, OSError):
        with pytest.raises(kind) as caught:
            Server(url).version()
        assert isinstance(caught.value, OSError)
        assert caught.value.errno == errno.ECONNREFUSED
        assert str(caught.value) == f"GET {url}: [Errno {errno.ECONNREFUSED}] Connection refused"


def test_an_unknown_host_is_a_gaierror() -> None:
    with pytest.raises(socket.gaierror) as caught:
        Server("http://no-such-host.invalid/", session=Session(retry_delays=[])).version()
    assert isinstance(caught.value, HostNotFound)
    assert caught.value.errno in (socket.EAI_NONAME, socket.EAI_AGAIN, getattr(socket, "EAI_NODATA", None))


def test_a_time_out_and_a_broken_connection_name_the_request(serve: Any) -> None:
    def is_silent(connection: Any) -> None:
        connection.request()
        connection.is_left()

    def breaks_off(connection: Any) -> None:
        connection.request()

    played = serve(is_silent, breaks_off)
    db = Database(played.url + "people", session=Session(timeout=0.05, retry_delays=[]))
    with pytest.raises(TimedOut) as caught:
        db["john"]
    assert str(caught.value) == f"GET {played.url}people/john: timed out"
    assert caught.value.args == ("timed out",)
    with pytest.raises(ConnectionResetError):
        db["john"]


def test_too_many_redirects_name_the_request(wire: Any, db: Database) -> None:
    for _ in range(7):
        wire.says(b"", 302, [("Location", "/elsewhere")])
    with pytest.raises(RedirectLimit) as caught:
        db["john"]
    assert caught.value.method == "GET"
