"""What is said to a URL before anybody looks at what it means."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from couchfake.app import CouchFake
from couchfake.transports.wsgi import base_environ, make_environ


def status_of(fake: CouchFake, target: str) -> tuple[int, bytes]:
    got: list[str] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": target,
        "PATH_INFO": "/",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "5984",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    body = b"".join(fake.wsgi(environ, lambda status, headers: got.append(status)))
    return int(got[0][:3]), body


@pytest.mark.parametrize("target", ["/%zz", "/db/%4", "/db/a%", "/_all_dbs?limit=%g1", "/_up?%"])
def test_a_broken_escape_is_refused(target: str) -> None:
    status, body = status_of(CouchFake(), target)
    assert (status, body) == (400, b'{"error":"bad_request","reason":"invalid_url_encoding"}\n')


def test_a_wsgi_server_that_does_not_pass_the_target_as_sent_gets_the_same_documents() -> None:
    """As wsgiref and others do; then an escaped slash cannot be distinguished from a slash."""
    fake = CouchFake()
    for docid, path_info in [
        ("ä b", "/db/\xc3\xa4 b"),
        ("100%", "/db/100%"),
        ("a?b#c", "/db/a?b#c"),
        ("[x", "/db//[x"),
    ]:
        assert put_by_path_info(fake, "/db")[0] in (201, 412)
        status, body = put_by_path_info(fake, path_info)
        assert (status, json.loads(body)["id"]) == (201, docid)


def put_by_path_info(fake: CouchFake, path_info: str) -> tuple[int, bytes]:
    environ = make_environ(base_environ("127.0.0.1", 5984), "PUT", "/", {}, io.BytesIO(b"{}"))
    environ.update(PATH_INFO=path_info, CONTENT_LENGTH="2", CONTENT_TYPE="application/json")
    del environ["REQUEST_URI"]
    got: list[str] = []
    body = b"".join(fake.wsgi(environ, lambda status, headers: got.append(status)))
    return int(got[0][:3]), body


def test_a_url_beyond_the_configured_length_is_refused(admin: Any) -> None:
    admin.set("chttpd", "max_uri_length", "20")
    assert admin("GET", "/_up?x=" + 13 * "y").status_code == 200
    assert admin.refusal("GET", "/_up?x=" + 14 * "y") == "414 too_long: the request uri is too long"
    admin.set("chttpd", "max_uri_length", "infinity")
    assert admin("GET", "/_up?x=" + 1000 * "y").status_code == 200


def test_lines_too_long_for_a_wire_are_refused_without_one_too(admin: Any) -> None:
    for answer in (admin("GET", "/_up?x=" + 9000 * "y"), admin("GET", "/_up", headers={"X-Long": 9000 * "y"})):
        assert (answer.status_code, answer.content) == (400, b"")
    assert admin("GET", "/_up", headers={"X-Long": 8000 * "y"}).status_code == 200


def test_whether_a_plus_in_a_path_is_a_space_is_configured(admin: Any) -> None:
    admin.json("PUT", "/db", status=201)
    assert admin.json("PUT", "/db/a+b", {}, 201)["id"] == "a b"
    admin.set("chttpd", "decode_plus_to_space", "false")
    assert admin.json("PUT", "/db/a+b", {}, 201)["id"] == "a+b"
    assert admin.json("PUT", "/d+b", status=201) == {"ok": True}
    assert "d+b" in admin.json("GET", "/_all_dbs")
    assert admin.json("GET", "/db/_all_docs?key=%22a+b%22")["rows"][0]["id"] == "a b"  # queries are read as ever


@pytest.mark.parametrize(
    ("override", "status"),
    [("PUT", 201), ("PUT;x=1", 201), ("put", 400), ("GET", 404), ("HEAD", 404), ("TRACE", 405), ("FOO", 400)],
)
def test_a_post_may_be_another_method_by_its_name_in_capitals(party: Any, override: str, status: int) -> None:
    party("PUT", "/db")
    assert party("POST", "/db/a", json={}, headers={"X-HTTP-Method-Override": override}).status_code == status


def test_only_a_post_may_be_another_method(party: Any) -> None:
    party("PUT", "/db")
    party("PUT", "/db/a", json={}, headers={"X-HTTP-Method-Override": "DELETE"})
    assert party("GET", "/db/a", headers={"X-HTTP-Method-Override": "DELETE"}).status_code == 200
