"""HTTP/1.1 on the wire: where requests come from and how their heads read; nothing of CouchDB.

Limits and answers follow the real server's HTTP layer (mochiweb): a request line or header line of more than 8 KiB, a
head that cannot be parsed, and more than a thousand headers are met with an empty 400 and the end of the connection.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

LINE_LIMIT = 8192
HEADER_LIMIT = 1000
HEAD_LIMIT = 1 << 20

HEAD_END = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([0-9])\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*\Z")
_DIGITS = re.compile(r"[0-9]{1,19}\Z")


class MalformedRequest(ConnectionError, ValueError):
    """A request that is no HTTP/1.1 or beyond the limits: ``status`` is the answer, and the connection ends.

    A ConnectionError too, for an application that meets it while it reads a body: there is no more to be had.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class ClientDisconnected(ConnectionError):
    """The client vanished before its request was complete, or before its answer was."""


def gateway() -> dict[str, Any]:
    """What every WSGI application here is told: a thread for each client, bodies that end by themselves."""
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


class Head(NamedTuple):
    """A parsed request head; ``headers`` are WSGI's, ``minor`` is the HTTP version's minor number."""

    method: str
    target: str
    path: str
    query: str
    minor: int
    headers: dict[str, str]
    length: int | None
    chunked: bool
    keep_alive: bool

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        """Parse a request head (without the empty line that ends it). Raises MalformedRequest."""
        return parse_head(raw)

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.length)


@lru_cache(maxsize=256)
def environ_key(name: bytes) -> str | None:
    """WSGI's key of a header. None for a name with an underscore, which could pose as the one with a hyphen."""
    if b"_" in name:
        return None
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


def origin_form(target: str) -> str:
    """The path and query of a request target: what a proxy's ``http://host/path`` is about."""
    if target[0] != "/" and target != "*":
        scheme, _, rest = target.partition("://")
        if rest and scheme.isalpha():
            slash = rest.find("/")
            return rest[slash:] if slash >= 0 else "/"
    return target


def split_target(target: str) -> tuple[str, str]:
    """(PATH_INFO, QUERY_STRING) of a raw request target: the path's escapes undone, bytes as latin-1 characters."""
    path, _, query = target.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    return path, query


def too_long(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a request that was never put on a wire has a line that would be refused there."""
    longest = LINE_LIMIT - len("  HTTP/1.1")
    if len(method) + len(target) > longest:
        return True
    for name, value in headers:  # in process this runs for each request, and any() takes twice as long
        if len(name) + len(value) + len(": ") > LINE_LIMIT:
            return True
    return False


def refuse(_: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """What a request with such a line gets, as a WSGI application."""
    start_response("400 Bad Request", [("Content-Length", "0"), ("Connection", "close")])
    return []


def parse_head(raw: bytes) -> Head:
    """Parse a request head (without the empty line that ends it). Raises MalformedRequest."""
    lines = raw.split(b"\n")
    if len(raw) > LINE_LIMIT and max(map(len, lines)) > LINE_LIMIT:
        raise MalformedRequest("line too long")
    if len(lines) > HEADER_LIMIT:
        raise MalformedRequest("too many headers")
    start = _REQUEST_LINE.match(lines[0].rstrip(b"\r"))
    if start is None:
        raise MalformedRequest("malformed request line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        field = _FIELD.match(line.rstrip(b"\r"))
        if field is None:
            raise MalformedRequest("malformed header")
        key = environ_key(field[1])
        if key is None:
            continue
        value = field[2].decode("latin-1")
        if key in headers:
            value = headers[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        headers[key] = value
    target = origin_form(start[2].decode("latin-1"))
    path, query = split_target(target)
    minor = int(start[3])
    length, chunked = _framing(headers)
    connection = headers.get("HTTP_CONNECTION")
    keep_alive = minor > 0
    if connection is not None:
        tokens = {token.strip().lower() for token in connection.split(",")}
        keep_alive = "close" not in tokens if minor > 0 else "keep-alive" in tokens
    return Head(start[1].decode("ascii"), target, path, query, minor, headers, length, chunked, keep_alive)


def _framing(headers: dict[str, str]) -> tuple[int | None, bool]:
    """(Content-Length, chunked?) of a request's headers; a chunked body has no length, whatever the header says."""
    coding = headers.get("HTTP_TRANSFER_ENCODING")
    if coding is not None and coding.strip().lower() != "identity":
        if coding.strip().lower() != "chunked":
            raise MalformedRequest("unknown transfer encoding", 501)
        headers.pop("CONTENT_LENGTH", None)
        return None, True
    text = headers.get("CONTENT_LENGTH")
    if text is None:
        return None, False
    lengths = {part.strip() for part in text.split(",")}
    if len(lengths) != 1 or not _DIGITS.match(length := lengths.pop()):
        raise MalformedRequest("malformed Content-Length")
    headers["CONTENT_LENGTH"] = length
    return int(length), False


class Source:
    """Where a request's bytes come from: a buffer before a ``receive`` function that answers b'' at the end."""

    __slots__ = ("_receive", "buffer")

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self.buffer = b""

    def fill(self) -> bool:
        """Add what has arrived, waiting for it; False where nothing more comes."""
        data = self._receive()
        if not data:
            return False
        self.buffer = self.buffer + data if self.buffer else data
        return True

    def head(self) -> bytes | None:
        """The next request's head, None where the client left between two requests. Raises MalformedRequest."""
        searched = 0
        while True:
            if self.buffer:
                if self.buffer[:1] in (b"\r", b"\n"):  # stray line ends between requests are let pass
                    self.buffer = self.buffer.lstrip(b"\r\n")
                    searched = 0
                end = HEAD_END.search(self.buffer, searched)
                if end is not None:
                    head = self.buffer[: end.start()]
                    self.buffer = self.buffer[end.end() :]
                    return head
                last = self.buffer.rfind(b"\n")
                if len(self.buffer) - last > LINE_LIMIT + 1 or len(self.buffer) > HEAD_LIMIT:
                    raise MalformedRequest("line too long")
                searched = max(0, len(self.buffer) - 3)
            if not self.fill():
                if self.buffer:
                    raise ClientDisconnected("the client left within a request head")
                return None

    def take(self, size: int) -> bytes:
        """Between 1 and ``size`` bytes. Raises ClientDisconnected."""
        if not self.buffer and not self.fill():
            raise ClientDisconnected("the client left within a request body")
        if len(self.buffer) <= size:
            data, self.buffer = self.buffer, b""
        else:
            data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def line(self, limit: int) -> bytes:
        """Up to and with the next line end. Raises ClientDisconnected, MalformedRequest."""
        while (end := self.buffer.find(b"\n")) < 0 and len(self.buffer) <= limit:
            if not self.fill():
                raise ClientDisconnected("the client left within a request body")
        if end < 0 or end >= limit:
            raise MalformedRequest("line too long in a chunked body")
        line, self.buffer = self.buffer[: end + 1], self.buffer[end + 1 :]
        return line
