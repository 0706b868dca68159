"""MIME multipart content, as database dumps have it."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

from couchdb_client.multipart import MultipartWriter, read_multipart, write_multipart


def lines(*texts: str) -> bytes:
    return "\r\n".join(texts).encode()


def parts_of(content: bytes, **options: Any) -> list[Any]:
    """The parts, with nested ones as lists."""

    def read(parts: Iterator[Any]) -> list[Any]:
        return [(headers, read(payload) if nested else payload) for headers, nested, payload in parts]

    return read(read_multipart(BytesIO(content), **options))


def written(*parts: tuple[str, str | bytes, dict[str, str]]) -> bytes:
    file = BytesIO()
    with write_multipart(file) as envelope:
        for part in parts:
            envelope.add(*part)
    return file.getvalue()


def test_parts_are_written_with_their_length_and_digest() -> None:
    file = BytesIO()
    envelope = write_multipart(file, subtype="related", boundary="sep")
    envelope.add("application/json", b"{}", {"Content-ID": "a", "ETag": '"1-x"'})
    envelope.add("text/plain", "Grüße")
    envelope.close()
    assert file.getvalue() == lines(
        'Content-Type: multipart/related; boundary="sep"', "",
        "--sep",
        "Content-ID: a", "Content-Length: 2", "Content-MD5: mZFLkyvTelC5g8XnyQrpOw==",
        "Content-Type: application/json", 'ETag: "1-x"', "",
        "{}",
        "--sep",
        "Content-Length: 7", "Content-MD5: ScX2dbSQN7YES4A6ydGm1w==", "Content-Type: text/plain;charset=utf-8", "",
        "Grüße",
        "--sep--", "",
    )  # fmt: skip


def test_envelopes_nest() -> None:
    file = BytesIO()
    with write_multipart(file, boundary="outer") as envelope:
        with envelope.open({"Content-ID": "a"}, boundary="inner") as inner:
            inner.add("text/plain", b"1")
        envelope.add("text/plain", b"2")
    outer, second = parts_of(file.getvalue())
    assert outer[0] == {"content-id": "a", "content-type": 'multipart/mixed; boundary="inner"'}
    assert [payload for _, payload in outer[1]] == [b"1"]
    assert second[1] == b"2"


def test_nested_parts_that_are_not_read_are_skipped() -> None:
    file = BytesIO()
    with write_multipart(file) as envelope:
        with envelope.open() as inner:
            inner.add("text/plain", b"1")
            inner.add("text/plain", b"2")
        envelope.add("text/plain", b"3")
    (_, _, skipped), (_, nested, payload) = read_multipart(BytesIO(file.getvalue()))
    assert (nested, payload) == (False, b"3")
    assert list(skipped) == []


@pytest.mark.parametrize(
    "content",
    [
        b"", b"x", b"\n", b"\r\n", b"\r", b"a\r\n", b"a\n\n", b"\r\n\r\n", b"--", b"--sep-not", b"\x00\xff\r\n--\r\n",
        b"a" * 100_000,
    ],
    ids=lambda content: repr(content[:12]),
)  # fmt: skip
def test_any_content_survives(content: bytes) -> None:
    file = BytesIO()
    with write_multipart(file, boundary="sep") as envelope:
        envelope.add("application/octet-stream", content)
        envelope.add("text/plain", b"after")
    assert [payload for _, payload in parts_of(file.getvalue())] == [content, b"after"]


@pytest.mark.parametrize(
    "value",
    ["文档", "=?utf-8?b?w7w=?=", "a" * 300, "ü" * 200, " a ", "a: b", "a\r\nb", "100%", "=?", "\x00", '"quoted"'],
    ids=repr,
)
def test_any_header_survives(value: str) -> None:
    content = written(("text/plain", b"", {"Content-ID": value}))
    assert parts_of(content)[0][0]["content-id"] == value
    assert max(map(len, content.split(b"\r\n"))) > len(value) or not value.isascii()


def test_headers_beyond_ascii_are_encoded_words() -> None:
    assert b"\r\nContent-ID: =?utf-8?b?5paH5qGj?=\r\n" in written(("text/plain", b"", {"Content-ID": "文档"}))


def test_text_is_encoded_by_its_charset() -> None:
    content = written(("text/plain;charset=latin-1", "ü", {}))
    assert b"\r\n\r\n\xfc\r\n--" in content
    assert b"Content-Type: text/plain;charset=latin-1\r\n" in content
    with pytest.raises(UnicodeEncodeError):
        MultipartWriter(BytesIO()).add("text/plain;charset=ascii", "ü")


def test_unix_line_ends_a_preamble_folded_headers_and_an_epilogue_are_read() -> None:
    content = (
        b"Content-Type: multipart/mixed;\n boundary=sep\n\npreamble\n--sep \nA: b\n  c\nContent-Type: text/plain\n\n"
        b"one\ntwo\n--sep\n\nthree\n--sep--\nepilogue"
    )
    assert parts_of(content) == [({"a": "b c", "content-type": "text/plain"}, b"one\ntwo"), ({}, b"three")]


def test_a_given_boundary_saves_the_headers_of_the_envelope() -> None:
    assert parts_of(b"--sep\r\nA: b\r\n\r\nx\r\n--sep--", boundary="sep") == [({"a": "b"}, b"x")]


def test_an_empty_file_has_no_parts() -> None:
    assert parts_of(b"") == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"not multipart at all", "not a header of multipart content: 'not multipart at all'"),
        (b"\n\nx", "there is no Content-Type header with a boundary"),
        (b"Content-Type: text/plain; boundary=sep\n\n--sep--", "there is no Content-Type header with a boundary"),
        (b"Content-Type: multipart/mixed; boundary=sep\n\n", "ends before its closing boundary"),
        (b"Content-Type: multipart/mixed; boundary=sep\n\n--sep\n\ncut", "ends before its closing boundary"),
        (
            b"Content-Type: multipart/mixed; boundary=sep\n\n--sep\nContent-Type: multipart/mixed; boundary=in\n\n"
            b"--in\n\nx\n--in--\n",
            "ends before its closing boundary",
        ),
    ],
)
def test_damaged_content_is_an_error(content: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parts_of(content)


def test_what_was_complete_is_read_before_the_error() -> None:
    parts = read_multipart(BytesIO(b"Content-Type: multipart/mixed; boundary=sep\n\n--sep\nA: b\n\nx"))
    assert next(parts) == ({"a": "b"}, False, b"x")
