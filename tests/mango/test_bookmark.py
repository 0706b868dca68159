from __future__ import annotations

import base64
import contextlib
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchfake.errors import CouchError
from couchfake.mango.cursor import Bookmark, pack, unpack

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(st.text(), JSON)
def test_a_bookmark_comes_back_as_it_went(docid: str, key: Any) -> None:
    assert unpack(pack(Bookmark(docid, key))) == (docid, key)


def test_bookmarks_are_the_real_servers_bytes() -> None:
    assert pack(Bookmark("person-006", [28])) == (
        "g2wAAAACaAJkAA5zdGFydGtleV9kb2NpZG0AAAAKcGVyc29uLTAwNmgCZAAIc3RhcnRrZXlrAAEcag"
    )
    assert pack(Bookmark("person-001", "person-001")) == (
        "g1AAAABEeJzLYWBgYMpgSmHgKy5JLCrJTq2MT8lPzkzJBYpzFaQWFefn6RoYGIJUcMBUoMllAQCJaRNz"
    )


@pytest.mark.parametrize("text", ["garbage", "nil", "g1AAAA", "a b", "é", "g2o", "g2E", "!", "gw"])
def test_an_invalid_bookmark_is_refused(text: str) -> None:
    with pytest.raises(CouchError) as caught:
        unpack(text)
    assert (caught.value.status, caught.value.error) == (400, "invalid_bookmark")
    assert caught.value.reason == f'Invalid bookmark value: "{text}"'


def test_a_bookmark_that_would_unpack_to_very_much_is_refused() -> None:
    bomb = b"\x83P" + (1 << 28).to_bytes(4, "big") + zlib.compress(bytes(1 << 22))
    with pytest.raises(CouchError, match="invalid_bookmark"):
        unpack(base64.urlsafe_b64encode(bomb).decode())


@given(st.binary(max_size=60))
def test_random_bytes_are_refused_or_read_but_never_fail(data: bytes) -> None:
    text = base64.urlsafe_b64encode(b"\x83" + data).decode().rstrip("=")
    with contextlib.suppress(CouchError):
        unpack(text)


@pytest.mark.parametrize(
    ("docid", "key", "text"),
    [
        ("k014", ["b"], "g1AAAAA7eJzLYWBgYMpgSmHgKy5JLCrJTq2MT8lPzkzJBYqzZBsYmoDkOGByOUBRRpAUY1JWFgDJVw7z"),
        ("k000", [None], "g2wAAAACaAJkAA5zdGFydGtleV9kb2NpZG0AAAAEazAwMGgCZAAIc3RhcnRrZXlsAAAAAWQABG51bGxqag"),
        ("person-006", [28], "g2wAAAACaAJkAA5zdGFydGtleV9kb2NpZG0AAAAKcGVyc29uLTAwNmgCZAAIc3RhcnRrZXlrAAEcag"),
    ],
)
def test_a_bookmark_is_compressed_only_if_that_makes_it_no_longer(docid: str, key: list, text: str) -> None:
    assert pack(Bookmark(docid, key)) == text
