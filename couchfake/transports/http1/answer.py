"""Runs a WSGI application for one request and writes its answer as HTTP/1.1, head and body in one piece if it can."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from couchfake.transports.http1.head import ClientDisconnected, Head, MalformedRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

ONE_SEGMENT = 1 << 16  # bodies up to this size are copied behind their head; larger ones follow it
SERVER_ERROR = b"Content-Length: 0\r\nConnection: close\r\n\r\n"

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class AnswerWriter:
    """One answer. After :meth:`run`, ``status`` and ``body_size`` say what was sent and ``keep_alive`` what follows."""

    def __init__(
        self, send: Callable[[bytes], None], head: Head, date: Callable[[], str], never_came: Callable[[], bool]
    ) -> None:
        self._send = send
        self._head = head
        self._date = date
        self._never_came = never_came
        self._status_line = ""
        self._headers: list[tuple[str, str]] = []
        self._length: int | None = None  # as the head says
        self._chunked = False
        self._without_body = False
        self.status = 0
        self.body_size = 0
        self.head_sent = False
        self.keep_alive = head.keep_alive
        self.never_came = False  # the request's body, as the answer began: nobody knows where the next one begins

    def run(self, application: WSGIApplication, environ: dict[str, Any]) -> None:
        """Have the application answer. Raises ClientDisconnected, MalformedRequest; other errors become a 500."""
        try:
            iterable = application(environ, self._start_response)
            try:
                self._write_all(iterable)
            finally:
                close = getattr(iterable, "close", None)
                if close is not None:
                    close()
        except (ClientDisconnected, MalformedRequest):
            self.keep_alive = False
            raise
        except Exception:  # the boundary of the application: whatever it is, the next request must be answered
            logger.exception("the application failed at %s %s", self._head.method, self._head.path)
            self.keep_alive = False
            if not self.head_sent:
                self.status = 500
                self._send(b"HTTP/1.1 500 Internal Server Error\r\n" + SERVER_ERROR)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None and self.head_sent and exc_info[1] is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._status_line and exc_info is None:
            raise RuntimeError("start_response was called twice")
        self._status_line = status
        self.status = int(status[:3])
        self._headers = headers
        return self._write_chunk

    def _write_all(self, iterable: Iterable[bytes]) -> None:
        if isinstance(iterable, (list, tuple)):
            self._write_whole(b"".join(iterable))
            return
        if self._status_line and (self._head.method == "HEAD" or self._bodiless_status()):
            self._write_whole(b"")  # its chunks are not even made
            return
        for chunk in iterable:
            self._write_chunk(chunk)
            if self._without_body:  # the head is all there is to say, and a feed would go on for ever
                return
        if not self.head_sent:
            self._write_whole(b"")
        else:
            self._end()

    def _end(self) -> None:
        if self._chunked:
            self._send(b"0\r\n\r\n")
        elif self._length is not None and self._length != self.body_size:
            self.keep_alive = False  # the client cannot know where the next answer begins

    def _write_whole(self, body: bytes) -> None:
        """Head and body at once, with a Content-Length."""
        if self.head_sent:  # something was written through start_response's callable
            self._write_chunk(body)
            self._end()
            return
        head = self._make_head(len(body))
        if self._without_body:
            body = b""
        self.head_sent = True
        self.body_size = len(body)
        if not self._without_body and self._length not in (None, len(body)):
            self.keep_alive = False
        if len(body) <= ONE_SEGMENT:
            self._send(head + body)
        else:
            self._send(head)
            self._send(body)

    def _write_chunk(self, chunk: bytes) -> None:
        """One piece of a body whose end is not known, sent at once; the first with the head, even if it is empty."""
        prefix = b""
        if not self.head_sent:
            prefix = self._make_head(None)
            self.head_sent = True
        if self._without_body or not chunk:
            if prefix:
                self._send(prefix)
            return
        self.body_size += len(chunk)
        if self._chunked:
            self._send(b"%b%x\r\n%b\r\n" % (prefix, len(chunk), chunk))
        else:
            self._send(prefix + chunk if prefix else chunk)

    def _bodiless_status(self) -> bool:
        return self.status in (204, 304) or self.status < 200

    def _make_head(self, length: int | None) -> bytes:
        """The head's bytes; decides on the framing. ``length`` is the body's where it is known."""
        if not self._status_line:
            raise RuntimeError("the application did not call start_response")
        self._without_body = self._head.method == "HEAD" or self._bodiless_status()
        lines = [f"HTTP/1.{min(self._head.minor, 1)} {self._status_line}"]
        dated = False
        for name, value in self._headers:
            lower = name.lower()
            dated = dated or lower == "date"
            if lower == "connection" and "close" in value.lower():
                self.keep_alive = False
                continue
            if lower == "transfer-encoding":  # is decided here
                continue
            if lower == "content-length":
                self._length = int(value)
            lines.append(f"{name}: {value}")
        if not dated:
            lines.append("Date: " + self._date())
        if self._length is None and not self._bodiless_status():
            self._frame(lines, length)
        self.never_came = self._never_came()
        self.keep_alive = self.keep_alive and not self.never_came
        if not self.keep_alive:
            lines.append("Connection: close")
        elif self._head.minor == 0:
            lines.append("Connection: keep-alive")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1:
            raise ValueError("a line end within a header")
        return head.encode("latin-1") + b"\r\n\r\n"

    def _frame(self, lines: list[str], length: int | None) -> None:
        if length is not None and not (self._head.method == "HEAD" and length == 0):
            lines.append(f"Content-Length: {length}")
        elif self._head.minor > 0:
            lines.append("Transfer-Encoding: chunked")
            self._chunked = not self._without_body
        elif self._head.method != "HEAD":
            self.keep_alive = False  # HTTP/1.0 knows no other end
