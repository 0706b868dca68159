"""`ResponseBody` with the arguments of couchdb-python's class."""

from __future__ import annotations

import http.client
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from couchdb_client.http import ResponseBody
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


def test_any_readable_object_can_be_the_answer() -> None:
    class Readable:
        def __init__(self) -> None:
            self._file = io.BytesIO(b"one\ntwo")
            self.closed = False

        def read(self, size: int) -> bytes:
            return self._file.read(size)

        def close(self) -> None:
            self.closed = True

    readable = Readable()
    assert list(ResponseBody(readable, None, None, None)) == [b"one\n", b"two"]
    assert readable.closed


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
