"""A request body on the wire, of a known length or in chunks."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

from couchfake.transports.client import ClientDisconnected
from couchfake.transports.http1.head import MalformedRequest, Source
from couchfake.transports.wsgi import LINE_LIMIT

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
