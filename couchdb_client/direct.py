"""One request over a connection of urllib3's pool, by http.client alone.

urllib3 takes longer to prepare a small request and to wrap its answer than http.client takes to send the one and read
the other. The pool, its connections and their settings are urllib3's; only its ``urlopen`` is not used.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

import urllib3.exceptions
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import SKIP_HEADER
from urllib3.util.ssl_match_hostname import CertificateError

from couchdb_client.methods import Methods

__all__ = ["DirectResponse", "exchange", "is_usable"]

_OF_POOL = ("urlopen", "_get_conn", "_put_conn")
_POOL = Methods(HTTPConnectionPool, *_OF_POOL)
_TLS_POOL = Methods(HTTPSConnectionPool, *_OF_POOL)
_CONNECTION = Methods(HTTPConnection, "request", "getresponse")

_TLS_ERRORS = (ssl.SSLError, CertificateError)

#: What sending may raise although the server has sent an answer, and then closed the connection.
_SEND_ERRORS = (BrokenPipeError, ConnectionResetError)

#: Methods whose requests announce a body even if they have none.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

Timeouts: TypeAlias = "tuple[float | None, float | None]"

#: Headers by their names in lower case: each a name and a value, None for a header that is not sent.
Fields: TypeAlias = "Mapping[str, tuple[str, str | bytes | None]]"


def is_usable(pool: HTTPConnectionPool) -> bool:
    """Return whether `exchange` does what the pool's ``urlopen`` does: no proxy, and nothing of urllib3 is replaced."""
    kind: Any = pool.ConnectionCls
    if kind is HTTPConnection:
        return pool.proxy is None and _POOL.are_those_of(pool) and _CONNECTION.are_those_of_class(kind)
    return (
        kind is HTTPSConnection
        and pool.proxy is None
        and _TLS_POOL.are_those_of(pool)
        and _CONNECTION.are_those_of_class(kind)
    )


def exchange(
    pool: HTTPConnectionPool, method: str, target: str, fields: Fields, body: Any, timeouts: Timeouts
) -> DirectResponse:
    """Send a request and return the answer when its head has arrived.

    ``body`` is None, bytes, or an iterable of bytes, which is sent in chunks unless ``fields`` announce its length.
    The ``timeouts`` are for connecting, and for each wait afterwards. Raise what http.client, `socket`, `ssl` and
    urllib3 raise.
    """
    conn: Any = pool._get_conn()  # a new connection if the server has closed the one that was kept
    try:
        pool.num_requests += 1
        _connect(pool, conn, timeouts)
        shutdown = conn.sock.shutdown  # the connection may leave its socket to the answer
        try:
            _send(conn, method, target, fields, body)
        except _SEND_ERRORS:
            pass  # there may be an answer to read
        original = http.client.HTTPConnection.getresponse(conn)
    except BaseException:
        _discard(pool, conn)
        raise
    return DirectResponse(pool, conn, original, method, shutdown)


def _connect(pool: HTTPConnectionPool, conn: Any, timeouts: Timeouts) -> None:
    if conn.sock is None:
        conn.timeout = timeouts[0]
    try:
        pool._validate_conn(conn)  # connects if the protocol is TLS, and warns if the certificate is not verified
        if conn.sock is None:
            conn.connect()
    except _TLS_ERRORS as exc:
        raise urllib3.exceptions.SSLError(exc) from exc
    if conn.sock.gettimeout() != timeouts[1]:
        conn.sock.settimeout(timeouts[1])


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


def _discard(pool: HTTPConnectionPool, conn: Any) -> None:
    """Close a connection that cannot be used again, and give its place in the pool back."""
    conn.close()
    pool._put_conn(None)


class DirectResponse:
    """The head of an answer, and its body, which has not been read."""

    __slots__ = ("_connection", "_method", "_original", "_pool", "_shutdown", "headers", "status")

    def __init__(
        self,
        pool: HTTPConnectionPool,
        conn: Any,
        original: http.client.HTTPResponse,
        method: str,
        shutdown: Callable[[int], None],
    ) -> None:
        self._pool = pool
        self._connection = conn
        self._original = original
        self._method = method
        self._shutdown = shutdown
        self.status = original.status
        self.headers = original.msg

    def read(self) -> bytes:
        """Return the whole body, as it was sent, and give the connection back."""
        try:
            body = self._original.read()
        except BaseException:
            self.close()
            raise
        self._pool._put_conn(self._connection)
        self._connection = None
        return body

    def close(self) -> None:
        """Close the connection, if the body has not been read."""
        if self._connection is not None:
            self._original.close()
            _discard(self._pool, self._connection)
            self._connection = None

    def wrapped(self) -> HTTPResponse:
        """Return the answer as urllib3 has it. It takes over the body and the connection."""
        original = cast(Any, self._original)
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
            pool=self._pool,
            connection=self._connection,
            request_method=self._method,
            **shutdown,
        )
        self._connection = None
        return wrapped
