"""One request over a connection of urllib3's pool, by http.client alone.

urllib3 takes longer to prepare a small request and to wrap its answer than http.client takes to send the one and read
the other. The pool, its connections and their settings are urllib3's; only its ``urlopen`` is not used.
"""

from __future__ import annotations

import http.client
import logging
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias, cast

import urllib3.exceptions
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import SKIP_HEADER
from urllib3.util.ssl_match_hostname import CertificateError

from couchdb_client.methods import Methods

__all__ = ["DirectResponse", "Fields", "KeptConnections", "Timeouts", "exchange"]

_log_of_urllib3 = logging.getLogger("urllib3.connectionpool")

_OF_POOL = ("urlopen", "_get_conn", "_put_conn")
_POOL = Methods(HTTPConnectionPool, *_OF_POOL)
_TLS_POOL = Methods(HTTPSConnectionPool, *_OF_POOL)
_CONNECTION = Methods(HTTPConnection, "request", "getresponse")

_TLS_ERRORS = (ssl.SSLError, CertificateError)

#: What sending may raise although the server has sent an answer, and then closed the connection.
_SEND_ERRORS = (BrokenPipeError, ConnectionResetError)

#: The attribute of a connection that says when it was last used; None if it was closed then.
_USED = "_couchdb_client_used"

#: Seconds. A server that closes connections even earlier gets a new one for each request that must not be sent twice.
_EARLY = 1.0

#: How many bytes a buffer for answers has at first, and how many a buffer may have that is kept for the next answer.
_BUFFER_SIZE = 1 << 16
_BUFFER_LIMIT = 1 << 22

#: How many bytes of a body are read or sent at a time.
PIECE_SIZE = 1 << 16

#: Methods whose requests announce a body even if they have none.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

Timeouts: TypeAlias = "tuple[float | None, float | None]"

#: Headers by their names in lower case: each a name and a value, None for a header that is not sent.
Fields: TypeAlias = "Mapping[str, tuple[str, str | bytes | None]]"


class KeptConnections:
    """The connections to one server that a pool keeps open between requests.

    A server may close an idle connection at any time. A request that is sent at that moment fails, and one that must
    not be sent twice cannot be repeated. So `take` learns how long the server keeps idle connections, and gives such a
    request a new connection in good time.
    """

    def __init__(self, pool: HTTPConnectionPool) -> None:
        self.pool = pool
        #: The shortest time, in seconds, after which an idle connection was found closed.
        self._closed_after = math.inf
        #: At most one buffer that no answer is being read into.
        self._buffers: list[bytearray] = []

    def is_direct(self) -> bool:
        """Return whether `exchange` does what the pool's ``urlopen`` does.

        Not if there is a proxy, a method of urllib3 has been replaced, or urllib3 has to log.
        """
        pool = self.pool
        kind: Any = pool.ConnectionCls
        own = _POOL if kind is HTTPConnection else _TLS_POOL if kind is HTTPSConnection else None
        return (
            own is not None
            and own.are_those_of(pool)
            and _CONNECTION.are_those_of_class(kind)
            and pool.proxy is None
            and not _log_of_urllib3.isEnabledFor(logging.DEBUG)
        )

    def take(self, *, once: bool) -> tuple[Any, float | None]:
        """Return a connection, and for how many seconds it has been idle, None if it has yet to be opened.

        ``once`` says that the request must not be sent twice.
        """
        conn: Any = self.pool._get_conn()  # closed, if the server has closed it
        used = conn.__dict__.get(_USED)
        conn.__dict__[_USED] = now = time.monotonic()
        if used is None:
            return conn, None
        idle = now - used
        if conn.sock is None:
            self.was_closed(idle)
            return conn, None
        if idle > max(self._closed_after, _EARLY):  # the server keeps them for longer after all
            self._closed_after = idle
        elif once and self._closed_after <= max(_EARLY, 2 * idle):
            conn.close()
            return conn, None
        return conn, idle

    def was_closed(self, idle: float) -> None:
        """Note that the server closed a connection that was idle for so many seconds."""
        self._closed_after = min(self._closed_after, idle)

    def give_back(self, conn: Any) -> None:
        """Keep a connection whose answer has been read."""
        conn.__dict__[_USED] = None if conn.sock is None else time.monotonic()
        self.pool._put_conn(conn)

    def discard(self, conn: Any) -> None:
        """Close a connection that cannot be used again, and give its place in the pool back."""
        conn.close()
        self.pool._put_conn(None)

    def take_buffer(self) -> bytearray:
        """Return a buffer to read an answer into. Its content is arbitrary."""
        try:
            return self._buffers.pop()
        except IndexError:  # also if another thread was faster
            return bytearray(_BUFFER_SIZE)

    def give_buffer_back(self, buffer: bytearray) -> None:
        """Keep a buffer for the next answer, unless there is one already or this one is huge."""
        if not self._buffers and len(buffer) <= _BUFFER_LIMIT:
            self._buffers.append(buffer)


