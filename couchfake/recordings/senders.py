"""Ways to send a recorded request byte by byte: over a socket, or to the application in this process."""

from __future__ import annotations

import http.client
import io
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from couchfake.recordings.comparison import Reply
from couchfake.transports.wsgi import Answer, base_environ, header_items, make_environ, within_limits

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Headers = list[tuple[str, str]]
Sender = Callable[[str, str, Headers, "bytes | None"], Reply]
"""``send(method, path, headers, body)``; the path with its query, escaped as recorded."""


def over_socket(url: str, timeout: float = 30) -> Sender:
    """Send to the server at a URL, each request on a new connection. Raise OSError if it does not answer."""

    def send(method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        connection = connect(url, timeout)
        try:
            return exchange(connection, method, path, headers, body)
        finally:
            connection.close()

    return send


def connect(url: str, timeout: float) -> http.client.HTTPConnection:
    """Return a connection, not opened yet, to the server at a URL (http or https)."""
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, headers: Headers, body: bytes | None
) -> Reply:
    """Send a request on a connection, and return the whole answer."""
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    names = {name.lower() for name, _ in headers}
    framed = names & {"content-length", "transfer-encoding"}
    if not framed and (body is not None or method in ("POST", "PUT")):
        connection.putheader("Content-Length", str(len(body or b"")))
    connection.endheaders(body)
    response = connection.getresponse()
    return Reply(response.status, response.getheaders(), response.read())


def in_process(application: WSGIApplication, host: str = "127.0.0.1:5984") -> Sender:
    """Call a WSGI application directly."""

    def send(method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        environ = _environ(method, path, headers, body, host)
        answer = Answer(within_limits(application, method, path, headers), environ)
        return Reply(answer.status, answer.headers, answer.read())

    return send


def _environ(method: str, path: str, headers: Headers, body: bytes | None, host: str) -> dict[str, Any]:
    fields = header_items((name, value.encode()) for name, value in headers)
    fields.setdefault("HTTP_HOST", host)
    data = body or b""
    if fields.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        data = _dechunked(data)
    elif body is not None or method in ("POST", "PUT"):
        fields.setdefault("CONTENT_LENGTH", str(len(data)))
    name, _, port = host.partition(":")
    return make_environ(base_environ(name, port or "80"), method, path, fields, io.BytesIO(data))


def _dechunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        out, data = out + data[:length], data[length + 2 :]
    return out
