"""The body of an in-process answer, in the shape of ``urllib3.HTTPResponse`` that ``requests`` and its users expect."""

from __future__ import annotations

import contextlib
import email.message
import io
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import requests.exceptions
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import DecodeError, ReadTimeoutError

from couchfake.transports.client import Client

_GZIP = 16 + zlib.MAX_WBITS
_DECODED = frozenset({"gzip", "x-gzip", "deflate"})


class OriginalAnswer:
    """What the cookie code of ``requests`` looks for behind a raw answer: ``msg.get_all("Set-Cookie")``."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self.msg = email.message.Message()
        for name, value in fields:
            self.msg[name] = value

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        pass


class RawAnswer(io.RawIOBase):
    """An answer as it comes out of the application: ``iterable`` is WSGI's, ``seconds`` the time-out of each read.

    Reading in one thread while another closes is allowed: the feed behind it ends and the reader sees the end.
    """

    version = 11
    version_string = "HTTP/1.1"
    decode_content = False
    retries = None

    def __init__(self, iterable: Iterable[bytes], client: Client, seconds: float | None, url: str) -> None:
        self._iterable = iterable
        self._chunks: Iterator[bytes] | None = None
        self._peer = client
        self._seconds = seconds
        self._url = url
        self._ahead = b""  # of the application's bytes: made, not yet taken
        self._buffer = b""  # of the reader's bytes: taken (and decoded), not yet read
        self._data: bytes | None = None
        self._decoder: Any = None
        self._encoding = ""
        self._ended = False
        self._bodiless = False
        self._position = 0
        self._original_response: OriginalAnswer | None = None
        self.status = 0
        self.reason = ""
        self.fields: list[tuple[str, str]] = []

    # --- for the adapter --------------------------------------------------------------------------------------------

    def begin(self, written: list[bytes]) -> None:
        """Let the application run until its first chunk, with which a server sends the head."""
        self._chunks = iter(self._iterable)
        first = next(self._chunks, None)
        if first is None:
            self._end()
        self._ahead = b"".join(written) + (first or b"")

    def set_head(self, status: int, reason: str, fields: list[tuple[str, str]], head_only: bool) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self._bodiless = head_only or status in (204, 304) or status < 200
        length = None
        for name, value in fields:
            lower = name.lower()
            if lower == "content-encoding":
                self._encoding = value.lower()
            elif lower == "content-length":
                length = value
        if length is None and not self._bodiless:
            if self._chunks is None:
                self._ahead = b"".join(self._iterable)
                self._end()
                self.fields = [*fields, ("Content-Length", str(len(self._ahead)))]
            else:
                self.fields = [*fields, ("Transfer-Encoding", "chunked")]
        if self._bodiless:
            self._ahead = b""
            self._end()

    def keep_cookies(self) -> None:
        self._original_response = OriginalAnswer(self.fields)

    def whole(self) -> bytes:
        """All of the body, decoded. Raises requests' ConnectionError or ContentDecodingError."""
        try:
            return self.read(decode_content=True)
        except ReadTimeoutError as error:
            raise requests.exceptions.ConnectionError(error) from error
        except DecodeError as error:
            raise requests.exceptions.ContentDecodingError(error) from error

    # --- the application's side -------------------------------------------------------------------------------------

    def _next_chunk(self) -> bytes | None:
        """The next chunk as sent, None at the end. Raises ReadTimeoutError, and whatever the application raises."""
        if self._ahead:
            chunk, self._ahead = self._ahead, b""
            self._position += len(chunk)
            return chunk
        if self._ended:
            return None
        if self._chunks is None:
            self._chunks = iter(self._iterable)
        more = False
        try:
            while True:
                deadline = None
                if self._seconds is not None:
                    deadline = self._peer.deadline = time.monotonic() + self._seconds
                next_chunk = next(self._chunks, None)
                if deadline is not None and time.monotonic() >= deadline:
                    raise read_timed_out(self._url, self._seconds)
                if next_chunk is None:
                    return None
                if next_chunk:
                    more = True
                    self._position += len(next_chunk)
                    return next_chunk
        finally:
            if not more:
                self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        close = getattr(self._iterable, "close", None)
        if close is not None:
            with contextlib.suppress(ValueError):  # it runs in another thread, which the client has told to end
                close()

    def _decode(self, chunk: bytes) -> bytes:
        if self._decoder is None:
            self._decoder = zlib.decompressobj(_GZIP if "gzip" in self._encoding else zlib.MAX_WBITS)
        try:
            data: bytes = self._decoder.decompress(chunk)
        except zlib.error as error:
            raise DecodeError(f"Content-Encoding is {self._encoding}, but it could not be decoded", error) from error
        return data

    # --- urllib3.HTTPResponse's face ----------------------------------------------------------------------------------

    def stream(self, amt: int | None = 1 << 16, decode_content: bool | None = None) -> Iterator[bytes]:
        """The body in pieces of ``amt`` bytes at most, each as soon as the application has made it."""
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
                self._buffer = data[start:]  # of a reader who stops here

    def read(self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False) -> bytes:
        """``amt`` bytes, fewer only at the end, or all that is left."""
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
        """What is there, or the next chunk if nothing is; at most ``amt`` bytes."""
        data = next(self.stream(None, decode_content), b"")
        if amt is not None and amt >= 0:
            data, self._buffer = data[:amt], data[amt:]
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1, /) -> bytes:
        line = b""
        limit = 1 << 62 if size is None or size < 0 else size
        while len(line) < limit and (piece := self.read1()):
            line += piece
            end = min(line.find(b"\n") + 1 or len(line), limit)
            if end < len(line) or line.endswith(b"\n"):
                line, self._buffer = line[:end], line[end:]
                break
        return line

    def __iter__(self) -> Iterator[bytes]:
        """Lines, as urllib3's do."""
        return iter(self.readline, b"")

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
        """There is no connection to give back."""

    def drain_conn(self) -> None:
        self.read()

    def close(self) -> None:
        """The client is no longer interested: the application's generator is told and closed."""
        if not self.closed:
            self._peer.leave()
            self._ahead = self._buffer = b""
            self._end()
            super().close()


def read_timed_out(url: str, seconds: float | None) -> ReadTimeoutError:
    return ReadTimeoutError(None, url, f"Read timed out. (read timeout={seconds})")  # type: ignore[arg-type]  # no pool
