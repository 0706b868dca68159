"""One client's connection: reads requests one after the other and writes the application's answers."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from couchfake.transports.client import ENVIRON_KEY, Client, ClientDisconnected
from couchfake.transports.http1.answer import AnswerWriter
from couchfake.transports.http1.request import Head, MalformedRequest, RequestBody, Source, parse_head
from couchfake.transports.monotonic import real_monotonic
from couchfake.transports.wsgi import DateHeader, base_environ, make_environ

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

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
