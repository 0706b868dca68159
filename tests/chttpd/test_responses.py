"""Responses as WSGI applications: length, status line and headers, and which have no body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from couchfake.chttpd.responses import Response


def answered(response: Response, method: str = "GET") -> tuple[str, list[tuple[str, str]], bytes]:
    head: list[Any] = []
    chunks = response({"REQUEST_METHOD": method}, lambda *status_and_headers: head.extend(status_and_headers))
    return head[0], head[1], b"".join(chunks)


def test_a_body_that_is_whole_has_its_length() -> None:
    assert answered(Response(b"abc", 201, {"X": "y"})) == ("201 Created", [("X", "y"), ("Content-Length", "3")], b"abc")


def test_a_body_that_is_made_while_it_is_sent_has_no_length() -> None:
    assert answered(Response(iter([b"a", b"b"]), 200)) == ("200 OK", [], b"ab")


def test_the_response_to_head_has_the_length_of_the_omitted_body() -> None:
    assert answered(Response(b"abc"), "HEAD") == ("200 OK", [("Content-Length", "3")], b"")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_chunks_that_are_not_sent_are_not_made(method: str, status: int) -> None:
    ended = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"a"
            raise AssertionError("a second chunk was requested")
        finally:
            ended.append(True)

    running = chunks()
    next(running)
    assert answered(Response(running, status), method)[2] == b""
    assert ended


def test_the_length_of_a_body_that_is_not_made_for_head_is_kept() -> None:
    assert answered(Response([], 200, {"content-length": "7"}), "HEAD")[1] == [("content-length", "7")]


@pytest.mark.parametrize("length", ["zz", "7", "-1"])
def test_the_length_of_a_whole_body_is_its_own_whatever_a_header_says(length: str) -> None:
    assert answered(Response(b"abc", 200, {"content-length": length}))[1] == [("Content-Length", "3")]


def test_no_content_has_no_length_and_not_modified_has_length_0() -> None:
    assert answered(Response(b"", 204))[1] == []
    assert answered(Response(b"", 304))[1] == [("Content-Length", "0")]


def test_a_header_is_one_line_of_latin_1() -> None:
    headers = dict(answered(Response(b"", 200, {"A": "x\r\nB: y", "C": "\u20ac", "D": "\xe4"}))[1])
    assert headers == {"A": "x  B: y", "C": "\u20ac".encode().decode("latin-1"), "D": "\xe4", "Content-Length": "0"}


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, "200 OK"),
        (302, "302 Moved Temporarily"),
        (404, "404 Object Not Found"),
        (408, "408 Request Time-out"),
        (412, "412 Precondition Failed"),
        (413, "413 Request Entity Too Large"),
        (414, "414 Request-URI Too Large"),
        (416, "416 Requested Range Not Satisfiable"),
        (504, "504 Gateway Time-out"),
        (505, "505 HTTP Version not supported"),
        *((status, f"{status} Internal Server Error") for status in (418, 428, 429, 431, 451, 511, 599, 799)),
    ],
)
def test_reason_phrases_are_those_of_mochiweb(status: int, line: str) -> None:
    assert answered(Response(b"", status))[0] == line