def exchange(
    kept: KeptConnections,
    method: str,
    target: str,
    fields: Fields,
    body: Any,
    timeouts: Timeouts,
    *,
    once: bool,
) -> DirectResponse:
    """Send a request and return the answer when its head has arrived.

    ``body`` is None, bytes, or an iterable of bytes, which is sent in chunks unless ``fields`` announce its length.
    The ``timeouts`` are for connecting, and for each wait afterwards. ``once`` says that the request must not be sent
    twice. Raise what http.client, `socket`, `ssl` and urllib3 raise.
    """
    conn, idle = kept.take(once=once)
    try:
        _connect(kept.pool, conn, timeouts)
        shutdown = conn.sock.shutdown  # the connection may leave its socket to the answer
        try:
            _send(conn, method, target, fields, body)
        except _SEND_ERRORS:
            pass  # there may be an answer to read
        original = http.client.HTTPConnection.getresponse(conn)
    except BaseException as exc:
        kept.discard(conn)
        if idle is not None and isinstance(exc, ConnectionError):
            kept.was_closed(idle)
        raise
    return DirectResponse(kept, conn, original, method, shutdown)


def _connect(pool: HTTPConnectionPool, conn: Any, timeouts: Timeouts) -> None:
    if conn.sock is None:
        conn.timeout = timeouts[0]
    try:
        pool._validate_conn(conn)  # connects if the protocol is TLS, and warns if the certificate is not verified
        if conn.sock is None:
            conn.connect()
    except _TLS_ERRORS as exc:
        raise urllib3.exceptions.SSLError(exc) from exc
    sock: Any = conn.sock
    if sock.gettimeout() != timeouts[1]:
        sock.settimeout(timeouts[1])


def _send(conn: Any, method: str, target: str, fields: Fields, body: Any) -> None:
    conn.putrequest(method, target, skip_host="host" in fields, skip_accept_encoding="accept-encoding" in fields)
    put = http.client.HTTPConnection.putheader
    chunked = False
    if "content-length" not in fields:
        if body is None:
            if method in _WITH_BODY:
                put(conn, "Content-Length", "0")
        elif isinstance(body, bytes):
            put(conn, "Content-Length", str(len(body)))
        else:
            chunked = True
            put(conn, "Transfer-Encoding", "chunked")
    for name, value in fields.values():
        if value is not None and value != SKIP_HEADER:
            put(conn, name, value)
    if body is None or isinstance(body, bytes):
        conn.endheaders(body)
    else:
        conn.endheaders()
        _send_pieces(conn, body, chunked)


def _send_pieces(conn: Any, pieces: Iterable[bytes], chunked: bool) -> None:
    for piece in pieces:
        if piece:
            conn.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        conn.send(b"0\r\n\r\n")


