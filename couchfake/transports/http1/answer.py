"""Writes an application's answer as HTTP/1.1: head and body in one segment where possible."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from couchfake.transports.client import ClientDisconnected
from couchfake.transports.http1.request import Head, MalformedRequest
from couchfake.transports.wsgi import Answer, has_no_body

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

ONE_SEGMENT = 1 << 16  # bodies up to this size are copied behind their head; larger ones follow it
_DECIDED_HERE = frozenset(("connection", "content-length", "date", "transfer-encoding"))
SERVER_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class AnswerWriter:
    """Writes one answer. After :meth:`run`, ``status`` and ``body_size`` say what was sent.

    ``keep_alive`` says whether another request may follow. ``never_came`` is True if the request announced a body
    that had not begun to arrive when the answer was sent: the beginning of the next request is then unknown.
    """

    def __init__(
        self, send: Callable[[bytes], None], head: Head, date: Callable[[], str], never_came: Callable[[], bool]
    ) -> None:
        self._send = send
        self._head = head
        self._date = date
        self._never_came = never_came
        self._length: int | None = None  # as the head says
        self._chunked = False
        self.status = 0
        self.body_size = 0
        self.head_sent = False
        self.keep_alive = head.keep_alive
        self.never_came = False

    def run(self, application: WSGIApplication, environ: dict[str, Any]) -> None:
        """Have the application answer. Raise ClientDisconnected or MalformedRequest; other errors become a 500."""
        try:
            answer = Answer(application, environ)
            try:
                self._write(answer)
            finally:
                answer.close()
        except (ClientDisconnected, MalformedRequest):
            self.keep_alive = False
            raise
        except Exception:  # the boundary of the application: whatever it is, the next request must be answered
            logger.exception("the application failed at %s %s", self._head.method, self._head.target)
            self.keep_alive = False
            if not self.head_sent:
                self.status = 500
                self._send(SERVER_ERROR)

    def _write(self, answer: Answer) -> None:
        self.status = answer.status
        if answer.whole is not None or answer.bodiless:
            self._write_whole(answer, answer.whole or b"")
            return
        while (chunk := answer.next_chunk()) is not None:
            self._write_chunk(answer, chunk)
        if self._chunked:
            self._send(b"0\r\n\r\n")
        elif self._length is not None and self._length != self.body_size:
            self.keep_alive = False  # the client cannot know where the next answer begins

    def _write_whole(self, answer: Answer, body: bytes) -> None:
        """Write head and body at once, with a Content-Length."""
        head = self._make_head(answer, len(body))
        self.head_sent = True
        if answer.bodiless:
            body = b""
        elif self._length not in (None, len(body)):
            self.keep_alive = False
        self.body_size = len(body)
        if len(body) <= ONE_SEGMENT:
            self._send(head + body)
        else:
            self._send(head)
            self._send(body)

    def _write_chunk(self, answer: Answer, chunk: bytes) -> None:
        """Write one piece of a body of unknown length at once; the first with the head, even if it is empty."""
        head = b""
        if not self.head_sent:
            head = self._make_head(answer, None)
            self.head_sent = True
        self.body_size += len(chunk)
        if chunk and self._chunked:
            self._send(b"%b%x\r\n%b\r\n" % (head, len(chunk), chunk))
        elif chunk or head:
            self._send(head + chunk)

    def _make_head(self, answer: Answer, length: int | None) -> bytes:
        """Return the head's bytes, and decide on the framing. ``length`` is the body's, if known."""
        lines = [f"HTTP/1.{min(self._head.minor, 1)} {answer.status} {answer.reason}"]
        dated = False
        for name, value in answer.headers:
            lower = name.lower()
            if lower in _DECIDED_HERE:
                if lower == "content-length":
                    self._length = int(value)
                elif lower == "date":
                    dated = True
                elif lower == "transfer-encoding":
                    continue
                elif "close" in value.lower():
                    self.keep_alive = False
                    continue
            lines.append(f"{name}: {value}")
        if not dated:
            lines.append("Date: " + self._date())
        if self._length is None and not has_no_body(answer.status):
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
        head_only = self._head.method == "HEAD"
        if length is not None and not (head_only and length == 0):
            lines.append(f"Content-Length: {length}")
        elif self._head.minor > 0:
            lines.append("Transfer-Encoding: chunked")
            self._chunked = not head_only
        elif not head_only:
            self.keep_alive = False  # HTTP/1.0 has no other way to end a body
