"""Answers: JSON, pieces of JSON that stream, errors. One place for the headers that every answer has."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response as _Response

from couchfake.errors import CouchError, ServerError
from couchfake.values import erlang, json
from couchfake.values.xxh128 import xxh128

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers as WSGIHeaders

Headers = Mapping[str, str]


class Response(_Response):
    """werkzeug's response, with nothing added behind our backs."""

    default_mimetype = None
    autocorrect_location_header = False
    automatically_set_content_length = True

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> WSGIHeaders:
        headers = super().get_wsgi_headers(environ)
        if self.status_code == 304:  # werkzeug leaves the length out, the server says it
            headers["Content-Length"] = "0"
        return headers


def json_response(value: Any, status: int = 200, headers: Headers | None = None) -> Response:
    """A JSON answer with CouchDB's newline at the end."""
    return raw_json_response(json.encode(value), status, headers)


def raw_json_response(text: bytes, status: int = 200, headers: Headers | None = None) -> Response:
    """The same, from JSON text."""
    all_headers = {"Content-Type": "application/json", "Cache-Control": "must-revalidate", **(headers or {})}
    return Response(text + b"\n", status, all_headers)


def stream_response(
    chunks: Iterable[bytes], content_type: str, status: int = 200, headers: Headers | None = None
) -> Response:
    """An answer whose length nobody knows; each chunk is sent at once."""
    return Response(chunks, status, {"Content-Type": content_type, **(headers or {})})


def body_response(data: bytes, content_type: str, status: int = 200, headers: Headers | None = None) -> Response:
    return Response(data, status, {"Content-Type": content_type, **(headers or {})})


def error_response(error: CouchError) -> Response:
    """An error as JSON. Where the real server crashes, ``ref`` numbers the crash in its log."""
    body: dict[str, Any] = {"error": error.error, "reason": error.reason}
    if isinstance(error, ServerError):
        body["ref"] = zlib.crc32(repr(error.reason).encode("utf-8")) if error.ref is None else error.ref
    return json_response(body, error.status, error.headers)


def not_modified(etag: str) -> Response:
    return Response(b"", 304, {"ETag": etag})


def etag_matches(request_header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names the ETag (with its quotes)."""
    names = (part.strip().removeprefix("W/") for part in (request_header or "").split(","))
    return etag in names


def make_etag(value: Any) -> str:
    """An ETag from a JSON value, or a tuple of some: the hash of its Erlang term in base 36, quoted.

    Source: ``couch_httpd:make_etag/1``; the hash of 3.5 is XXH3, not the MD5 of earlier servers.
    """
    if isinstance(value, tuple):
        term = bytes((0x83, ord("h"), len(value))) + b"".join(map(erlang.external, value))
    else:
        term = erlang.term_to_binary(value)
    number = xxh128(term)
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return f'"{text or "0"}"'
