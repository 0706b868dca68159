"""A threaded HTTP/1.1 server for one WSGI application, on a socket.

    server = Server(application, port=0).start()
    server.url                              # http://127.0.0.1:40713
    server.stop()

A thread for each connection, keep-alive, pipelining, chunked bodies both ways. Compared with what a plain WSGI server
does:

- ``REQUEST_URI`` is the path and query as they were sent, escapes and all, for CouchDB tells ``%2F`` from ``/``;
- methods may have any name, and malformed requests get what the real server's HTTP layer has for them: an empty 400;
- each chunk of a streaming answer is sent at once, and **an empty chunk sends the head**: a feed with nothing to say
  yet yields ``b""`` first;
- ``wsgi.input`` raises :class:`~couchfake.wire.ClientDisconnected` where the client vanishes within the body;
- ``environ["couchfake.peer"]`` is a :class:`~couchfake.peer.Peer`: a feed waits through it and ends as soon as the
  client, or the server, goes.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from couchfake.answer import AnswerWriter
from couchfake.peer import ENVIRON_KEY, Peer
from couchfake.wire import ClientDisconnected, Head, MalformedRequest, RequestBody, Source

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

IDLE_SECONDS = 300.0  # mochiweb's time-out for the next request, and for a client that takes or sends nothing
BODY_LIMIT = 1 << 32  # 4 GiB, CouchDB's default max_http_request_size; the application has its own, lower or not
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


class Server:
    """Serves ``application`` on ``host:port`` (0: any free port) from :meth:`start` until :meth:`stop`.

    ``log`` is called with an :class:`Access` after each answer. :meth:`start` raises OSError where the address cannot
    be had, with a message that names it.
    """

    def __init__(
        self,
        application: WSGIApplication,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        log: Callable[[Access], None] | None = None,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        self.application = application
        self.host = host
        self.port = port
        self.log = log
        self.body_limit = body_limit
        self.stopping = False
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._wake_receiver: socket.socket | None = None
        self._wake_sender: socket.socket | None = None
        self._selector: selectors.BaseSelector | None = None
        self._orders: deque[Callable[[selectors.BaseSelector], None]] = deque()
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()
        self._date = (0, "")

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> Server:
        """Bind, listen and serve in threads of our own. The server answers when this returns."""
        if self._listener is not None:
            raise RuntimeError("the server runs already")
        self._listener = listen(self.host, self.port)
        self.port = self._listener.getsockname()[1]
        self.stopping = False
        self._selector = selectors.DefaultSelector()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._acceptor = threading.Thread(target=self._accept, name=f"couchfake:{self.port}", daemon=True)
        self._acceptor.start()
        return self

    def stop(self, timeout: float = 5.0) -> None:
        """Stop listening, end every connection (feeds are told through their peers) and join the threads."""
        if self._listener is None:
            return
        with self._lock:
            self.stopping = True
            connections = list(self._connections)
        self._wake()
        for connection in connections:
            connection.cut()
        deadline = time.monotonic() + timeout
        for thread in (self._acceptor, *(connection.thread for connection in connections)):
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        self._obey()  # what came too late for the accepting thread
        for resource in (self._selector, self._listener, self._wake_sender, self._wake_receiver):
            if resource is not None:
                resource.close()
        self._selector = self._listener = self._acceptor = self._wake_sender = self._wake_receiver = None

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """``http://host:port``, without a slash at its end; a wildcard address is named by its loopback."""
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    # --- the accepting thread ---------------------------------------------------------------------------------------

    def _accept(self) -> None:
        assert self._listener is not None and self._wake_receiver is not None and self._selector is not None
        selector = self._selector
        selector.register(self._listener, selectors.EVENT_READ, self._accept_one)
        selector.register(self._wake_receiver, selectors.EVENT_READ, self._woken)
        while not self.stopping:
            for key, _ in selector.select():
                key.data()
            self._obey()

    def _obey(self) -> None:
        assert self._selector is not None
        while self._orders:
            self._orders.popleft()(self._selector)

    def _accept_one(self) -> None:
        assert self._listener is not None
        try:
            sock, address = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                logger.error("no connection can be accepted: %s", error)
                time.sleep(0.05)  # the condition lasts; the listener stays readable meanwhile
            return
        connection = Connection(self, sock, address)
        with self._lock:  # stop() joins only threads that have started
            if self.stopping:
                sock.close()
                return
            try:
                connection.thread.start()
            except RuntimeError:
                logger.error("no thread for another connection")
                sock.close()
                return
            self._connections.add(connection)

    def _woken(self) -> None:
        assert self._wake_receiver is not None
        with contextlib.suppress(BlockingIOError):
            while self._wake_receiver.recv(4096):
                pass

    def _wake(self) -> None:
        sender = self._wake_sender
        if sender is not None:
            with contextlib.suppress(OSError):
                sender.send(b".")

    def order(self, work: Callable[[selectors.BaseSelector], None]) -> bool:
        """Have the accepting thread do something with its selector; False where that thread has ended."""
        self._orders.append(work)
        self._wake()
        return self._acceptor is not None and self._acceptor.is_alive()

    # --- for connections --------------------------------------------------------------------------------------------

    def forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.discard(connection)

    def date(self) -> str:
        """The Date header's value, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True))
        return self._date[1]


def listen(host: str, port: int) -> socket.socket:
    """A listening, non-blocking socket. Raises OSError whose message names the address."""
    try:
        if not 0 <= port <= 65535:  # some resolvers take it modulo 65536
            raise OverflowError("a port is a number from 0 to 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # elsewhere it would let two servers share the port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(512)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OSError(getattr(error, "errno", None), f"cannot listen on {host}:{port}: {reason}") from error
    return listener


class Connection:
    """One client's connection: reads requests one after the other, has the application answer, writes."""

    def __init__(self, server: Server, sock: socket.socket, address: tuple[Any, ...]) -> None:
        self._server = server
        self._socket = sock
        self._peer = Peer()
        self._watched = False
        self._source = Source(self._receive)
        self._client = str(address[0]) if address else ""
        self._environ = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": server.host or "127.0.0.1",
            "SERVER_PORT": str(server.port),
            "REMOTE_ADDR": self._client,
            "REMOTE_PORT": str(address[1]) if len(address) > 1 else "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
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
        answer = AnswerWriter(self._send, head, self._server.date)
        self._peer = Peer(self._watch)
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

    def _linger(self) -> None:
        """Let the client read its answer before the connection is reset for what it still sends."""
        self._socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + LINGER_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            if not self._socket.recv(RECEIVE_SIZE):
                return

    # --- looking out for the client's end while a feed waits ----------------------------------------------------------

    def _watch(self, peer: Peer) -> None:
        self._watched = True
        self._server.order(lambda selector: self._begin_watch(selector, peer))

    def _begin_watch(self, selector: selectors.BaseSelector, peer: Peer) -> None:
        """In the accepting thread: have it call when the client's side becomes readable (sent more, or closed)."""
        if self._server.stopping or self._socket.fileno() < 0 or peer is not self._peer:
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
                peer.leave()

        selector.register(self._socket, selectors.EVENT_READ, readable)

    def _close(self) -> None:
        """Close the socket; a watched one in the thread that watches it, before its number is used again."""

        def end_watch(selector: selectors.BaseSelector) -> None:
            with contextlib.suppress(KeyError, ValueError):  # not watched any more; closed already
                selector.unregister(self._socket)
            self._socket.close()

        if not self._watched or not self._server.order(end_watch):
            self._socket.close()
