"""Request bodies: missing ones, and those that are too large."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.transports.wsgi import Answer, base_environ, make_environ


def without_body(fake: CouchFake, method: str, path: str, **headers: str) -> tuple[int, Any]:
    """Send a request with neither a body nor a Content-Length."""
    fields = {"CONTENT_TYPE": "application/json", "HTTP_HOST": "h", **headers}
    answer = Answer(fake.wsgi, make_environ(base_environ("h", 80), method, path, fields, io.BytesIO()))
    return answer.status, json.loads(answer.read())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/db/doc"),
        ("POST", "/db"),
        ("POST", "/db/_find"),
        ("POST", "/db/_bulk_docs"),
        ("POST", "/db/_bulk_get"),
        ("POST", "/db/_all_docs"),
        ("POST", "/db/_changes"),
        ("POST", "/db/_purge"),
        ("POST", "/db/_revs_diff"),
        ("POST", "/db/_index"),
        ("PUT", "/db/_security"),
        ("PUT", "/db/_revs_limit"),
        ("POST", "/_replicate"),
        ("GET", "/_replicate"),
        ("POST", "/_dbs_info"),
        ("PUT", "/_node/_local/_config/a/b"),
    ],
)
def test_a_request_without_body_and_length_lacks_its_body(party: Any, method: str, path: str) -> None:
    party.json("PUT", "/db", status=201)
    expected = (400, {"error": "bad_request", "reason": "Missing request body"})
    assert without_body(party.fake, method, path) == expected


def test_an_empty_body_with_a_length_is_not_json_but_no_body_for_changes(party: Any) -> None:
    party.json("PUT", "/db", status=201)
    status, body = without_body(party.fake, "PUT", "/db/doc", CONTENT_LENGTH="0")
    assert (status, body["reason"]) == (400, "invalid UTF-8 JSON")
    status, body = without_body(party.fake, "POST", "/db/_changes", CONTENT_LENGTH="0")
    assert (status, body["results"]) == (200, [])


class TestTooLarge:
    REFUSAL = "413 too_large: the request entity is too large"

    @pytest.fixture
    def db(self, party: Any) -> Any:
        party.json("PUT", "/db", status=201)
        party.set("chttpd", "max_http_request_size", "100")
        return party

    def test_json_is_bounded(self, db: Any) -> None:
        assert db.refusal("PUT", "/db/a", {"x": "y" * 100}) == self.REFUSAL
        db.json("PUT", "/db/a", {"x": "y" * 80}, 201)

    def test_json_in_chunks_is_bounded(self, db: Any) -> None:
        chunks = iter([b'{"x":"', b"y" * 100, b'"}'])
        assert db.refusal("PUT", "/db/a", data=chunks) == self.REFUSAL

    def test_json_is_bounded_after_decompression(self, db: Any) -> None:
        headers = {"Content-Encoding": "gzip"}
        body = gzip.compress(json.dumps({"x": "y" * 5000}).encode())
        assert len(body) < 100
        assert db.refusal("PUT", "/db/a", data=body, headers=headers) == self.REFUSAL
        db.json("PUT", "/db/a", data=gzip.compress(b'{"x":1}'), headers=headers, status=201)

    def test_a_gzipped_body_that_is_cut_off_is_refused(self, db: Any) -> None:
        body = gzip.compress(b'{"x":1}')[:-4]
        refusal = db.refusal("PUT", "/db/a", data=body, headers={"Content-Encoding": "gzip"})
        assert refusal == "400 bad_request: Request body is not properly gzipped."

    def test_attachments_are_not_bounded(self, db: Any) -> None:
        db.json("PUT", "/db/a/x", data=b"z" * 1000, headers={"Content-Type": "text/plain"}, status=201)
        document = {"_attachments": {"x": {"follows": True, "length": 300, "content_type": "text/plain"}}}
        related = b"--b\r\nContent-Type: application/json\r\n\r\n%b\r\n--b\r\n\r\n%b\r\n--b--"
        related %= json.dumps(document).encode(), b"z" * 300
        db.json("PUT", "/db/b", data=related, headers={"Content-Type": "multipart/related;boundary=b"}, status=201)
