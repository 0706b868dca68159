"""Servers that play a script, for what a client can only be shown on the wire."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from email.message import Message
from io import BytesIO
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from couchdb_client import Database, Server
from couchfake import CouchFake

Play = Callable[["Connection"], None]


class Connection:
    """One connection of a `ScriptedServer`, as the script sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._file = sock.makefile("rb")

    def request(self) -> tuple[str, dict[str, str], bytes]:
        """The next request: its first line, headers (names in lower case), and body."""
        line = self._file.readline().decode("latin-1").rstrip()
        headers: dict[str, str] = {}
        while (field := self._file.readline().decode("latin-1").rstrip()) != "":
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        body = self._file.read(int(headers.get("content-length", 0)))
        while headers.get("transfer-encoding") == "chunked":
            size = int(self._file.readline(), 16)
            body += self._file.read(size)
            self._file.readline()
            if size == 0:
                break
        return line, headers, body

    def answer(self, body: bytes = b'{"ok":true}', status: str = "200 OK", headers: str = "") -> None:
        """A whole answer, JSON unless ``headers`` (lines) say otherwise."""
        head = headers or "Content-Type: application/json\r\n"
        self.send(f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def begin_chunked(self, content_type: str = "application/json") -> None:
        self.send(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def is_left(self) -> bool:
        """Wait until the client closes the connection; whether it did (in a generous time) without another request."""
        return self._file.read(1) == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class ScriptedServer:
    """Plays one function of its script for each connection it gets, then refuses further ones by closing them."""

    def __init__(self, *script: Play) -> None:
        self.errors: list[BaseException] = []
        self.connections = 0
        self._script = list(script)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(20)
            connection = Connection(sock)
            if self._script:
                threading.Thread(target=self._play, args=(self._script.pop(0), connection), daemon=True).start()
            else:
                connection.close()

    def _play(self, play: Play, connection: Connection) -> None:
        try:
            play(connection)
        except (OSError, AssertionError, ValueError) as exc:
            self.errors.append(exc)
        finally:
            connection.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """``serve(play, …)`` starts a `ScriptedServer`; each ``play(connection)`` is one connection's script."""
    servers: list[ScriptedServer] = []

    def start(*script: Play) -> ScriptedServer:
        servers.append(ScriptedServer(*script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class _Original:
    """Where requests looks for the cookies of an answer."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.msg = Message()
        for name, value in fields:
            self.msg[name] = value

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        pass


class CannedAdapter(BaseAdapter):
    """A transport adapter that keeps the requests, and answers as configured, by default ``{"ok":true}``."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []
        self.bodies: list[bytes] = []
        self.settings: list[dict[str, Any]] = []
        self._answers: list[tuple[int, list[tuple[str, str]], bytes]] = []

    def says(self, body: bytes = b'{"ok":true}', status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> None:
        """The next answer, after those that were configured before it; JSON unless ``headers`` say otherwise."""
        fields = list(headers)
        if not any(name == "Content-Type" for name, _ in fields):
            fields.append(("Content-Type", "application/json"))
        self._answers.append((status, fields, body))

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:  # type: ignore[override]
        self.requests.append(request)
        self.settings.append(settings)
        body: Any = request.body or b""
        self.bodies.append(body if isinstance(body, bytes) else b"".join(body))
        if not self._answers:
            self.says()
        status, fields, content = self._answers.pop(0)
        fields = [*fields, ("Content-Length", str(len(content)))]
        response = requests.Response()
        response.status_code = status
        response.headers.update(fields)
        response.url = request.url or ""
        response.request = request
        held = BytesIO(b"" if request.method == "HEAD" else content)
        response.raw = HTTPResponse(
            held,
            HTTPHeaderDict(fields),
            status,
            preload_content=False,
            request_method=request.method,
            original_response=_Original(fields),  # type: ignore[arg-type]  # as much of one as requests uses
        )
        return response

    def close(self) -> None:
        pass

    @property
    def lines(self) -> list[str]:
        """The requests so far: ``METHOD path?query``."""
        return [f"{request.method} {request.path_url}" for request in self.requests]

    def json(self, index: int = -1) -> Any:
        """The body of a request, decoded."""
        return json.loads(self.bodies[index])


@pytest.fixture
def wire() -> CannedAdapter:
    """What the sessions of `transport` send their requests to."""
    return CannedAdapter()


@pytest.fixture
def transport(wire: CannedAdapter) -> requests.Session:
    session = requests.Session()
    session.mount("http://", wire)
    session.mount("https://", wire)
    return session


@pytest.fixture
def server(transport: requests.Session) -> Server:
    return Server("http://couch.example/", session=transport)


@pytest.fixture
def db(server: Server) -> Database:
    return Database(server.resource("people"), "people")


@pytest.fixture(params=["in process", "socket"])
def couch(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server: the fake, reached in process and over a socket."""
    fake = CouchFake()
    if request.param == "socket":
        with fake:
            yield Server(fake.url)
    else:
        with fake.session() as session:
            yield Server(fake.url, session=session)


@pytest.fixture
def people(couch: Server) -> Database:
    """An empty database of `couch`."""
    return couch.create("people")
