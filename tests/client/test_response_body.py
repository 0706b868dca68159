"""`ResponseBody` with the arguments of couchdb-python's class."""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import requests

from couchdb_client.http import ConnectionFailed, ResponseBody
from couchfake import CouchFake


class Pool:
    """Keeps what is released to it."""

    def __init__(self) -> None:
        self.released: list[tuple[str, Any]] = []

    def release(self, url: str, connection: Any) -> None:
        self.released.append((url, connection))


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake() as fake:
        yield fake


@pytest.fixture
def connection(fake: CouchFake) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(urlsplit(fake.url).netloc)
    connection.request("PUT", "/people")
    connection.getresponse().read()
    yield connection
    connection.close()


def version(connection: http.client.HTTPConnection) -> bytes:
    connection.request("GET", "/")
    return connection.getresponse().read()


@pytest.mark.parametrize("path", ["/", "/people/_changes"], ids=["of known length", "in chunks"])
def test_a_body_that_is_read_gives_its_connection_back(connection: http.client.HTTPConnection, path: str) -> None:
    pool = Pool()
    connection.request("GET", path)
    body = ResponseBody(connection.getresponse(), pool, path, connection)
    assert body.read(5) in (b'{"cou', b'{"res')
    assert pool.released == []
    assert body.read().endswith(b"\n")
    assert pool.released == [(path, connection)]
    sock = connection.sock
    assert b'"couchdb":"Welcome"' in version(connection)
    assert connection.sock is sock
    body.close()
    assert len(pool.released) == 1


def test_a_body_that_is_closed_early_leaves_nothing_for_the_next_answer(connection: http.client.HTTPConnection) -> None:
    pool = Pool()
    connection.request("GET", "/people/_changes?feed=continuous&heartbeat=60000")
    with ResponseBody(connection.getresponse(), pool, "/people/_changes", connection):
        pass
    assert pool.released == [("/people/_changes", connection)]
    assert b'"couchdb":"Welcome"' in version(connection)


def test_a_body_in_chunks_gives_lines_as_they_come(connection: http.client.HTTPConnection) -> None:
    connection.request("PUT", "/people/john", b"{}")
    connection.getresponse().read()
    connection.request("GET", "/people/_changes?feed=continuous&heartbeat=60000")
    with ResponseBody(connection.getresponse(), Pool(), "/people/_changes", connection) as body:
        assert b'"id":"john"' in next(body.iterchunks())


class Readable:
    """A file whose every read gives the next of some pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.closed = False

    def read(self, size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def close(self) -> None:
        self.closed = True


def test_any_readable_object_can_be_the_answer() -> None:
    readable = Readable(b"one\ntwo")
    assert list(ResponseBody(readable, None, None, None)) == [b"one\n", b"two"]
    assert readable.closed


def test_lines_are_whole_wherever_the_pieces_end() -> None:
    pieces = (b"one\ntwo\n\nth", b"ree\nfo", b"ur")
    lines = [b"one\n", b"two\n", b"\n", b"three\n", b"four"]
    assert list(ResponseBody(Readable(*pieces))) == lines
    batches = list(ResponseBody(Readable(*pieces)).line_batches())
    assert [line.rstrip() for batch in batches for line in batch] == [line.rstrip() for line in lines]


def test_reads_between_lines_continue_after_the_last_line() -> None:
    body = ResponseBody(Readable(b"a\nb\ncd\ne\nf\n"))
    lines = iter(body)
    assert [next(lines), next(lines), body.read(1), next(lines), next(lines)] == [b"a\n", b"b\n", b"c", b"d\n", b"e\n"]
    assert [body.read(), list(lines)] == [b"f\n", []]


def test_a_text_file_can_be_made_of_a_body() -> None:
    body = ResponseBody(Readable("größer\nals".encode()))
    assert body.readable()
    with io.TextIOWrapper(cast(io.BufferedReader, body), "utf-8") as text:
        assert list(text) == ["größer\n", "als"]
    assert body.closed


def test_read1_returns_what_has_arrived() -> None:
    body = ResponseBody(Readable(b"one", b"two"))
    assert [body.read1(2), body.read1(2), body.read1(), body.read1()] == [b"on", b"e", b"two", b""]


def test_a_closed_body_cannot_be_read() -> None:
    readable = Readable(b"one")
    body = ResponseBody(readable)
    body.close()
    body.close()
    assert readable.closed
    with pytest.raises(ValueError, match="closed file"):
        body.read()


def test_an_interrupted_body_closes_its_answer() -> None:
    readable, pool, closed = Readable(b"one"), Pool(), []

    class Connection:
        def close(self) -> None:
            closed.append(True)

    ResponseBody(readable, pool, "/", Connection()).interrupt()
    assert (readable.closed, closed, len(pool.released)) == (True, [True], 1)


def test_errors_that_are_not_about_the_connection_are_raised_as_they_are() -> None:
    class Broken(Readable):
        def read(self, size: int) -> bytes:
            raise error

    error: Exception = requests.exceptions.ProxyError("no proxy")
    with pytest.raises(requests.exceptions.ProxyError, match="no proxy"):
        ResponseBody(Broken()).read()
    error = ConnectionResetError(104, "Connection reset by peer")
    with pytest.raises(ConnectionFailed):
        ResponseBody(Broken()).read()


def test_a_chunked_body_can_be_read_by_the_file_of_the_answer() -> None:
    class Chunked:
        def __init__(self, data: bytes) -> None:
            self.fp = io.BytesIO(data)

        def close(self) -> None:
            pass

    for end in (b"", b"0\r\n\r\n"):
        body = ResponseBody(Chunked(b"4\r\none\n\r\n3\r\ntwo\r\n" + end), None, None, None)
        assert list(body.iterchunks()) == [b"one\n", b"two"]
        assert list(body.iterchunks()) == []
