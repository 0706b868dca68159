"""A threaded HTTP/1.1 server for one WSGI application, on a socket.

    server = Server(application, port=0).start()
    server.url                              # http://127.0.0.1:40713
    server.stop()

It has a thread for each connection, keep-alive, pipelining, and chunked bodies both ways. It differs from an ordinary
WSGI server in these points:

- ``REQUEST_URI`` is the path and query as sent, escapes included, because CouchDB distinguishes ``%2F`` from ``/``;
- methods may have any name, and malformed requests get what the real server's HTTP layer answers: an empty 400;
- each chunk of a streaming answer is sent at once, and **an empty chunk sends the head**: a feed with nothing to send
  yet yields ``b""`` first;
- when ``max_connections`` are open, or the process runs out of file descriptors, the connection that has been idle
  longest is closed to admit the next client;
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
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from couchfake.transports.http1.connection import Access, Connection
from couchfake.transports.monotonic import real_monotonic
from couchfake.transports.wsgi import DateHeader

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


__all__ = ["Access", "Server", "listen"]

logger = logging.getLogger(__name__)

BODY_LIMIT = 1 << 32  # 4 GiB, CouchDB's default max_http_request_size; the application has a limit of its own
MAX_CONNECTIONS = 2048  # mochiweb's default
CUT_SECONDS = 0.5  # that the end of a connection which is cut may take


class Server:
    """Serves ``application`` on ``host:port`` (0: any free port) from :meth:`start` until :meth:`stop`.

    ``log`` is called with an :class:`Access` after each answer. :meth:`start` raises OSError, with a message that names
    the address, if it cannot listen there.
    """

    def __init__(
        self,
        application: WSGIApplication,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        log: Callable[[Access], None] | None = None,
        body_limit: int = BODY_LIMIT,
        max_connections: int | None = None,
    ) -> None:
        self.application = application
        self.host = host
        self.port = port
        self.log = log
        self.body_limit = body_limit
        self.max_connections = max_connections or _default_max_connections()
        self.date = DateHeader()
        self.stopping = False
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._wake_receiver: socket.socket | None = None
        self._wake_sender: socket.socket | None = None
        self._selector: selectors.BaseSelector | None = None
        self._orders: deque[Callable[[selectors.BaseSelector], None]] = deque()
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> Server:
        """Bind, listen and serve in new threads. The server answers when this returns."""
        if self._listener is not None:
            raise RuntimeError("the server is running already")
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
        """Stop listening, end every connection and the feeds on them, and join the threads."""
        if self._listener is None:
            return
        with self._lock:
            self.stopping = True
            connections = list(self._connections)
        self._wake()
        for connection in connections:
            connection.cut()
        deadline = real_monotonic() + timeout
        for thread in (self._acceptor, *(connection.thread for connection in connections)):
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, deadline - real_monotonic()))
        self._obey()  # orders that came too late for the accepting thread
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
        """``http://host:port`` without a trailing slash. A wildcard address is given as the loopback address."""
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
            exhausted = error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
            if exhausted and not self._close_idle():
                logger.error("no connection can be accepted: %s", error)
                time.sleep(0.05)  # the condition lasts for a moment, and the listener stays readable
            return
        if len(self._connections) >= self.max_connections:
            self._close_idle()
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

    def _close_idle(self) -> bool:
        """Close the connection that has waited longest for a request. Return False if each has one to answer.

        Wait for its end: many new clients at once would use up the file descriptors otherwise.
        """
        with self._lock:
            waiting = [(each.idle_since, each) for each in self._connections if each.idle_since is not None]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda pair: pair[0])[1]
        oldest.cut()
        oldest.thread.join(CUT_SECONDS)
        return True

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
        """Call ``work`` with the selector in the accepting thread. Return False if that thread has ended."""
        self._orders.append(work)
        self._wake()
        return self._acceptor is not None and self._acceptor.is_alive()

    # --- for connections --------------------------------------------------------------------------------------------

    def forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.discard(connection)


def _default_max_connections() -> int:
    """Return ``MAX_CONNECTIONS``, or three quarters of the files that the process may open if that is fewer."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource  # not on Windows

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(MAX_CONNECTIONS, files * 3 // 4))


def listen(host: str, port: int) -> socket.socket:
    """Return a listening, non-blocking socket. Raise OSError with a message that names the address."""
    try:
        if not 0 <= port <= 65535:  # some resolvers take it modulo 65536
            raise OverflowError("a port is a number from 0 to 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # on Windows it would let two servers share the port
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
