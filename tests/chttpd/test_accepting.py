"""The Accept and Accept-Encoding headers."""

from __future__ import annotations

import pytest

from couchfake.chttpd.request_headers import accepted_encodings, accepts


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
