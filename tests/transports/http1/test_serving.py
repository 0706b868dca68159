"""The socket server: HTTP/1.1 as clients of every kind speak it, and a quick end."""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from couchfake.transports.client import Client, ClientDisconnected
from couchfake.transports.http1 import Access, Server


class Application:
    """Answers with what it read; keeps the environment of each request."""

    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.failures: list[BaseException] = []
        self.changed = threading.Condition()
        self.lines: list[bytes] = []
        self.feeds = 0
        self.answers: dict[str, Any] = {"/feed": self.feed, "/unread": self.unread}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.environs.append(environ)
        answer = self.answers.get(environ["PATH_INFO"], self.echo)
        return answer(environ, start_response)

    def echo(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            body = environ["wsgi.input"].read()
        except BaseException as error:
            self.failures.append(error)
            raise
        self.bodies.append(body)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    def unread(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("401 Unauthorized", [])
        return [b"no"]

    def feed(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        client = Client.of(environ)
        start_response("200 OK", [])
        with self.changed:
            self.feeds += 1
            self.changed.notify_all()
        try:
            yield b""
            sent = 0
            while not client.gone:
                with self.changed:
                    if sent == len(self.lines):
                        client.wait(self.changed)
                        continue
                    line = self.lines[sent]
                    sent += 1
                yield line
        finally:
            with self.changed:
                self.feeds -= 1
                self.changed.notify_all()

    def wait_for_feeds(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.feeds == count, 5)

    def add(self, line: bytes) -> None:
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[Server]:
    with Server(application) as made:
        yield made


@pytest.fixture
def wire(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        yield sock


def everything(sock: socket.socket) -> bytes:
    """Return what the server sends until it closes."""
    pieces = []
    while piece := sock.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


class OneReader(io.BufferedReader):
    """A file that several http.client.HTTPResponse read from, one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.makefile("rb", buffering=0))

    def makefile(self, mode: str) -> OneReader:
        return self

    def close(self) -> None:
        pass


def answers(sock: socket.socket, count: int) -> list[tuple[int, dict[str, str], bytes]]:
    found = []
    reader: Any = OneReader(sock)
    for _ in range(count):
        answer = http.client.HTTPResponse(reader)
        answer.begin()
        found.append((answer.status, dict(answer.getheaders()), answer.read()))
    return found


def test_it_answers_and_keeps_the_connection(server: Server, application: Application) -> None:
    with requests.Session() as client:
        client.trust_env = False
        assert client.put(server.url + "/a", data=b"one").content == b"one"
        assert client.put(server.url + "/b", data=b"two").content == b"two"
    first, second = application.environs
    assert first["REMOTE_PORT"] == second["REMOTE_PORT"]
    assert first["SERVER_PORT"] == str(server.port)


def test_the_target_is_kept_as_it_was_sent(wire: socket.socket, application: Application) -> None:
    target = b'/db/a%2Fb%c3%a4/\xc3\xa4|"<>\\^`{}[]?x=%22;y=\xff'
    wire.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    everything(wire)
    environ = application.environs[0]
    assert environ["REQUEST_URI"] == '/db/a%2Fb%c3%a4/\xc3\xa4|"<>\\^`{}[]?x=%22;y=\xff'
    assert environ["PATH_INFO"] == '/db/a/b\xc3\xa4/\xc3\xa4|"<>\\^`{}[]'
    assert environ["QUERY_STRING"] == "x=%22;y=\xff"


def test_an_absolute_target_is_what_it_points_to(wire: socket.socket, application: Application) -> None:
    wire.sendall(b"GET http://user:pw@host:1/db?x=1 HTTP/1.1\r\n\r\n")
    wire.sendall(b"GET http://host HTTP/1.1\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\n")
    answers(wire, 3)
    assert [environ["REQUEST_URI"] for environ in application.environs] == ["/db?x=1", "/", "*"]


@pytest.mark.parametrize("method", ["COPY", "FOO", "get", "X-Y", "CONNECT", "TRACE", "PROPFIND"])
def test_methods_have_any_name(method: str, wire: socket.socket, application: Application) -> None:
    wire.sendall(method.encode() + b" /db HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert everything(wire).startswith(b"HTTP/1.1 200 OK\r\n")
    assert application.environs[0]["REQUEST_METHOD"] == method


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"G(T / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTQ/1.1\r\n\r\n",
        b"GET / HTTP/1.1 \r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nSpace : x\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
        b"GET /" + b"y" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1001 + b"\r\n",
        b"y" * 100000,
        b"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
        b"PUT / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_malformed_requests_get_an_empty_400_and_the_end(
    request_text: bytes, wire: socket.socket, application: Application
) -> None:
    wire.sendall(request_text)
    head, _, body = everything(wire).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Content-Length: 0\r\nConnection: close" in head
    assert body == b""
    assert application.environs == []


def test_long_lines_within_the_limit_pass(wire: socket.socket, application: Application) -> None:
    wire.sendall(b"GET /" + b"a" * 7000 + b" HTTP/1.1\r\nX-Long: " + b"y" * 6000 + b"\r\n\r\n")
    assert answers(wire, 1)[0][0] == 200
    assert len(application.environs[0]["HTTP_X_LONG"]) == 6000


def test_bare_line_feeds_and_stray_line_ends_are_understood(wire: socket.socket, application: Application) -> None:
    wire.sendall(b"\r\n\r\nGET /a HTTP/1.1\nHost: h\n\n\r\nGET /b HTTP/1.1\r\n\r\n")
    assert [status for status, _, _ in answers(wire, 2)] == [200, 200]
    assert [environ["PATH_INFO"] for environ in application.environs] == ["/a", "/b"]


def test_headers_arrive_as_wsgi_says(wire: socket.socket, application: Application) -> None:
    wire.sendall(
        b"GET / HTTP/1.1\r\nhost: h\r\nX-Empty:\r\nX-Two: a\r\nX-TWO: b\r\nCookie: a=1\r\nCookie: b=2\r\n"
        b"Content-Type: text/plain\r\nX-Latin: \xe4\r\nX_Auth: forged\r\nX-Trim: \t x  \r\n\r\n"
    )
    answers(wire, 1)
    environ = application.environs[0]
    assert environ["HTTP_HOST"] == "h"
    assert environ["HTTP_X_EMPTY"] == ""
    assert environ["HTTP_X_TWO"] == "a,b"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["HTTP_X_LATIN"] == "\xe4"
    assert environ["HTTP_X_TRIM"] == "x"
    assert "HTTP_X_AUTH" not in environ


def test_pipelined_requests_are_answered_in_order(wire: socket.socket, application: Application) -> None:
    wire.sendall(
        b"PUT /1 HTTP/1.1\r\nContent-Length: 3\r\n\r\none"
        b"PUT /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
        b"GET /3 HTTP/1.1\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n"
    )
    assert [body for _, _, body in answers(wire, 3)] == [b"one", b"two", b""]
    assert wire.recv(1) == b""
    assert [environ["PATH_INFO"] for environ in application.environs] == ["/1", "/2", "/3"]


def test_a_request_may_come_in_single_bytes(wire: socket.socket) -> None:
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nab\r\n0\r\nTrailer: x\r\n\r\n":
        wire.sendall(bytes([byte]))
    assert answers(wire, 1)[0][2] == b"ab"


def test_a_large_body_arrives_whole(server: Server, application: Application) -> None:
    body = bytes(range(256)) * 8192
    with requests.Session() as client:
        client.trust_env = False
        assert client.put(server.url, data=body).content == body
        assert client.put(server.url, data=iter([body, body])).content == body + body


def test_the_body_is_a_file_that_ends(wire: socket.socket, application: Application) -> None:
    read: list[bytes] = []

    def by_lines(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"]
        read.append(body.readline())
        read.append(body.read(3))
        read.extend(body.readlines())
        read.append(body.read())
        start_response("200 OK", [])
        return []

    application.answers["/"] = by_lines
    text = b"first\nsecond\nthird\nlast"
    wire.sendall(b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%bGET /next HTTP/1.1\r\n\r\n" % (len(text), text))
    assert [status for status, _, _ in answers(wire, 2)] == [200, 200]
    assert read == [b"first\n", b"sec", b"ond\n", b"third\n", b"last", b""]


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n", b"-1\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"\r\n", b"0x3\r\nabc\r\n", b"f" * 5000,
        b"3 3\r\nabc\r\n0\r\n\r\n",
    ],
)  # fmt: skip
def test_malformed_chunks_are_refused(body: bytes, wire: socket.socket, application: Application) -> None:
    wire.sendall(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert everything(wire).startswith(b"HTTP/1.1 400 ")
    assert application.bodies == []


def test_an_unknown_transfer_encoding_is_not_implemented(wire: socket.socket) -> None:
    wire.sendall(b"PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
    assert everything(wire).startswith(b"HTTP/1.1 501 ")


@pytest.mark.parametrize("framing", [b"Content-Length: 11\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nb\r\n"])
def test_bodies_over_the_limit_are_refused(framing: bytes, application: Application) -> None:
    with (
        Server(application, body_limit=10) as limited,
        socket.create_connection(("127.0.0.1", limited.port), timeout=5) as wire,
    ):
        wire.sendall(b"PUT / HTTP/1.1\r\n" + framing)
        assert everything(wire).startswith(b"HTTP/1.1 413 ")


def test_a_client_gets_100_continue_when_its_body_is_read(wire: socket.socket) -> None:
    wire.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n")
    assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.sendall(b"abc")
    assert answers(wire, 1)[0][2] == b"abc"


def test_a_client_whose_body_is_not_read_gets_no_100_continue(wire: socket.socket) -> None:
    wire.sendall(b"PUT /unread HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert everything(wire).startswith(b"HTTP/1.1 401 ")


def test_other_expectations_are_ignored(wire: socket.socket) -> None:
    wire.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 3\r\nExpect: the-unexpected\r\n\r\nabc")
    assert answers(wire, 1)[0][2] == b"abc"


def test_an_unread_body_does_not_spoil_the_next_request(wire: socket.socket) -> None:
    wire.sendall(b"PUT /unread HTTP/1.1\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500000)
    wire.sendall(b"GET /next HTTP/1.1\r\n\r\n")
    assert [status for status, _, _ in answers(wire, 2)] == [401, 200]


def test_a_client_that_vanishes_within_its_body_is_an_error_of_the_read(
    server: Server, application: Application
) -> None:
    for framing in (b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n40\r\nhalf"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as wire:
            wire.sendall(b"PUT / HTTP/1.1\r\n" + framing)
            wire.shutdown(socket.SHUT_WR)
            assert everything(wire) == b""
    assert [type(failure) for failure in application.failures] == [ClientDisconnected, ClientDisconnected]
    assert application.bodies == []


def test_head_and_body_come_in_one_segment(wire: socket.socket) -> None:
    wire.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab")
    assert wire.recv(4096).endswith(b"\r\n\r\nab")


def test_head_has_no_body_whatever_the_application_gives(wire: socket.socket, application: Application) -> None:
    application.answers["/"] = lambda environ, start_response: (
        start_response("200 OK", [("Content-Length", "3")]) and [b"abc"]
    )
    wire.sendall(b"HEAD / HTTP/1.1\r\n\r\nHEAD /feed HTTP/1.1\r\n\r\n")
    wire.sendall(b"GET /unread HTTP/1.1\r\nConnection: close\r\n\r\n")
    text = everything(wire)
    assert text.count(b"HTTP/1.1 ") == 3
    assert b"abc" not in text
    assert b"Content-Length: 3\r\n" in text
    assert application.feeds == 0


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_a_body_have_none(status: str, wire: socket.socket, application: Application) -> None:
    application.answers["/none"] = lambda environ, start_response: start_response(status, []) and [b"body"]
    wire.sendall(b"GET /none HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n")
    (first, headers, body), (second, _, _) = answers(wire, 2)
    assert (first, body, second) == (int(status[:3]), b"", 200)
    assert "Transfer-Encoding" not in headers and "Content-Length" not in headers


def test_old_clients_get_the_end_of_the_connection_as_the_end_of_a_stream(
    wire: socket.socket, application: Application
) -> None:
    def stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        return iter([b"a", b"b"])

    application.answers["/stream"] = stream
    wire.sendall(b"GET /stream HTTP/1.0\r\n\r\n")
    head, _, body = everything(wire).partition(b"\r\n\r\n")
    assert body == b"ab"
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"Transfer-Encoding" not in head


def test_old_clients_may_ask_for_the_connection_to_be_kept(wire: socket.socket) -> None:
    wire.sendall(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert answers(wire, 1)[0][1]["Connection"] == "keep-alive"
    wire.sendall(b"GET /b HTTP/1.0\r\n\r\n")
    assert b"Connection: close" in everything(wire)


def test_a_body_that_a_get_request_announces_and_does_not_send_is_not_waited_for(
    wire: socket.socket, application: Application
) -> None:
    def uninterested(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"a"]

    application.answers["/a"] = uninterested
    wire.sendall(b"GET /a HTTP/1.1\r\nContent-Length: 7\r\n\r\n")
    answer = wire.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert wire.recv(4096) == b""


def test_a_stream_sends_each_chunk_at_once(wire: socket.socket, application: Application) -> None:
    wire.sendall(b"GET /feed HTTP/1.1\r\n\r\n")
    assert wire.recv(4096).endswith(b"Transfer-Encoding: chunked\r\n\r\n")
    application.add(b"one\n")
    assert wire.recv(4096) == b"4\r\none\n\r\n"
    application.add(b"two\n")
    assert wire.recv(4096) == b"4\r\ntwo\n\r\n"


def test_a_vanished_client_ends_its_feed(server: Server, application: Application) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as wire:
        wire.sendall(b"GET /feed HTTP/1.1\r\n\r\n")
        application.wait_for_feeds(1)
    application.wait_for_feeds(0)


def test_a_second_request_behind_a_feed_does_not_end_it(wire: socket.socket, application: Application) -> None:
    wire.sendall(b"GET /feed HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n")
    application.wait_for_feeds(1)
    wire.sendall(b"GET /more HTTP/1.1\r\n\r\n")
    wire.recv(4096)
    application.add(b"still here\n")
    assert b"still here" in wire.recv(4096)


def test_a_failing_application_is_a_500_and_the_server_lives(
    server: Server, application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ZeroDivisionError("in the application")

    application.answers["/fail"] = failing
    with requests.Session() as client:
        client.trust_env = False
        answer = client.get(server.url + "/fail")
        assert (answer.status_code, answer.content) == (500, b"")
        assert client.get(server.url + "/next").status_code == 200
    assert "the application failed at GET /fail" in caplog.text


def test_a_stream_that_fails_half_way_is_visibly_cut_off(
    server: Server, application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"half"
        raise ZeroDivisionError

    application.answers["/fail"] = failing
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(server.url + "/fail", timeout=5)
    assert "ZeroDivisionError" in caplog.text


def test_an_answer_of_another_length_than_it_said_ends_the_connection(
    wire: socket.socket, application: Application
) -> None:
    application.answers["/short"] = lambda environ, start_response: (
        start_response("200 OK", [("Content-Length", "10")]) and [b"short"]
    )
    wire.sendall(b"GET /short HTTP/1.1\r\n\r\n")
    assert everything(wire).endswith(b"short")


def test_a_header_with_a_line_end_is_never_sent(
    wire: socket.socket, application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    application.answers["/split"] = lambda environ, start_response: (
        start_response("200 OK", [("X", "a\r\nY: b")]) and []
    )
    wire.sendall(b"GET /split HTTP/1.1\r\n\r\n")
    assert everything(wire).startswith(b"HTTP/1.1 500 ")


def test_stopping_ends_feeds_and_idle_connections_at_once(application: Application) -> None:
    server = Server(application).start()
    threads_before = threading.active_count()
    with contextlib.ExitStack() as stack:
        wires = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5)) for _ in range(25)
        ]
        for wire in wires[:20]:
            wire.sendall(b"GET /feed HTTP/1.1\r\n\r\n")
        application.wait_for_feeds(20)
        server.stop(timeout=5)
        assert application.feeds == 0
        assert server.open_connections == 0
        assert threading.active_count() < threads_before
        for wire in wires:
            with contextlib.suppress(ConnectionResetError):
                everything(wire)


def test_stopping_twice_and_starting_again_work(application: Application) -> None:
    server = Server(application)
    server.stop()
    port = server.start().port
    server.stop()
    server.stop()
    assert server.start().port == port
    with pytest.raises(RuntimeError):
        server.start()
    assert requests.get(server.url, timeout=5).status_code == 200
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(server.url, timeout=5)


def test_a_taken_port_is_named(server: Server, application: Application) -> None:
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.port}: Address already in use"):
        Server(application, port=server.port).start()


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("no.such.host.invalid", 0)])
def test_an_impossible_address_is_named(host: str, port: int, application: Application) -> None:
    with pytest.raises(OSError, match=f"cannot listen on {host}:{port}: "):
        Server(application, host, port).start()


def test_ipv6_addresses_work(application: Application) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with Server(application, host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert requests.put(server.url, data=b"six", timeout=5).content == b"six"


def test_a_wildcard_address_has_a_url_that_clients_can_use(application: Application) -> None:
    with Server(application, host="0.0.0.0") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert requests.get(server.url, timeout=5).status_code == 200


def test_each_answer_is_logged(application: Application) -> None:
    logged: list[Access] = []
    with Server(application, log=logged.append) as server, requests.Session() as session:  # one connection, in order
        session.put(server.url + "/db/a%2Fb?x=1", data=b"abc", timeout=5)
        session.get(server.url + "/unread", timeout=5)
    assert [(entry.method, entry.target, entry.status, entry.size) for entry in logged] == [
        ("PUT", "/db/a%2Fb?x=1", 200, 3),
        ("GET", "/unread", 401, 2),
    ]


def test_many_clients_at_once_get_their_own_answers(server: Server) -> None:
    wrong: list[str] = []

    def work(name: str) -> None:
        with requests.Session() as client:
            client.trust_env = False
            for number in range(20):
                body = f"{name}-{number}"
                if client.put(server.url, data=body).text != body:
                    wrong.append(body)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def reset(sock: socket.socket) -> None:
    """Close a connection so that its other side gets a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_client_that_resets_before_its_body_was_read_is_not_an_error(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    gone, entered = threading.Event(), threading.Event()

    def late(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        entered.set()
        assert gone.wait(5)
        return application.unread(environ, start_response)

    application.answers["/late"] = late
    with caplog.at_level("DEBUG"), Server(application) as server:
        for head in (b"POST /late HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"GET /late HTTP/1.1\r\n\r\n"):
            gone.clear()
            entered.clear()
            wire = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            wire.sendall(head)
            assert entered.wait(5)
            reset(wire)
            gone.set()
        assert requests.get(server.url, timeout=5).status_code == 200
    assert [record for record in caplog.records if record.name.startswith("couchfake")] == []


def wait_until_idle(server: Server, count: int) -> None:
    """Wait until ``count`` connections wait for a request: an answer arrives before its thread does."""
    while sum(connection.idle_since is not None for connection in list(server._connections)) < count:
        time.sleep(0)


def test_the_oldest_idle_connection_makes_room_for_a_new_client(application: Application) -> None:
    with Server(application, max_connections=2) as server, contextlib.ExitStack() as stack:

        def connected(count: int) -> socket.socket:
            wire = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            stack.callback(wire.close)
            wire.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert answers(wire, 1)[0][0] == 200
            wait_until_idle(server, count)
            return wire

        first, second = connected(1), connected(2)
        first.sendall(b"GET / HTTP/1.1\r\n\r\n")  # now the second one is idle for longer
        assert answers(first, 1)[0][0] == 200
        wait_until_idle(server, 2)
        connected(2)
        assert second.recv(1) == b""
        first.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert answers(first, 1)[0][0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "half a head"])
def test_never_are_more_connections_open_than_the_server_may_have(application: Application, sent: bytes) -> None:
    with Server(application, max_connections=5) as server, contextlib.ExitStack() as stack:
        for _ in range(60):
            wire = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            wire.sendall(sent)
        assert requests.get(server.url, timeout=5).status_code == 200
        assert server.open_connections <= 5


def test_a_connection_that_carries_a_feed_is_not_idle(application: Application) -> None:
    with (
        Server(application, max_connections=1) as server,
        requests.get(server.url + "/feed", stream=True, timeout=5) as feed,
    ):
        application.wait_for_feeds(1)
        assert requests.get(server.url, timeout=5).status_code == 200
        application.add(b"line\n")
        assert next(feed.iter_lines()) == b"line"


class Exhausted:
    """A listener whose ``accept`` fails at first, as if no file could be opened."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.failed = threading.Event()

    def accept(self) -> Any:
        if not self.failed.is_set():
            self.failed.set()
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listener.accept()

    def close(self) -> None:
        self._listener.close()


def test_when_no_file_can_be_opened_the_oldest_idle_connection_is_closed(
    application: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(application) as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert answers(idle, 1)[0][0] == 200
        wait_until_idle(server, 1)
        monkeypatch.setattr(server, "_listener", Exhausted(server._listener))  # type: ignore[arg-type]
        assert requests.get(server.url, timeout=5).status_code == 200
        assert idle.recv(1) == b""
    assert caplog.records == []


def test_connections_are_forgotten_when_they_end(server: Server) -> None:
    threads = []
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as wire:
            wire.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert answers(wire, 1)[0][0] == 200
            threads += [connection.thread for connection in server._connections]
    assert threads
    for thread in threads:
        thread.join(5)
    assert server.open_connections == 0
