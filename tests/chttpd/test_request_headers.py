"""How the real server reads the ``Accept``, ``Accept-Encoding`` and ``Range`` headers."""

from __future__ import annotations

import pytest

from couchfake.chttpd.request import accepted_encodings, accepts, byteranges, content_range, ranges_of
from couchfake.errors import RangeNotSatisfiable

# Accept and Accept-Encoding


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, {"identity"}),
        ("", {"identity"}),
        ("gzip", {"gzip", "identity"}),
        ("deflate, GZIP;q=0.1", {"gzip", "identity"}),
        ("gzip; q = 0", {"identity"}),
        ("*", {"gzip", "identity"}),
        ("*;q=0", set()),
        ("gzip, *;q=0", {"gzip"}),
        ("*, gzip;q=0", {"identity"}),
        ("identity;q=0", set()),
        ("identity;q=0, gzip", {"gzip"}),
    ],
)
def test_encodings(header: str | None, accepted: set[str]) -> None:
    assert accepted_encodings(header) == accepted


@pytest.mark.parametrize("header", ["gzip;q=2", "gzip;q=x", "gzip;q=0.1234", "gzip;what", ";"])
def test_an_encoding_of_no_known_quality_is_an_error(header: str) -> None:
    with pytest.raises(ValueError):
        accepted_encodings(header)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, True),
        ("*/*", True),
        ("application/json", False),
        ("text/plain, multipart/*;q=0.1", True),
        ("Multipart/Related", True),
        ("*/*, multipart/related;q=0", False),
        ("*/*;q=0.5, multipart/*;q=0.0", False),
        ("multipart/related;q=0.000", False),
        ("multipart/related;type=x", False),
        ("multipart/related, multipart/mixed", True),
    ],
)
def test_types(header: str | None, accepted: bool) -> None:
    assert accepts(header, "multipart/related") is accepted


# Range, for a body of 300 bytes, and the parts that are sent


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("bytes=0-9", [(0, 9)]),
        ("bytes=10-19", [(10, 19)]),
        ("bytes=290-", [(290, 299)]),
        ("bytes=-5", [(295, 299)]),
        ("bytes=0-0", [(0, 0)]),
        ("bytes=299-299", [(299, 299)]),
        ("bytes=0-1000", [(0, 299)]),
        ("bytes=0-3,5-6,-1", [(0, 3), (5, 6), (299, 299)]),
        ("bytes=0-3,,5-6", [(0, 3), (5, 6)]),
        ("bytes= 0-1", [(0, 1)]),
        ("bytes=0-1, 10-11 , ", [(0, 1), (10, 11)]),
        ("bytes=", []),
    ],
)
def test_a_range_names_first_and_last_byte(header: str, ranges: list[tuple[int, int]]) -> None:
    assert ranges_of(header, 300) == ranges


def test_a_suffix_longer_than_the_body_loses_its_first_byte() -> None:
    assert ranges_of("bytes=-1000", 300) == [(1, 299)]


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=0-", "bytes=abc", "items=0-5", "0-5", "bytes=1-2-3", "bytes=-", "bytes=1 -2", "bytes=0-3,x"],
)
def test_an_unreadable_header_means_the_whole_body(header: str | None) -> None:
    assert ranges_of(header, 300) is None


@pytest.mark.parametrize("header", ["bytes=300-", "bytes=500-600", "bytes=20-10", "bytes=-0", "bytes=0-1,20-10"])
def test_a_range_without_bytes_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        ranges_of(header, 300)


def test_an_empty_body_has_no_ranges() -> None:
    with pytest.raises(RangeNotSatisfiable):
        ranges_of("bytes=0-0", 0)


def test_ten_ranges_are_too_many_and_ignored() -> None:
    nine = ",".join(f"{n}-{n}" for n in range(9))
    assert ranges_of(f"bytes={nine}", 300) == [(n, n) for n in range(9)]
    assert ranges_of(f"bytes={nine},20-20", 300) is None


def test_content_range_has_the_whole_length() -> None:
    assert content_range((0, 9), 300) == "bytes 0-9/300"


def test_several_ranges_are_parts_with_their_type_and_place() -> None:
    assert b"".join(byteranges(b"0123456789", "image/x", [(0, 1), (8, 9)], "b")) == (
        b"--b\r\nContent-Type: image/x\r\nContent-Range: bytes 0-1/10\r\n\r\n01"
        b"\r\n--b\r\nContent-Type: image/x\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--b--"
    )


def test_no_range_at_all_is_a_body_without_parts() -> None:
    assert b"".join(byteranges(b"0123456789", "image/x", [], "b")) == b"--b--"
