"""Ways to send a recorded request as it is, byte by byte: over a socket, or to the application in this process."""

from __future__ import annotations

import http.client
import io
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any

from couchfake.recordings.comparison import Reply
from couchfake.transports.http1.head import gateway, refuse, too_long

Headers = list[tuple[str, str]]
Sender = Callable[[str, str, Headers, "bytes | None"], Reply]
"""``send(method, path, headers, body)``; the path with its query, escaped as recorded."""


def over_socket(url: str, timeout: float = 30) -> Sender:
    """Send to the server at a URL, each request on a connection of its own. OSError where it does not answer."""
    host = urllib.parse.urlsplit(url)

    def send(method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        connection = http.client.HTTPConnection(host.hostname or "127.0.0.1", host.port or 80, timeout=timeout)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            names = {name.lower() for name, _ in headers}
            told = names & {"content-length", "transfer-encoding"}
            if not told and (body is not None or method in ("POST", "PUT")):
                connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders(body)
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    return send


def in_process(application: Callable[..., Iterable[bytes]], host: str = "127.0.0.1:5984") -> Sender:
    """Call a WSGI application directly."""

    def send(method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        environ = _environ(method, path, headers, body, host)
        head: list[Any] = []

        def start_response(status: str, answer_headers: Headers, _: Any = None) -> None:
            head[:] = [int(status.split(" ", 1)[0]), answer_headers]

        chunks = (refuse if too_long(method, path, headers) else application)(environ, start_response)
        try:
            data = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return Reply(head[0], head[1], b"" if method == "HEAD" else data)

    return send


def _environ(method: str, path: str, headers: Headers, body: bytes | None, host: str) -> dict[str, Any]:
    plain, _, query = path.partition("?")
    data = body or b""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": path,
        "SCRIPT_NAME": "",
        "PATH_INFO": urllib.parse.unquote_to_bytes(plain).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host.partition(":")[0],
        "SERVER_PORT": host.partition(":")[2] or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": host,
        "REMOTE_ADDR": "127.0.0.1",
        **gateway(),
    }
    for name, value in headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value.encode().decode("latin-1")
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        data = _dechunked(data)
    elif body is not None or method in ("POST", "PUT"):
        environ.setdefault("CONTENT_LENGTH", str(len(data)))
    environ["wsgi.input"] = io.BytesIO(data)
    return environ


def _dechunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if not length:
            break
        out, data = out + data[:length], data[length + 2 :]
    return out
