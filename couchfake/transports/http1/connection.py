"""One client's connection: requests read one after the other, answered by the application, written."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from couchfake.transports.client import ENVIRON_KEY, Client
from couchfake.transports.http1.answer import AnswerWriter
from couchfake.transports.http1.body import RequestBody
from couchfake.transports.http1.head import ClientDisconnected, Head, MalformedRequest, Source, gateway

if TYPE_CHECKING:
    from couchfake.transports.http1.server import Server

IDLE_SECONDS = 300.0  # mochiweb's time-out for the next request, and for a client that takes or sends nothing
DRAIN_LIMIT = 1 << 28  # what is read and thrown away of a body that the application did not want
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


class Connection:
    """Serves one socket in a thread of its own, from :attr:`thread`'s start until either side ends it."""

    def __init__(self, server: Server, sock: socket.socket, address: tuple[Any, ...]) -> None:
        self._server = server
        self._socket = sock
        self._peer = Client()
        self._watched = False
        self._source = Source(self._receive)
        self._client = str(address[0]) if address else ""
        self._environ = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": server.host or "127.0.0.1",
            "SERVER_PORT": str(server.port),
            "REMOTE_ADDR": self._client,
            "REMOTE_PORT": str(address[1]) if len(address) > 1 else "",
            **gateway(),
        }
        self.thread = threading.Thread(target=self._serve, name=f"couchfake:{server.port}:client", daemon=True)

    # --- called by other threads ------------------------------------------------------------------------------------

    def cut(self) -> None:
        """End it from outside: the feed that it may carry is told, and reads and writes fail."""
        self._peer.leave()
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
            raise ClientDisconnected("the client left within its answer") from error

    def _answer_next(self) -> bool:
        """Take one request and answer it; False where the connection is to end."""
        try:
            raw = self._source.head()
            if raw is None:
                return False
            head = Head.parse(raw)
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
        self._peer = Client(self._watch)
        if self._server.stopping:  # stop() may have told the request before this one
            return False
        try:
            answer.run(self._server.application, self._environment(head, body))
        except MalformedRequest as error:  # of the body's chunks, let pass by the application
            if not answer.head_sent:
                self._refuse(error)
            return False
        except ClientDisconnected:
            return False
        finally:
            if self._server.log is not None and answer.status:
                seconds = time.perf_counter() - started
                self._server.log(
                    Access(self._client, head.method, head.target, answer.status, answer.body_size, seconds)
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
        environ: dict[str, Any] = dict(self._environ)
        environ.update(head.headers)
        environ["REQUEST_METHOD"] = head.method
        environ["REQUEST_URI"] = head.target
        environ["PATH_INFO"] = head.path
        environ["QUERY_STRING"] = head.query
        environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.minor else "HTTP/1.0"
        environ["wsgi.input"] = body
        environ[ENVIRON_KEY] = self._peer
        return environ

    def _continue(self) -> None:
        self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, error: MalformedRequest) -> None:
        """The real server's word to what it cannot parse: a status, no body, and the end of the connection."""
        phrase = {400: "Bad Request", 413: "Request Entity Too Large", 501: "Not Implemented"}[error.status]
        head = f"HTTP/1.1 {error.status} {phrase}\r\nDate: {self._server.date()}\r\nContent-Length: 0\r\n"
        self._send(head.encode("ascii") + b"Connection: close\r\n\r\n")
        self._linger()

    def _never_came(self, body: RequestBody) -> bool:
        """Whether a body was announced that nobody wanted and of which nothing is here yet.

        Some clients use headers again and announce a body that they do not send: then their next request cannot be
        told from it. The real server's HTTP layer ends the connection after any body left unread.
        """
        if body.ended or self._source.buffer:
            return False
        try:
            self._socket.settimeout(0)
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(IDLE_SECONDS)

    def _linger(self) -> None:
        """Let the client read its answer before the connection is reset for what it still sends."""
        self._socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + LINGER_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            if not self._socket.recv(RECEIVE_SIZE):
                return

    # --- looking out for the client's end while a feed waits ----------------------------------------------------------

    def _watch(self, client: Client) -> None:
        self._watched = True
        self._server.order(lambda selector: self._begin_watch(selector, client))

    def _begin_watch(self, selector: selectors.BaseSelector, client: Client) -> None:
        """In the accepting thread: have it call when the client's side becomes readable (sent more, or closed)."""
        if self._server.stopping or self._socket.fileno() < 0 or client is not self._peer:
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
            selector.unregister(self._socket)  # more requests may lie there: no longer a sign
            if ended:
                client.leave()

        selector.register(self._socket, selectors.EVENT_READ, readable)

    def _close(self) -> None:
        """Close the socket; a watched one in the thread that watches it, before its number is used again."""

        def end_watch(selector: selectors.BaseSelector) -> None:
            with contextlib.suppress(KeyError, ValueError):  # not watched any more; closed already
                selector.unregister(self._socket)
            self._socket.close()

        if not self._watched or not self._server.order(end_watch):
            self._socket.close()
