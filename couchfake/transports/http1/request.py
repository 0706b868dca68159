"""The heads of HTTP/1.1 requests, and the buffer that requests are read from.

Limits follow the real server's HTTP layer (mochiweb): a request line or header line of more than 8 KiB, more than a
thousand headers, and a head that cannot be parsed get an empty 400 and end the connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from couchfake.transports.client import ClientDisconnected
from couchfake.transports.wsgi import LINE_LIMIT, header_items

HEADER_LIMIT = 1000
HEAD_LIMIT = 1 << 20

HEAD_END = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([0-9])\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*\Z")
_DIGITS = re.compile(r"[0-9]{1,19}\Z")


class MalformedRequest(ConnectionError, ValueError):
    """A request that is not HTTP/1.1 or exceeds a limit. It is answered with ``status``, and the connection ends.

    Also a ConnectionError, because an application can meet it while it reads a body: no more of that body follows.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Head(NamedTuple):
    """A parsed request head. ``headers`` has environment keys; ``minor`` is the HTTP version's minor number."""

    method: str
    target: str
    minor: int
    headers: dict[str, str]
    length: int | None
    chunked: bool
    keep_alive: bool

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.length)


def origin_form(target: str) -> str:
    """Return the path and query of a request target, which a proxy sends as ``http://host/path?query``."""
    if target[0] != "/" and target != "*":
        scheme, _, rest = target.partition("://")
        if rest and scheme.isalpha():
            slash = rest.find("/")
            return rest[slash:] if slash >= 0 else "/"
    return target


def parse_head(raw: bytes) -> Head:
    """Parse a request head, without the empty line that ends it. Raise MalformedRequest."""
    lines = raw.split(b"\n")
    if len(raw) > LINE_LIMIT and max(map(len, lines)) > LINE_LIMIT:
        raise MalformedRequest("line too long")
    if len(lines) > HEADER_LIMIT:
        raise MalformedRequest("too many headers")
    start = _REQUEST_LINE.match(lines[0].rstrip(b"\r"))
    if start is None:
        raise MalformedRequest("malformed request line")
    fields = []
    for line in lines[1:]:
        field = _FIELD.match(line.rstrip(b"\r"))
        if field is None:
            raise MalformedRequest("malformed header")
        fields.append((field[1].decode("ascii"), field[2].decode("latin-1")))
    headers = header_items(fields)
    target = origin_form(start[2].decode("latin-1"))
    minor = int(start[3])
    length, chunked = _framing(headers)
    connection = headers.get("HTTP_CONNECTION")
    keep_alive = minor > 0
    if connection is not None:
        tokens = {token.strip().lower() for token in connection.split(",")}
        keep_alive = "close" not in tokens if minor > 0 else "keep-alive" in tokens
    return Head(start[1].decode("ascii"), target, minor, headers, length, chunked, keep_alive)


def _framing(headers: dict[str, str]) -> tuple[int | None, bool]:
    """Return (Content-Length, chunked). A chunked body has no length, whatever the header says."""
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
    """A buffer in front of ``receive``, a function that returns the next bytes and b"" at the end."""

    __slots__ = ("_receive", "buffer")

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self.buffer = b""

    def fill(self) -> bool:
        """Wait for more bytes and add them to the buffer. Return False at the end."""
        data = self._receive()
        if not data:
            return False
        self.buffer = self.buffer + data if self.buffer else data
        return True

    def head(self) -> bytes | None:
        """Return the next request's head, or None if no other came. Raise MalformedRequest."""
        searched = 0
        while True:
            if self.buffer:
                if self.buffer[:1] in (b"\r", b"\n"):  # line ends between requests are ignored
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
                    raise ClientDisconnected("the client disconnected within a request head")
                return None

    def take(self, size: int) -> bytes:
        """Return between 1 and ``size`` bytes. Raise ClientDisconnected."""
        if not self.buffer and not self.fill():
            raise ClientDisconnected("the client disconnected within a request body")
        if len(self.buffer) <= size:
            data, self.buffer = self.buffer, b""
        else:
            data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def line(self, limit: int) -> bytes:
        """Return the next line with its end. Raise ClientDisconnected, or MalformedRequest above ``limit`` bytes."""
        while (end := self.buffer.find(b"\n")) < 0 and len(self.buffer) <= limit:
            if not self.fill():
                raise ClientDisconnected("the client disconnected within a request body")
        if end < 0 or end >= limit:
            raise MalformedRequest("line too long in a chunked body")
        line, self.buffer = self.buffer[: end + 1], self.buffer[end + 1 :]
        return line
