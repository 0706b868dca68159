"""Responses: JSON, streams of JSON, errors; bodies made while they are sent; and the ETags of those that have one."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from http.client import responses as _PHRASES
from itertools import chain
from typing import Any

import xxhash
from werkzeug.datastructures import Headers

from couchfake.errors import CouchError, ServerError
from couchfake.transports.wsgi import close_iterable, has_no_body
from couchfake.values import erlang, json

# Reason phrases are those of Erlang's inets, which mochiweb uses: the standard library's for most codes, but for others
# another phrase, or the same one as for codes that inets does not know.
_UNKNOWN = "Internal Server Error"
_STATUS_LINES = {
    code: f"{code} {phrase}"
    for code, phrase in {
        **_PHRASES,
        302: "Moved Temporarily",
        306: "(unused)",
        404: "Object Not Found",
        408: "Request Time-out",
        413: "Request Entity Too Large",
        414: "Request-URI Too Large",
        416: "Requested Range Not Satisfiable",
        422: "Unprocessable Entity",
        504: "Gateway Time-out",
        505: "HTTP Version not supported",
        **dict.fromkeys((103, 208, 308, 418, 421, 428, 429, 431, 451, 506, 508, 510, 511), _UNKNOWN),
    }.items()
}
_JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "must-revalidate"}
_LINE_ENDS = str.maketrans("\r\n\0", "   ")


class Response:
    """A response, and the WSGI application that sends it. ``body`` is bytes, or chunks that are sent one by one.

    The response to HEAD has the Content-Length of the body that is not sent.
    """

    __slots__ = ("body", "fields", "status_code")

    def __init__(
        self,
        body: bytes | Iterable[bytes],
        status: int = 200,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> None:
        self.body = body
        self.status_code = status
        self.fields: list[tuple[str, str]] | Headers = [*(headers.items() if isinstance(headers, Mapping) else headers)]
        """The headers, name and value. Adding to them is cheap; ``headers`` can also look for one, and replace it."""

    @property
    def headers(self) -> Headers:
        """The headers as werkzeug has them. They are made when an answer needs them, which most do not."""
        fields = self.fields
        if not isinstance(fields, Headers):
            self.fields = fields = Headers([(name, value.translate(_LINE_ENDS)) for name, value in fields])
        return fields

    def add_headers(self, *headers: tuple[str, str]) -> None:
        """Add headers, name and value, beside others of the same names."""
        self.fields.extend(headers)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body, status = self.body, self.status_code
        if type(body) is bytes and not (status == 204 or status < 200):
            self._set_length(len(body))
        pairs = [*self.fields]
        text = "".join(chain.from_iterable(pairs))
        if not (text.isascii() and text.isprintable()):
            pairs = [(name, _plain(value)) for name, value in pairs]
        start_response(_STATUS_LINES.get(status) or f"{status} {_UNKNOWN}", pairs)
        if environ["REQUEST_METHOD"] == "HEAD" or has_no_body(status):
            close_iterable(body)
            return ()
        return (body,) if isinstance(body, bytes) else body

    def _set_length(self, size: int) -> None:
        """Set Content-Length, whatever a design function sets."""
        fields = self.fields
        if isinstance(fields, list):
            for name, _ in fields:
                if len(name) == 14 and name.lower() == "content-length":
                    break
            else:
                fields.append(("Content-Length", str(size)))
                return
        self.headers["Content-Length"] = str(size)


class JsonResponse(Response):
    """JSON that the server itself has made, as opposed to attachments and the output of design functions."""

    __slots__ = ()

    def _set_length(self, size: int) -> None:
        self.add_headers(("Content-Length", str(size)))  # nothing else has set it


def _plain(value: str) -> str:
    """Return a header value in the form of WSGI: one line, its bytes as Latin-1 characters."""
    value = value.translate(_LINE_ENDS)
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a value as a JSON response, which ends in a newline."""
    return raw_json_response(json.encode(value), status, headers)


def raw_json_response(text: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON text as a JSON response; the newline is added."""
    return JsonResponse(text + b"\n", status, {**_JSON_HEADERS, **(headers or {})})


def json_stream(text: bytes | Iterable[bytes], headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON text, or chunks of it, as a JSON response; the newline must be there already."""
    return JsonResponse(text, 200, {**_JSON_HEADERS, **(headers or {})})


def stream_response(
    chunks: Iterable[bytes], content_type: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response of unknown length; each chunk is sent at once."""
    return Response(chunks, status, {"Content-Type": content_type, **(headers or {})})


def body_response(
    data: bytes, content_type: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(data, status, {"Content-Type": content_type, **(headers or {})})


def error_response(error: CouchError) -> Response:
    """Return an error as JSON. Where the real server crashes, ``ref`` numbers the crash in its log."""
    body: dict[str, Any] = {"error": error.error, "reason": error.reason}
    if isinstance(error, ServerError):
        body["ref"] = zlib.crc32(repr(error.reason).encode("utf-8", "replace")) if error.ref is None else error.ref
    return json_response(body, error.status, error.headers)


def not_modified(etag: str) -> Response:
    return Response(b"", 304, {"ETag": etag})


def etag_matches(request_header: str | None, etag: str) -> bool:
    """Return whether an If-None-Match header names the ETag, which includes its quotes. ``*`` names none."""
    names = (part.strip().removeprefix("W/") for part in (request_header or "").split(","))
    return etag in names


def make_etag(value: Any) -> str:
    """Return the ETag of a JSON value, or of a tuple of values: the hash of its Erlang term in base 36, quoted.

    Source: ``couch_httpd:make_etag/1``; the hash of 3.5 is XXH3, not the MD5 of earlier servers.
    """
    if isinstance(value, tuple):
        term = erlang.VERSION + erlang.external_tuple(*map(erlang.external, value))
    else:
        term = erlang.term_to_binary(value)
    number = xxhash.xxh3_128_intdigest(term)
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return f'"{text or "0"}"'


# Bodies that are made while they are sent, begun before their head goes out


CHUNK = 1 << 16
"""Bytes that are collected before they are sent."""


class PrimedStream(Iterator[bytes]):
    """The chunks of a generator, whose first chunk is made at once: an error up to there is still an error response.

    ``close()`` ends the generator, even if nothing was read.
    """

    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
        self._ahead: list[bytes] = []
        self._make_one()

    def _make_one(self) -> bool:
        for chunk in self._chunks:
            self._ahead.append(chunk)
            return True
        return False

    def whole(self) -> bytes | None:
        """Return the whole body if it is one chunk at most; else None, and the stream is read as before.

        Waits for the second chunk, so it is not for feeds.
        """
        if self._make_one():
            return None
        return b"".join(self._ahead)

    def __next__(self) -> bytes:
        return self._ahead.pop(0) if self._ahead else next(self._chunks)

    def close(self) -> None:
        self._chunks.close()


def json_body(chunks: Generator[bytes, None, None], headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON text as a response: whole, with its length, if it is one chunk, else a stream."""
    stream = PrimedStream(chunks)
    whole = stream.whole()
    return json_stream(stream if whole is None else whole, headers)


def in_chunks(pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Join small pieces into chunks of ``CHUNK`` bytes or more; the last may be shorter."""
    pending: list[bytes] = []
    size = 0
    for piece in pieces:
        pending.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(pending)
            pending, size = [], 0
    if pending:
        yield b"".join(pending)
