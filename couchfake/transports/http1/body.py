"""A request's body on the wire, of a known length or in chunks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from couchfake.transports.http1.head import LINE_LIMIT, ClientDisconnected, MalformedRequest, Source

CHUNK_LINE_LIMIT = 4096

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n\Z")


class RequestBody:
    """``wsgi.input``: a request's body as a file that ends where the body ends.

    ``read`` raises ClientDisconnected where the client vanishes before the end, and MalformedRequest where chunks are
    malformed or the body grows beyond ``limit`` bytes: an application that lets these pass writes nothing by halves.
    ``on_first_read`` is called before the first bytes are taken (it answers ``Expect: 100-continue``).
    """

    __slots__ = ("_ahead", "_chunked", "_in_chunks", "_left", "_limit", "_source", "broken", "on_first_read")

    def __init__(self, source: Source, length: int | None, chunked: bool, limit: int) -> None:
        self._source = source
        self._left = 0 if chunked else (length or 0)  # of the body, or of the current chunk
        self._chunked = chunked  # whether more chunks follow
        self._in_chunks = chunked
        self._limit = limit
        self._ahead = b""  # of readline
        self.broken = False
        self.on_first_read: Callable[[], None] | None = None

    @property
    def ended(self) -> bool:
        """Whether all of the body has been taken off the connection."""
        return self._left == 0 and not self._chunked

    def _pieces(self, size: int) -> Iterator[bytes]:
        """Pieces of the body, as they arrive, of ``size`` bytes at most together."""
        if self._ahead and size > 0:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            size -= len(data)
            yield data
        while size > 0 and not self.ended:
            if self.on_first_read is not None:
                self.on_first_read()
                self.on_first_read = None
            try:
                if self._left == 0:
                    self._next_chunk()
                    continue
                data = self._source.take(min(size, self._left))
                self._left -= len(data)
                if self._left == 0 and self._in_chunks and self._source.line(3) not in (b"\r\n", b"\n"):
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
        self._left = int(size[1], 16)
        self._limit -= self._left
        if self._limit < 0:
            raise MalformedRequest("request body too large", 413)
        if self._left == 0:
            while self._source.line(LINE_LIMIT).strip():  # trailers
                pass
            self._chunked = False

    def read(self, size: int | None = -1, /) -> bytes:
        """``size`` bytes, or all that is left; fewer only at the body's end."""
        if size is None or size < 0:
            size = 1 << 62
        pieces = list(self._pieces(size))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readline(self, size: int | None = -1, /) -> bytes:
        line = b""
        limit = 1 << 62 if size is None or size < 0 else size
        while len(line) < limit:
            piece = next(self._pieces(min(limit - len(line), 4096)), b"")
            if not piece:
                break
            line += piece
            end = line.find(b"\n") + 1
            if end:
                line, self._ahead = line[:end], line[end:] + self._ahead
                break
        return line

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def drain(self, limit: int) -> bool:
        """Take what the application left unread off the connection; False where it is too much or cannot be had."""
        if self.broken:
            return False
        if self.ended:
            return True
        if self.on_first_read is not None:  # the client waits for a word that it will not get
            return False
        try:
            while limit > 0 and not self.ended:
                limit -= sum(map(len, self._pieces(min(limit, 1 << 16))))
        except (ClientDisconnected, MalformedRequest):
            return False
        return self.ended
