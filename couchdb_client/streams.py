"""Bodies that are not held in memory: answers read while they arrive, and requests sent while they are read."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import urllib3.exceptions

from couchdb_client.direct import PIECE_SIZE
from couchdb_client.errors import connection_error, in_request

__all__ = ["CHUNK_SIZE", "ResponseBody", "Streamed", "Upload"]

#: Answers shorter than this many bytes are read at once, which frees their connection.
CHUNK_SIZE = 8 * 1024

T = TypeVar("T")

_BREAKS = (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException)


class Streamed(Protocol):
    """An answer whose body has not been read."""

    method: str
    url: str

    def pieces(self) -> Iterator[bytes]:
        """Return the body's pieces, decoded, each as soon as it arrives."""
        ...

    def read(self, size: int) -> bytes | None:
        """Return the next ``size`` bytes of the body, the rest if that is negative; None if `pieces` has to be read."""
        ...

    def close(self) -> None:
        """Close the connection if the body was not read to its end."""
        ...

    def interrupt(self) -> None:
        """End a read that waits in another thread."""
        ...


class ResponseBody(io.BufferedIOBase):
    """The body of an answer as a readable binary file: `read`, `readline`, iteration by lines, ``with``, `close`.

    Closing it before its end closes the connection; reading to the end gives the connection back to the session. A feed
    that never ends can be read too: lines are given out as soon as they arrive. Reading raises `TimedOut` or
    `ConnectionFailed`.

    The arguments of couchdb-python's class are accepted too: an `http.client.HTTPResponse` or any object with ``close``
    and ``read`` (or a file ``fp`` with a chunked body), and the ``conn_pool`` whose ``release(url, conn)`` gets the
    connection back at the end of the body.
    """

    def __init__(self, answer: Streamed | Any, conn_pool: Any = None, url: Any = None, conn: Any = None) -> None:
        self._answer: Streamed = answer if hasattr(answer, "pieces") else _PlainResponse(answer, conn_pool, url, conn)
        self._pieces = self._answer.pieces()
        self._buffer = b""
        self._position = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end; the rest if ``size`` is negative or None."""
        parts = [self._buffered(size)]
        missing = -1 if size is None or size < 0 else size - len(parts[0])
        if missing < 0 or missing >= PIECE_SIZE:
            further = self._waiting_for(lambda: self._answer.read(missing))
            if further is not None:
                return parts[0] + further if parts[0] else further
        while missing and self._fill():
            parts.append(self._buffered(missing))
            missing = max(missing - len(parts[-1]), 0) if missing > 0 else missing
        return b"".join(parts)

    def read1(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes of what has arrived; wait only if nothing has."""
        return self._buffered(size) if self._position < len(self._buffer) or self._fill() else b""

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line with its newline; without one at the end of the body."""
        newline = self._buffer.find(b"\n", self._position)
        if newline >= 0 and (size is None or size < 0):
            return self._buffered(newline + 1 - self._position)
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

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines of the body."""
        while True:
            end = self._buffer.rfind(b"\n") + 1
            if end > self._position:  # whole lines have arrived: no need to look for each by itself
                begin = self._position
                for line in self._buffer[begin : end - 1].split(b"\n"):
                    begin += len(line) + 1
                    self._position = begin
                    yield line + b"\n"
                    if self._position != begin:  # something was read in between
                        break
            line = self.readline()
            if not line:
                return
            yield line

    def line_batches(self) -> Iterator[list[bytes]]:
        """Yield the lines of the body, as many at a time as have arrived."""
        while True:
            end = self._buffer.rfind(b"\n") + 1
            if end > self._position:
                lines = self._buffer[self._position : end - 1].split(b"\n")
                self._position = end
                yield lines
            line = self.readline()
            if not line:
                return
            yield [line]

    def iterchunks(self) -> Iterator[bytes]:
        """Return an iterator over the lines of the body (couchdb-python's name for it)."""
        return iter(self)

    def interrupt(self) -> None:
        """End a read that waits in another thread, as if the connection had broken."""
        self._answer.interrupt()

    def close(self) -> None:
        if not self.closed:
            self._answer.close()
        super().close()

    def _buffered(self, size: int | None) -> bytes:
        end = len(self._buffer) if size is None or size < 0 else self._position + size
        piece = self._buffer[self._position : end]
        self._position += len(piece)
        return piece

    def _fill(self) -> bool:
        """Wait for the next piece, once the buffer is empty. Return False at the end of the body."""
        self._buffer, self._position = self._waiting_for(lambda: next(self._pieces, b"")), 0
        return bool(self._buffer)

    def _waiting_for(self, read: Callable[[], T]) -> T:
        """Return what ``read`` returns. Raise `TimedOut` or `ConnectionFailed` if the connection breaks."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        try:
            return read()
        except _BREAKS as exc:
            failure = connection_error(exc)
            if failure is None:
                raise
            in_request(failure, self._answer.method, self._answer.url)
            raise failure from exc


class _PlainResponse:
    """A response of the standard library's, whose connection goes back to a pool at its end."""

    method = "GET"

    def __init__(self, response: Any, pool: Any, url: Any, connection: Any) -> None:
        self._response = response
        self._pool = pool
        self._connection = connection
        self.url = str(url)

    def pieces(self) -> Iterator[bytes]:
        response = self._response
        read = getattr(response, "read1", getattr(response, "read", self._read_chunk))
        while piece := read(PIECE_SIZE):
            yield piece
        response.close()
        self._release()

    def read(self, _size: int) -> None:
        return None

    def _read_chunk(self, _size: int) -> bytes:
        """Return the next chunk of a response that can be read by its file ``fp`` only."""
        file = self._response.fp
        line = file.readline()
        chunk: bytes = file.read(int(line, 16)) if line else b""
        file.read(2)
        return chunk

    def interrupt(self) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:  # the rest of the body would come before the next answer
            self._connection.close()
        self._response.close()
        self._release()

    def _release(self) -> None:
        pool, self._pool = self._pool, None
        connection, self._connection = self._connection, None
        if pool is not None and connection is not None:
            pool.release(self.url, connection)


class Upload:
    """A file-like object as the body of a request, read in pieces while it is sent, from its current position.

    Pieces of text are sent as UTF-8. The attribute ``len`` is the number of bytes that will be sent, where it is known
    beforehand: the request announces it, and no more is sent even if the file has grown meanwhile. A file that has
    shrunk raises `ValueError` while it is sent. Where the length is not known the body is sent in chunks.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._start = _position(file)
        if self._start is not None and isinstance(file.read(0), bytes):
            self.len = file.seek(0, io.SEEK_END) - self._start
            file.seek(self._start)

    def __iter__(self) -> Iterator[bytes]:
        announced: int | None = getattr(self, "len", None)
        sent = 0
        while announced is None or sent < announced:
            size = PIECE_SIZE if announced is None else min(PIECE_SIZE, announced - sent)
            piece = self._file.read(size)
            if not piece:
                break
            data = piece.encode("utf-8") if isinstance(piece, str) else piece
            sent += len(data)
            yield data
        if announced is not None and sent < announced:
            raise ValueError(f"the file became shorter while it was sent: {sent} of {announced} bytes were there")

    def rewind(self) -> bool:
        """Go back to the beginning, to send it again. Return False if the object cannot."""
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
