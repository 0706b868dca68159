"""One client's connection: reads requests one after the other and writes the application's answers."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from couchfake.transports.client import ENVIRON_KEY, Client, ClientDisconnected
from couchfake.transports.http1.request import Head, MalformedRequest, RequestBody, Source, parse_head
from couchfake.transports.monotonic import real_monotonic
from couchfake.transports.wsgi import Answer, DateHeader, base_environ, has_no_body, make_environ

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


# ---- an answer: head and body in one segment where possible

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


# ---- the connection

IDLE_SECONDS = 300.0  # mochiweb's time-out for the next request, and for a client that takes or sends nothing
DRAIN_LIMIT = 1 << 28  # bytes of an unwanted body that are read and discarded
LINGER_SECONDS = 1.0
RECEIVE_SIZE = 1 << 16


class Access(NamedTuple):
    """One answered request, for a log: the target as it was sent, times in seconds."""

    client: str
    method: str
    target: str
    status: int
    size: int
    seconds: float


class ConnectionOwner(Protocol):
    """What a connection needs of its server."""

    application: WSGIApplication
    host: str
    port: int
    body_limit: int
    stopping: bool
    log: Callable[[Access], None] | None
    date: DateHeader

    def order(self, work: Callable[[selectors.BaseSelector], None]) -> bool:
        """Call ``work`` in the thread that owns the selector. Return False if that thread has ended."""

    def forget(self, connection: Connection) -> None:
        """Remove a connection that has ended."""


class Connection:
    """Serves one socket in a thread of its own, from the start of :attr:`thread` until either side ends it.

    ``idle_since`` is the ``real_monotonic`` time since which it waits for a request, None while it answers one.
    """

    def __init__(self, server: ConnectionOwner, sock: socket.socket, address: tuple[Any, ...]) -> None:
        self._server = server
        self._socket = sock
        self._client = Client()
        self._watched = False
        self._source = Source(self._receive)
        self._client_host = str(address[0]) if address else ""
        client_port = address[1] if len(address) > 1 else ""
        self._environ = base_environ(server.host or "127.0.0.1", server.port, self._client_host, client_port)
        self.idle_since: float | None = real_monotonic()
        self.thread = threading.Thread(target=self._serve, name=f"couchfake:{server.port}:client", daemon=True)

    # --- called by other threads ------------------------------------------------------------------------------------

    def cut(self) -> None:
        """End the connection from outside: a feed on it ends, and its reads and writes fail."""
        self._client.leave()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    # --- its own thread ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            self._socket.settimeout(IDLE_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._answer_next():
                pass
        except OSError:  # the client is gone, or slower than the time-out
            pass
        finally:
            self._server.forget(self)
            self._close()

    def _receive(self) -> bytes:
        return self._socket.recv(RECEIVE_SIZE)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ClientDisconnected("the client disconnected within its answer") from error

    def _answer_next(self) -> bool:
        """Read one request and answer it. Return False if the connection is to end."""
        self.idle_since = real_monotonic()
        try:
            raw = self._source.head()
            if raw is None:
                return False
            self.idle_since = None
            head = parse_head(raw)
            if head.length is not None and head.length > self._server.body_limit:
                raise MalformedRequest("request body too large", 413)
        except MalformedRequest as error:
            self._refuse(error)
            return False
        started = time.perf_counter()
        body = RequestBody(self._source, head.length, head.chunked, self._server.body_limit)
        if head.minor and head.has_body and head.headers.get("HTTP_EXPECT", "").lower() == "100-continue":
            body.on_first_read = self._continue
        answer = AnswerWriter(self._send, head, self._server.date, lambda: self._never_came(body))
        self._client = Client(self._watch)
        if self._server.stopping:  # stop() may have cut the request before this one
            return False
        try:
            answer.run(self._server.application, self._environment(head, body))
        except MalformedRequest as error:  # in the body's chunks; the application did not catch it
            if not answer.head_sent:
                self._refuse(error)
            return False
        except ClientDisconnected:
            return False
        finally:
            if self._server.log is not None and answer.status:
                seconds = time.perf_counter() - started
                self._server.log(
                    Access(self._client_host, head.method, head.target, answer.status, answer.body_size, seconds)
                )
        if answer.never_came:
            self._linger()
            return False
        if body.drain(DRAIN_LIMIT) and answer.keep_alive:
            return True
        if not body.ended or body.broken:
            self._linger()
        return False

    def _environment(self, head: Head, body: RequestBody) -> dict[str, Any]:
        environ = make_environ(self._environ, head.method, head.target, head.headers, body)
        if not head.minor:
            environ["SERVER_PROTOCOL"] = "HTTP/1.0"
        environ[ENVIRON_KEY] = self._client
        return environ

    def _continue(self) -> None:
        self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, error: MalformedRequest) -> None:
        """Answer what cannot be parsed as the real server does: a status without a body, and the connection ends."""
        phrase = {400: "Bad Request", 413: "Request Entity Too Large", 501: "Not Implemented"}[error.status]
        head = f"HTTP/1.1 {error.status} {phrase}\r\nDate: {self._server.date()}\r\nContent-Length: 0\r\n"
        self._send(head.encode("ascii") + b"Connection: close\r\n\r\n")
        self._linger()

    def _never_came(self, body: RequestBody) -> bool:
        """Return whether a body was announced, was not read by the application, and has not begun to arrive.

        Some clients reuse headers and announce a body that they do not send; it could not be distinguished from
        their next request. The real server's HTTP layer ends the connection after any unread body.
        Raise ClientDisconnected if the client has reset the connection.
        """
        if body.ended or self._source.buffer:
            return False
        try:
            self._socket.settimeout(0)
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError as error:
            raise ClientDisconnected("the client reset the connection") from error
        finally:
            self._socket.settimeout(IDLE_SECONDS)

    def _linger(self) -> None:
        """Let the client read its answer before the connection is reset for what it still sends."""
        self._socket.shutdown(socket.SHUT_WR)
        deadline = real_monotonic() + LINGER_SECONDS
        while (remaining := deadline - real_monotonic()) > 0:
            self._socket.settimeout(remaining)
            if not self._socket.recv(RECEIVE_SIZE):
                return

    # --- watching for the client's end while a feed waits ----------------------------------------------------------

    def _watch(self, client: Client) -> None:
        self._watched = True
        self._server.order(lambda selector: self._begin_watch(selector, client))

    def _begin_watch(self, selector: selectors.BaseSelector, client: Client) -> None:
        """In the accepting thread: watch for the socket to become readable (the client sent more, or closed)."""
        if self._server.stopping or self._socket.fileno() < 0 or client is not self._client:
            return
        with contextlib.suppress(KeyError):
            selector.unregister(self._socket)

        def readable() -> None:
            try:
                ended = not self._socket.recv(1, socket.MSG_PEEK)
            except (BlockingIOError, TimeoutError):
                return
            except OSError:
                ended = True
            selector.unregister(self._socket)  # the next request may lie there: watching on would spin
            if ended:
                client.leave()

        selector.register(self._socket, selectors.EVENT_READ, readable)

    def _close(self) -> None:
        """Close the socket; a watched one in the thread that watches it, before its descriptor is reused."""

        def end_watch(selector: selectors.BaseSelector) -> None:
            with contextlib.suppress(KeyError, ValueError):  # not watched any more; closed already
                selector.unregister(self._socket)
            self._socket.close()

        if not self._watched or not self._server.order(end_watch):
            self._socket.close()
