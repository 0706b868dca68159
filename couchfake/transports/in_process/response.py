"""The body of an in-process answer, with the interface of ``urllib3.HTTPResponse`` that ``requests`` expects.

It is not a ``urllib3.HTTPResponse`` over a raw file: making and reading one takes 10 µs longer, a tenth of a whole
in-process GET, and its ``read(amt)`` and ``stream(amt)`` wait for ``amt`` bytes where a feed has sent fewer.
"""

from __future__ import annotations

import email.message
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import requests.exceptions
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError

from couchfake.transports.client import Client, ClientDisconnected
from couchfake.transports.monotonic import real_monotonic
from couchfake.transports.wsgi import Answer

_GZIP = 16 + zlib.MAX_WBITS
_DECODED = frozenset({"gzip", "x-gzip", "deflate"})
_LENGTHS = frozenset(map(len, ("content-encoding", "content-length", "set-cookie", "date")))


class OriginalAnswer:
    """What the cookie code of ``requests`` reads of a raw answer: ``msg.get_all("Set-Cookie")``."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self.msg = email.message.Message()
        for name, value in fields:
            self.msg[name] = value

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        pass


class RawAnswer(io.RawIOBase):
    """The body of ``answer``; ``seconds`` is the time-out of each read.

    One thread may close it while another reads: the feed behind it ends, and so does the reader's body.
    """

    version = 11
    version_string = "HTTP/1.1"
    decode_content = False
    retries = None

    def __init__(self, answer: Answer, client: Client, seconds: float | None, url: str) -> None:
        self._answer = answer
        self._client = client
        self._seconds = seconds
        self._url = url
        self._whole = b"" if answer.bodiless else answer.whole  # None: chunk by chunk
        self._buffer = b""  # bytes taken from the application (and decoded), not yet read
        self._data: bytes | None = None
        self._decoder: Any = None
        self._encoding = ""
        self._ended = False
        self._position = 0
        self._original_response: OriginalAnswer | None = None
        self.sets_cookies = False
        self.has_date = False
        self.status = answer.status
        self.reason = answer.reason
        self.fields = answer.headers
        self._frame(answer)
        if self._whole is not None:
            answer.close()

    # --- for the adapter --------------------------------------------------------------------------------------------

    def _frame(self, answer: Answer) -> None:
        """Note which headers there are, and add the one that a server adds for the length of a body."""
        length = None
        for name, value in answer.headers:
            if len(name) in _LENGTHS:  # most names need not be put into lower case
                lower = name.lower()
                if lower == "content-encoding":
                    self._encoding = value.lower()
                elif lower == "content-length":
                    length = value
                elif lower == "set-cookie":
                    self.sets_cookies = True
                elif lower == "date":
                    self.has_date = True
        if length is None and not answer.bodiless:
            framing = ("Transfer-Encoding", "chunked")
            if answer.whole is not None:
                framing = ("Content-Length", str(len(answer.whole)))
            self.fields = [*answer.headers, framing]

    def keep_cookies(self) -> None:
        self._original_response = OriginalAnswer(self.fields)

    def whole(self) -> bytes:
        """Return all of the body, decoded. Raise ConnectionError or ContentDecodingError of ``requests``."""
        if self._whole is not None and not self._encoding:
            return self._next_chunk() or b""
        try:
            return self.read(decode_content=True)
        except ReadTimeoutError as error:
            raise requests.exceptions.ConnectionError(error) from error
        except ProtocolError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error
        except DecodeError as error:
            raise requests.exceptions.ContentDecodingError(error) from error

    # --- the application's side -------------------------------------------------------------------------------------

    def _next_chunk(self) -> bytes | None:
        """Return the next chunk as sent, None at the end.

        Raise ReadTimeoutError, ProtocolError if the application closes the connection, and what else it raises.
        """
        if self._whole is not None:
            chunk, self._whole = self._whole, b""
            self._position += len(chunk)
            return chunk or None
        if self._ended:
            return None
        more = False
        try:
            while True:
                deadline = None
                if self._seconds is not None:
                    deadline = self._client.deadline = real_monotonic() + self._seconds
                following = self._answer.next_chunk()
                if deadline is not None and real_monotonic() >= deadline:
                    raise read_timed_out(self._url, self._seconds)
                if following is None:
                    return None
                if following:
                    more = True
                    self._position += len(following)
                    return following
        except ClientDisconnected as error:
            raise ProtocolError(f"Connection broken: {error}", error) from error
        finally:
            if not more:
                self._end()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._answer.close()

    def _decode(self, chunk: bytes) -> bytes:
        if self._decoder is None:
            self._decoder = zlib.decompressobj(_GZIP if "gzip" in self._encoding else zlib.MAX_WBITS)
        try:
            data: bytes = self._decoder.decompress(chunk)
        except zlib.error as error:
            raise DecodeError(f"Content-Encoding is {self._encoding}, but it could not be decoded", error) from error
        return data

    # --- the interface of urllib3.HTTPResponse ------------------------------------------------------------------------

    def stream(self, amt: int | None = 1 << 16, decode_content: bool | None = None) -> Iterator[bytes]:
        """Yield the body in pieces of ``amt`` bytes at most, each as soon as the application has made it."""
        decode = self._encoding in _DECODED and (self.decode_content if decode_content is None else decode_content)
        while True:
            data, self._buffer = self._buffer, b""
            if not data:
                chunk = self._next_chunk()
                if chunk is None:
                    return
                data = self._decode(chunk) if decode else chunk
            start, step = 0, amt or len(data)
            try:
                while start < len(data):
                    start += step
                    yield data[start - step : start]
            finally:
                self._buffer = data[start:]  # for the next read, if this one stops here

    def read(self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False) -> bytes:
        """Return ``amt`` bytes, fewer only at the end, or the rest."""
        if amt is None or amt < 0:
            pieces = list(self.stream(None, decode_content))
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if cache_content:
                self._data = data
            return data
        data = b""
        while len(data) < amt and (piece := next(self.stream(None, decode_content), b"")):
            data += piece
        data, self._buffer = data[:amt], data[amt:]
        return data

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """Return what can be read without waiting, or else the next chunk; at most ``amt`` bytes."""
        data = next(self.stream(None, decode_content), b"")
        if amt is not None and amt >= 0:
            data, self._buffer = data[:amt], data[amt:]
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def peek(self, _: int = 0, /) -> bytes:
        """Return what can be read without waiting, or else the next chunk; ``readline()`` uses it."""
        if not self._buffer:
            self._buffer = next(self.stream(None), b"")
        return self._buffer

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    @property
    def data(self) -> bytes:
        if self._data is None:
            self._data = self.read()
        return self._data

    @property
    def headers(self) -> HTTPHeaderDict:
        return HTTPHeaderDict(self.fields)

    def info(self) -> HTTPHeaderDict:
        return self.headers

    def getheaders(self) -> HTTPHeaderDict:
        return self.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        return self.headers.get(name, default)

    def geturl(self) -> str:
        return self._url

    def isclosed(self) -> bool:
        return self.closed

    def release_conn(self) -> None:
        """Do nothing: there is no connection to return to a pool."""

    def drain_conn(self) -> None:
        self.read()

    def close(self) -> None:
        """End the feed behind the answer: its client leaves, and the application's generator is closed."""
        if not self.closed:
            self._client.leave()
            self._whole = self._buffer = b""
            self._end()
            super().close()


def read_timed_out(url: str, seconds: float | None) -> ReadTimeoutError:
    return ReadTimeoutError(None, url, f"Read timed out. (read timeout={seconds})")  # type: ignore[arg-type]  # no pool
