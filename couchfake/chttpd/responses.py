"""Answers: JSON, pieces of JSON that stream, errors. One place for the headers that every answer has."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import responses as _PHRASES
from typing import Any

import xxhash

from couchfake.errors import CouchError, ServerError
from couchfake.values import erlang, json

Headers = Mapping[str, str]

_STATUS_LINES = {code: f"{code} {phrase}" for code, phrase in _PHRASES.items()}
_JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "must-revalidate"}
_LINE_ENDS = str.maketrans("\r\n\0", "   ")


class HeaderList:
    """The headers of an answer, in order; names are the same in any case."""

    __slots__ = ("pairs",)

    def __init__(self, headers: Headers | Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: list[tuple[str, str]] = list(headers.items() if isinstance(headers, Mapping) else headers)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __contains__(self, name: str) -> bool:
        lower = name.lower()
        return any(each.lower() == lower for each, _ in self.pairs)

    def add(self, name: str, value: str) -> None:
        """Put it at the end, whether there is one of that name or not."""
        self.pairs.append((name, value))

    def __setitem__(self, name: str, value: str) -> None:
        """Put it where the first of that name stands, in place of all of them; else at the end."""
        lower = name.lower()
        places = [place for place, pair in enumerate(self.pairs) if pair[0].lower() == lower]
        if not places:
            self.pairs.append((name, value))
            return
        for place in reversed(places):
            del self.pairs[place]
        self.pairs.insert(places[0], (name, value))

    def __delitem__(self, name: str) -> None:
        lower = name.lower()
        self.pairs = [pair for pair in self.pairs if pair[0].lower() != lower]

    def update(self, headers: Headers) -> None:
        for name, value in headers.items():
            self[name] = value


class Response:
    """An answer, and the WSGI application that gives it. ``body``: bytes, or chunks that are sent one by one.

    The answer to HEAD has the length of the body that it is without.
    """

    __slots__ = ("body", "headers", "status_code")

    def __init__(
        self,
        body: bytes | Iterable[bytes],
        status: int = 200,
        headers: Headers | Iterable[tuple[str, str]] = (),
    ) -> None:
        self.body = body
        self.status_code = status
        self.headers = HeaderList(headers)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body, status, pairs = self.body, self.status_code, self.headers.pairs
        if type(body) is bytes and not (status == 204 or status < 200) and "content-length" not in self.headers:
            pairs.append(("Content-Length", str(len(body))))
        text = "".join([value for _, value in pairs])
        if not (text.isascii() and text.isprintable()):
            pairs = [(name, _plain(value)) for name, value in pairs]
        start_response(_STATUS_LINES.get(status) or f"{status} Unknown", pairs)
        if environ["REQUEST_METHOD"] == "HEAD" or status in (204, 304) or status < 200:
            close = getattr(body, "close", None)
            if close is not None:
                close()
            return ()
        return (body,) if isinstance(body, bytes) else body


class JsonResponse(Response):
    """An answer in JSON that the server itself has made: what attachments and design functions give is none."""

    __slots__ = ()


def _plain(value: str) -> str:
    """A header value as WSGI wants it: one line, bytes in the guise of Latin-1."""
    value = value.translate(_LINE_ENDS)
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def json_response(value: Any, status: int = 200, headers: Headers | None = None) -> Response:
    """A JSON answer with CouchDB's newline at the end."""
    return raw_json_response(json.encode(value), status, headers)


def raw_json_response(text: bytes, status: int = 200, headers: Headers | None = None) -> Response:
    """The same, from JSON text."""
    return JsonResponse(text + b"\n", status, {**_JSON_HEADERS, **(headers or {})})


def json_stream(text: bytes | Iterable[bytes], headers: Headers | None = None) -> Response:
    """The same, from JSON text with the newline at its end, or chunks of such text."""
    return JsonResponse(text, 200, {**_JSON_HEADERS, **(headers or {})})


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
        body["ref"] = zlib.crc32(repr(error.reason).encode("utf-8", "replace")) if error.ref is None else error.ref
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
    number = xxhash.xxh3_128_intdigest(term)
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return f'"{text or "0"}"'
