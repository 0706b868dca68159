"""HTTP/1.1 requests on the wire: their heads, their bodies, and the buffer that they are read from.

Limits follow the real server's HTTP layer (mochiweb): a request line or header line of more than 8 KiB, more than a
thousand headers, and a head that cannot be parsed get an empty 400 and end the connection.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from couchfake.transports.client import ClientDisconnected
from couchfake.transports.wsgi import LINE_LIMIT, header_items

HEADER_LIMIT = 1000
HEAD_LIMIT = 1 << 20

HEAD_END = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([0-9])\r*\Z")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00\r]*)\r*\Z")
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
    lines = raw.decode("latin-1").split("\n")
    if len(raw) > LINE_LIMIT and max(map(len, lines)) > LINE_LIMIT:
        raise MalformedRequest("line too long")
    if len(lines) > HEADER_LIMIT:
        raise MalformedRequest("too many headers")
    start = _REQUEST_LINE.match(lines[0])
    if start is None:
        raise MalformedRequest("malformed request line")
    fields = []
    for line in lines[1:]:
        field = _FIELD.match(line)
        if field is None:
            raise MalformedRequest("malformed header")
        name, value = field.groups()
        fields.append((name, value.strip(" \t")))
    headers = header_items(fields)
    method, target, version = start.groups()
    minor = int(version)
    length, chunked = _framing(headers)
    connection = headers.get("HTTP_CONNECTION")
    keep_alive = minor > 0
    if connection is not None:
        tokens = {token.strip().lower() for token in connection.split(",")}
        keep_alive = "close" not in tokens if minor > 0 else "keep-alive" in tokens
    return Head(method, origin_form(target), minor, headers, length, chunked, keep_alive)


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


# A request body on the wire, of a known length or in chunks


CHUNK_LINE_LIMIT = 4096

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n\Z")


class RequestBody(io.RawIOBase):
    """``wsgi.input``: a request body as a file that ends where the body ends.

    Reading raises ClientDisconnected if the client vanishes before the end, and MalformedRequest if a chunk is
    malformed or the body exceeds ``limit`` bytes. An application that does not catch them never acts on half a body.
    ``on_first_read`` is called before the first bytes are taken (it answers ``Expect: 100-continue``). ``broken`` is
    True once reading has failed.
    """

    def __init__(self, source: Source, length: int | None, chunked: bool, limit: int) -> None:
        self._source = source
        self._remaining = 0 if chunked else (length or 0)  # bytes of the body, or of the current chunk
        self._chunked = chunked  # whether more chunks follow
        self._in_chunks = chunked
        self._limit = limit
        self.broken = False
        self.on_first_read: Callable[[], None] | None = None

    @property
    def ended(self) -> bool:
        """Whether all of the body has been taken off the connection."""
        return self._remaining == 0 and not self._chunked

    def _pieces(self, size: int) -> Iterator[bytes]:
        """Yield pieces of the body as they arrive, ``size`` bytes in total at most."""
        while size > 0 and not self.ended:
            if self.on_first_read is not None:
                self.on_first_read()
                self.on_first_read = None
            try:
                if self._remaining == 0:
                    self._next_chunk()
                    continue
                data = self._source.take(min(size, self._remaining))
                self._remaining -= len(data)
                if self._remaining == 0 and self._in_chunks and self._source.line(3) not in (b"\r\n", b"\n"):
                    raise MalformedRequest("malformed end of a chunk")
            except (ClientDisconnected, MalformedRequest):
                self.broken = True
                raise
            size -= len(data)
            yield data

    def _next_chunk(self) -> None:
        size = _CHUNK_SIZE.match(self._source.line(CHUNK_LINE_LIMIT))
        if size is None:
            raise MalformedRequest("malformed chunk size")
        self._remaining = int(size[1], 16)
        self._limit -= self._remaining
        if self._limit < 0:
            raise MalformedRequest("request body too large", 413)
        if self._remaining == 0:
            while self._source.line(LINE_LIMIT).strip():  # trailers
                pass
            self._chunked = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Return ``size`` bytes, or the rest of the body; fewer only at the body's end."""
        if size is None or size < 0:
            size = 1 << 62
        pieces = list(self._pieces(size))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readable(self) -> bool:
        return True

    def drain(self, limit: int) -> bool:
        """Discard what the application did not read. Return False if that is too much or the body is broken."""
        if self.broken:
            return False
        if self.ended:
            return True
        if self.on_first_read is not None:  # the client waits for 100 Continue, which is not sent
            return False
        try:
            while limit > 0 and not self.ended:
                limit -= sum(map(len, self._pieces(min(limit, 1 << 16))))
        except (ClientDisconnected, MalformedRequest):
            return False
        return self.ended
