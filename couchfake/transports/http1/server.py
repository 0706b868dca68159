"""A threaded HTTP/1.1 server for one WSGI application, on a socket.

    server = Server(application, port=0).start()
    server.url                              # http://127.0.0.1:40713
    server.stop()

A thread for each connection, keep-alive, pipelining, chunked bodies both ways. It differs from an ordinary WSGI
server in these points:

- ``REQUEST_URI`` is the path and query as they were sent, escapes included, since CouchDB tells ``%2F`` from ``/``;
- methods may have any name, and malformed requests get what the real server's HTTP layer answers: an empty 400;
- each chunk of a streaming answer is sent at once, and **an empty chunk sends the head**: a feed with nothing to send
  yet yields ``b""`` first;
- ``wsgi.input`` raises ``ClientDisconnected`` if the client disconnects within the body;
- ``environ["couchfake.transports.client"]`` is a :class:`~couchfake.transports.client.Client`: a feed waits through
  it and ends as soon as the client disconnects or the server stops.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from types import TracebackType
from typing import TYPE_CHECKING

from couchfake.transports.http1.connection import Access, Connection

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["Access", "Server", "listen"]

logger = logging.getLogger(__name__)

BODY_LIMIT = 1 << 32  # 4 GiB, CouchDB's default max_http_request_size; the application has its own, lower or not


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