def _read_into(buffer: bytearray, original: http.client.HTTPResponse) -> int:
    """Read a whole body into the buffer, which grows as needed, and return the number of bytes.

    Raise IncompleteRead if the connection ends before the body does.
    """
    size = 0
    while True:
        with memoryview(buffer) as view:
            count = original.readinto(view[size:])
        if not count:
            break
        size += count
        if size == len(buffer):
            buffer.extend(bytes(size))
    if original.length:
        raise http.client.IncompleteRead(bytes(buffer[:size]), original.length)
    return size


def _read_exactly(original: http.client.HTTPResponse, size: int) -> bytes:
    """Return the next bytes of a body. Raise IncompleteRead if the connection ends before the body does."""
    length: int | None = original.length
    body = original.read(size)
    if length is not None and len(body) < min(size, length):
        raise http.client.IncompleteRead(body, length - len(body))
    return body


class DirectResponse:
    """The head of an answer, and its body, which has not been read."""

    __slots__ = ("_connection", "_kept", "_method", "_original", "_shutdown", "headers", "status")

    def __init__(
        self,
        kept: KeptConnections,
        conn: Any,
        original: http.client.HTTPResponse,
        method: str,
        shutdown: Callable[[int], None],
    ) -> None:
        self._kept = kept
        self._connection: Any = conn
        self._original = original
        self._method = method
        self._shutdown = shutdown
        self.status = original.status
        self.headers = original.msg

    def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes of the body, fewer only at its end, or the rest, as it was sent.

        At the end of the body give the connection back.
        """
        original = self._original
        try:
            body = original.read() if size < 0 else _read_exactly(original, size)
        except BaseException:
            self.close()
            raise
        if original.isclosed():
            self._give_back()
        return body

    def text(self) -> str:
        """Return the whole body, which is UTF-8, and give the connection back. Raise UnicodeDecodeError if it is not.

        A long body is read into a buffer that is kept: the operating system takes longer to provide a megabyte of fresh
        memory than the bytes take to arrive in it.
        """
        length = self._original.length
        if length is not None and length < _BUFFER_SIZE:
            return self.read().decode("utf-8")
        buffer = self._kept.take_buffer()
        try:
            size = _read_into(buffer, self._original)
        except BaseException:
            self.close()
            raise
        self._give_back()
        with memoryview(buffer) as view:
            text = str(view[:size], "utf-8")
        self._kept.give_buffer_back(buffer)
        return text

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in pieces, each as soon as it arrives, and give the connection back."""
        original = self._original
        try:
            while piece := original.read1(PIECE_SIZE):
                yield piece
            if original.length:
                raise http.client.IncompleteRead(b"", original.length)
        except BaseException:
            self.close()
            raise
        original.close()
        self._give_back()

    def interrupt(self) -> None:
        """End a read that waits in another thread, as if the connection had broken."""
        if self._connection is not None:
            with suppress(ValueError, OSError):  # it has been closed
                self._shutdown(socket.SHUT_RD)

    def close(self) -> None:
        """Close the connection, if the body has not been read."""
        conn, self._connection = self._connection, None
        if conn is not None:
            self._original.close()
            self._kept.discard(conn)

    def _give_back(self) -> None:
        conn, self._connection = self._connection, None
        if conn is not None:
            self._kept.give_back(conn)

    def wrapped(self) -> HTTPResponse:
        """Return the answer as urllib3 has it. It takes over the body and the connection."""
        original = cast(Any, self._original)
        conn = self._connection
        if conn.sock is None:  # by agreement: the body is the last that it carries
            conn.__dict__[_USED] = None
        # Since urllib3 2.3, which can end a read that waits in another thread.
        shutdown: dict[str, Any] = {"sock_shutdown": self._shutdown} if hasattr(HTTPResponse, "shutdown") else {}
        wrapped = HTTPResponse(
            body=original,
            headers=HTTPHeaderDict(original.msg.items()),
            status=original.status,
            version=original.version,
            reason=original.reason,
            preload_content=False,
            original_response=original,
            pool=self._kept.pool,
            connection=conn,
            request_method=self._method,
            **shutdown,
        )
        self._connection = None
        return wrapped
