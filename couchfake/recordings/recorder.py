"""``couchfake record``: a proxy that passes requests on to a server, and listens."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couchfake.recordings import write_recording
from couchfake.recordings.comparison import Reply
from couchfake.recordings.player import Conversation, Headers, connect
from couchfake.recordings.target import CONNECTION_ERRORS, Target, split_login
from couchfake.recordings.transcript import Exchange, Transcript
from couchfake.transports.http1 import Server
from couchfake.transports.wsgi import has_no_body

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_HOP_BY_HOP = frozenset((
    "connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
    "expect",
))  # fmt: skip
_TIMEOUT = 600.0  # seconds without a byte from the server; feeds have heartbeats


class Recorder:
    """A WSGI application that answers as the server at ``url`` does. ``transcript`` has what passed.

    A login in the URL is added to requests that have none. ``skipped`` counts answers that were not read to their end,
    which are not recorded.
    """

    def __init__(self, url: str) -> None:
        self._upstream, login = split_login(url)
        self._login = Conversation(Target(url).send, login or "").login
        self.transcript = Transcript(login)
        self.skipped = 0
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._closed = False

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
        method, path, headers = environ["REQUEST_METHOD"], environ["REQUEST_URI"], _headers_of(environ)
        body = environ["wsgi.input"].read()
        connection = connect(self._upstream, _TIMEOUT)
        try:
            response = self._forward(connection, method, path, headers, body)
        except CONNECTION_ERRORS as error:
            connection.close()
            start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
            return iter([f"{self._upstream} does not answer: {error}\n".encode()])
        answer = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP]
        length = response.getheader("Content-Length")
        if length is not None:
            answer.append(("Content-Length", length))
        start_response(f"{response.status} {response.reason}", answer)
        if method == "HEAD" or has_no_body(response.status):  # a server does not iterate over what has no body
            connection.close()
            self._record(Exchange(method, path, headers, body, Reply(response.status, response.getheaders(), b"")))
            return iter([b""])
        return self._passed_on(connection, response, (method, path, headers, body))

    def _forward(
        self, connection: http.client.HTTPConnection, method: str, path: str, headers: Headers, body: bytes
    ) -> http.client.HTTPResponse:
        names = {name.lower() for name, _ in headers}
        connection.putrequest(method, path, skip_accept_encoding=True, skip_host="host" in names)
        for name, value in headers:
            connection.putheader(name, value)
        if not names & {"authorization", "cookie"} and not path.startswith("/_session"):
            for name, value in self._login:
                connection.putheader(name, value)
        if body or method in ("PUT", "POST"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        return connection.getresponse()

    def _passed_on(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        request: tuple[str, str, Headers, bytes],
    ) -> Iterator[bytes]:
        received: list[bytes] = []
        recorded = False
        self._open.add(connection)
        try:
            yield b""  # sends the head: a feed may have nothing to send yet
            while chunk := response.read1(65536):
                received.append(chunk)
                if response.length == 0:  # the client has the whole answer with this chunk, and may ask again
                    recorded = self._record_answer(request, response, received)
                yield chunk
            if not recorded:
                recorded = self._record_answer(request, response, received)
        except CONNECTION_ERRORS:
            if not self._closed:
                raise
        finally:
            self._open.discard(connection)
            connection.close()
            if not recorded:
                self.skipped += 1

    def _record_answer(
        self, request: tuple[str, str, Headers, bytes], response: http.client.HTTPResponse, received: list[bytes]
    ) -> bool:
        if self._closed:
            return False
        self._record(Exchange(*request, Reply(response.status, response.getheaders(), b"".join(received))))
        return True

    def _record(self, exchange: Exchange) -> None:
        with self._lock:
            self.transcript.add(exchange)

    def close(self) -> None:
        """End the answers that are still being passed on."""
        self._closed = True
        for connection in list(self._open):
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)


def _headers_of(environ: dict[str, Any]) -> Headers:
    found = []
    for key, value in environ.items():
        if key == "CONTENT_TYPE" or key.startswith("HTTP_"):
            name = key.removeprefix("HTTP_").replace("_", "-").title()
            if name.lower() not in _HOP_BY_HOP:
                found.append((name, value))
    return found


def record_until_signalled(url: str, out: Path, host: str, port: int) -> tuple[int, int]:
    """Serve a recorder until Ctrl-C or SIGTERM, then write the recording.

    Print the proxy's URL, one line on standard output, as soon as it answers there. Return how many exchanges were
    recorded, and how many not. Raise ReplayFailed if there is no CouchDB, OSError if the file cannot be written or the
    address is in use.
    """
    about = Target(url).about()
    recorder = Recorder(url)
    name = out.name.partition(".")[0]
    write_recording(recorder.transcript.recording(name, about), out)  # fails now, not after an hour of work
    with _signalled() as ended, Server(recorder, host, port) as server:
        print(server.url + "/", flush=True)
        ended.wait()
        recorder.close()
    write_recording(recorder.transcript.recording(name, about), out)
    return len(recorder.transcript.steps), recorder.skipped


@contextlib.contextmanager
def _signalled() -> Iterator[threading.Event]:
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
