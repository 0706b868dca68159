"""Bodies that are not held in memory: answers read while they arrive, and requests sent while they are read."""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator
from typing import Any

import requests
import urllib3.exceptions

from couchdb_client.errors import connection_error

__all__ = ["CHUNK_SIZE", "ResponseBody", "Upload"]

#: Answers shorter than this many bytes are read at once, which frees their connection; files are sent in such pieces.
CHUNK_SIZE = 8 * 1024

_PIECE_SIZE = 64 * 1024

_BREAKS = (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException)


class ResponseBody(io.BufferedIOBase):
    """The body of an answer as a readable binary file: `read`, `readline`, iteration by lines, ``with``, `close`.

    Closing it before its end closes the connection; reading to the end gives the connection back to the session. A feed
    that never ends can be read too: lines are given out as soon as they have arrived. Reading raises `TimedOut` or
    `ConnectionFailed`.
    """

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._pieces = _pieces(response)
        self._buffer = b""
        self._position = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """The next ``size`` bytes, fewer only at the end; everything that is left if ``size`` is negative or None."""
        parts = [self._buffered(size)]
        missing = -1 if size is None or size < 0 else size - len(parts[0])
        while missing and self._fill():
            parts.append(self._buffered(missing))
            missing = max(missing - len(parts[-1]), 0) if missing > 0 else missing
        return b"".join(parts)

    def read1(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes, of what has arrived: waits only if nothing has."""
        return self._buffered(size) if self._position < len(self._buffer) or self._fill() else b""

    def readline(self, size: int | None = -1, /) -> bytes:
        """The next line with its newline; without one at the end of the body."""
        parts: list[bytes] = []
        room = -1 if size is None or size < 0 else size
        while room and (self._position < len(self._buffer) or self._fill()):
            newline = self._buffer.find(b"\n", self._position)
            length = len(self._buffer) - self._position if newline < 0 else newline + 1 - self._position
            parts.append(self._buffered(length if room < 0 else min(length, room)))
            room = room if room < 0 else room - len(parts[-1])
            if parts[-1].endswith(b"\n"):
                break
        return b"".join(parts)

    def iterchunks(self) -> Iterator[bytes]:
        """The lines of the body (couchdb-python's name for iterating over it)."""
        return iter(self)

    def close(self) -> None:
        if not self.closed:
            self._response.close()
        super().close()

    def _buffered(self, size: int | None) -> bytes:
        end = len(self._buffer) if size is None or size < 0 else self._position + size
        piece = self._buffer[self._position : end]
        self._position += len(piece)
        return piece

    def _fill(self) -> bool:
        """Wait for the next piece, the buffer being empty; False at the end of the body."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        try:
            self._buffer, self._position = next(self._pieces, b""), 0
        except _BREAKS as exc:
            failure = connection_error(exc)
            if failure is None:
                raise
            raise failure from exc
        return bool(self._buffer)


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives, decoded.

    A chunked body comes chunk by chunk, one of known length in large pieces. Where neither is known, the end of the
    connection is the end of the body, and waiting for a large piece could be waiting for ever: there, whatever has
    arrived is a piece.
    """
    raw = response.raw
    if getattr(raw, "chunked", False) or "Content-Length" in response.headers or not hasattr(raw, "read1"):
        return (piece for piece in response.iter_content(_PIECE_SIZE) if piece)
    return iter(lambda: raw.read1(_PIECE_SIZE, decode_content=True), b"")


class Upload:
    """A file-like object as the body of a request, read in pieces while it is sent, from where it stands now.

    Pieces of text are sent as UTF-8. Has the attribute ``len`` (requests makes a Content-Length of it) where the number
    of bytes can be known beforehand; else the body is sent in chunks.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._start = _position(file)
        if self._start is not None and isinstance(file.read(0), bytes):
            self.len = file.seek(0, io.SEEK_END) - self._start
            file.seek(self._start)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._file.read(CHUNK_SIZE):
            yield piece.encode("utf-8") if isinstance(piece, str) else piece

    def rewind(self) -> bool:
        """Go back to the beginning, to send it again; False if the object cannot."""
        if self._start is None:
            return False
        self._file.seek(self._start)
        return True


def _position(file: Any) -> int | None:
    try:
        position = file.tell()
        return position if isinstance(position, int) and file.seek(position) == position else None
    except (AttributeError, OSError, ValueError):
        return None
