from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchfake.values import erlang
from couchfake.values.erlang import external, external_integer, read_integer

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "term"),
    [
        (0, b"a\x00"),
        (255, b"a\xff"),
        (256, b"b\x00\x00\x01\x00"),
        (2**31 - 1, b"b\x7f\xff\xff\xff"),
        (-(2**31), b"b\x80\x00\x00\x00"),
        (-1, b"b\xff\xff\xff\xff"),
        (2**31, b"n\x04\x00\x00\x00\x00\x80"),
        (-(2**31) - 1, b"n\x04\x01\x01\x00\x00\x80"),
        (1.5, b"F\x3f\xf8\x00\x00\x00\x00\x00\x00"),
        (True, b"d\x00\x04true"),
        (None, b"d\x00\x04null"),
        ("é", b"m\x00\x00\x00\x02\xc3\xa9"),
        ([], b"j"),
        ([1, 2], b"k\x00\x02\x01\x02"),
        ([0, 255], b"k\x00\x02\x00\xff"),
        ([256], b"l\x00\x00\x00\x01b\x00\x00\x01\x00j"),
        ([1, True], b"l\x00\x00\x00\x02a\x01d\x00\x04truej"),
        ({}, b"h\x01j"),
        ({"a": 1}, b"h\x01l\x00\x00\x00\x01h\x02m\x00\x00\x00\x01aa\x01j"),
    ],
)
def test_values_have_the_external_form_that_erlang_gives_them(value: Any, term: bytes) -> None:
    assert external(value) == term


def test_long_values_have_their_length_in_four_bytes() -> None:
    assert external("x" * 255) == b"m\x00\x00\x00\xff" + b"x" * 255
    assert external("x" * 70_000) == b"m\x00\x01\x11\x70" + b"x" * 70_000
    assert external([7] * 65_535) == b"k\xff\xff" + b"\x07" * 65_535
    assert external([7] * 65_536) == b"l\x00\x01\x00\x00" + b"a\x07" * 65_536 + b"j"


def test_an_integer_alone_has_the_form_that_it_has_in_a_value() -> None:
    for number in (0, 1, 255, 256, -1, 2**31 - 1, -(2**31), 2**31, 2**64):
        assert external_integer(number) == external(number)


def test_an_integer_of_more_than_255_bytes_is_a_large_one() -> None:
    assert external_integer(1 << 2048).startswith(b"o\x00\x00\x01\x01\x00")


@given(values)
def test_deep_values_have_the_same_form_as_shallow_ones(value: Any) -> None:
    assert erlang._external_of_deep(value) == external(value)


def test_ten_thousand_levels_are_written() -> None:
    value: Any = 1
    for _ in range(10_000):
        value = {"a": value}
    assert external(value).endswith(b"a\x01" + b"j" * 10_000)


@pytest.mark.parametrize(
    ("value", "notation"),
    [
        ([97, 32, 98], '"a b"'),
        ([9, 10, 13, 34, 92, 126], '"\\t\\n\\r\\"\\\\~"'),
        ([31], "[31]"),
        ([127], "[127]"),
        ([], "[]"),
        ([97, 1.5], "[97,1.5]"),
        ([97, True], "[97,true]"),
        ("3", '<<"3">>'),
        ("", "<<>>"),
        ("tab\t", '<<"tab\\t">>'),
        ("ä", '<<"ä"/utf8>>'),
        ("\x00", "<<0>>"),
        ({"a": [1, None]}, '{[{<<"a">>,[1,null]}]}'),
        ({"a": {}, "b": 2}, '{[{<<"a">>,{[]}},{<<"b">>,2}]}'),
    ],
)
def test_lists_of_printable_characters_codes_are_written_as_strings(value: Any, notation: str) -> None:
    assert erlang.format_term(value) == notation


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("12", 12), ("+7", 7), ("-7", -7), ("9" * 4000, 10**4000 - 1)])
def test_an_integer_is_read(text: str, value: int) -> None:
    assert read_integer(text) == value


def test_an_integer_longer_than_python_reads_is_still_a_large_one() -> None:
    assert read_integer("9" * 5000) == 10**4000 - 1
    assert read_integer("-" + "9" * 5000) == -(10**3999) + 1


@pytest.mark.parametrize("text", ["", "x", "1.5", "1e3"])
def test_what_is_not_an_integer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        read_integer(text)
