"""The one builder of environments and the one caller of applications."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from couchfake.transports.wsgi import (
    LINE_LIMIT,
    Answer,
    base_environ,
    header_items,
    make_environ,
    within_limits,
)

StartResponse = Callable[..., Any]


def environ(method: str = "GET", target: str = "/") -> dict[str, Any]:
    return make_environ(base_environ("h", 80), method, target, {}, io.BytesIO())


def called(body: Iterable[bytes], status: str = "200 OK", method: str = "GET") -> Answer:
    def application(_: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [("X", "y")])
        return body

    return Answer(application, environ(method))


class Chunks:
    """An iterable that counts the chunks it made and how often it was closed."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = iter(chunks)
        self.made = self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.made += 1
        return chunk

    def close(self) -> None:
        self.closed += 1


def test_an_environment_has_the_target_as_sent_and_the_path_unquoted() -> None:
    made = environ("PUT", "/a%2Fb%C3%A9?x=%20")
    assert (made["REQUEST_METHOD"], made["REQUEST_URI"]) == ("PUT", "/a%2Fb%C3%A9?x=%20")
    assert (made["PATH_INFO"], made["QUERY_STRING"]) == ("/a/b\xc3\xa9", "x=%20")


def test_repeated_headers_are_joined_and_names_with_an_underscore_are_dropped() -> None:
    fields = [
        ("Accept", "a"),
        ("accept", "b"),
        ("Cookie", "a=1"),
        ("Cookie", b"b=2"),
        ("Content-Length", "5"),
        ("X_Y", "z"),
    ]
    assert header_items(fields) == {"HTTP_ACCEPT": "a,b", "HTTP_COOKIE": "a=1; b=2", "CONTENT_LENGTH": "5"}


@pytest.mark.parametrize(
    ("method", "target", "fields", "status"),
    [
        ("GET", "/" + "a" * (LINE_LIMIT - 20), [], 200),
        ("GET", "/" + "a" * LINE_LIMIT, [], 400),
        ("GET", "/", [("X", "a" * LINE_LIMIT)], 400),
    ],
)
def test_a_line_that_no_server_would_accept_is_refused(method: str, target: str, fields: Any, status: int) -> None:
    def application(_: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        return []

    assert Answer(within_limits(application, method, target, fields), environ()).status == status


def test_a_list_is_whole_and_an_iterator_comes_chunk_by_chunk() -> None:
    whole = called([b"a", b"b"])
    assert (whole.status, whole.reason, whole.headers, whole.whole) == (200, "OK", [("X", "y")], b"ab")
    chunks = Chunks(b"a", b"", b"b")
    answer = called(chunks)
    assert (answer.whole, chunks.made) == (None, 1)
    assert list(iter(answer.next_chunk, None)) == [b"a", b"", b"b"]
    assert called(Chunks(b"a", b"b")).read() == b"ab"


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
def test_no_chunk_is_made_where_no_body_may_follow(method: str, status: str) -> None:
    chunks = Chunks(b"a")
    answer = called(chunks, status, method)
    assert (answer.bodiless, answer.read()) == (True, b"")
    assert (chunks.made, chunks.closed) == (0, 1)


def test_what_is_written_comes_before_what_is_returned() -> None:
    def application(_: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
        write = start_response("200 OK", [])
        write(b"1")
        yield b"2"
        write(b"3")

    assert Answer(application, environ()).read() == b"123"


def test_an_error_before_the_head_closes_the_iterable_and_is_raised() -> None:
    class Broken(Chunks):
        def __next__(self) -> bytes:
            raise LookupError("broken")

    chunks = Broken()
    with pytest.raises(LookupError, match="broken"):
        called(chunks)
    assert chunks.closed == 1


def test_start_response_must_be_called_once() -> None:
    with pytest.raises(RuntimeError, match="did not call"):
        Answer(lambda *_: [b""], environ())

    def twice(_: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    with pytest.raises(RuntimeError, match="twice"):
        Answer(twice, environ())
