from __future__ import annotations

import json as standard
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchfake.values import json

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_what_is_written_reads_back_as_it_was(value: Any) -> None:
    assert json.loads(json.dumps(value)) == value


@given(values)
def test_the_slow_way_for_deep_documents_reads_and_writes_the_same(value: Any) -> None:
    text = standard.dumps(value)
    assert json.loads_deep(text, standard.JSONDecoder(), dict) == value
    assert standard.loads("".join(json.deep_pieces(value, standard.dumps))) == value


def test_numbers_of_any_size_and_kind_survive() -> None:
    text = '{"big":123456789012345678901234567890,"one":1,"one point":1.0}'
    assert json.dumps(json.loads(text)) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e3, "1000.0"),
        (1e16, "10000000000000000.0"),
        (1.5e16, "15000000000000000.0"),
        (9007199254740993.0, "9007199254740992.0"),
        (12345678901234567.0, "12345678901234568.0"),
        (-123456789012345680000.0, "-123456789012345680000.0"),
        (1e21, "1e+21"),
        (1.25e-7, "1.25e-7"),
        (1e-6, "0.000001"),
        (-1e-8, "-1e-8"),
        (-0.0, "0.0"),
    ],
)
def test_floats_are_written_as_the_server_writes_them(number: float, text: str) -> None:
    assert json.dumps([number]) == f"[{text}]"


def test_a_number_too_small_for_full_precision_is_read_as_zero() -> None:
    assert json.dumps(json.loads("[5e-324,-1e-310,2.3e-308]")) == "[0.0,0.0,2.3e-308]"
    smallest = "[2.2250738585072014e-308,-2.2250738585072014e-308]"
    assert json.dumps(json.loads(smallest)) == smallest


def test_a_string_that_looks_like_an_odd_number_is_unchanged() -> None:
    assert json.dumps({"a": "1e+5", "b": ":1e-5", "c": 1e-5}) == '{"a":"1e+5","b":":1e-5","c":0.00001}'


def test_of_a_repeated_member_the_last_counts_and_comes_last() -> None:
    assert list(json.loads('{"a":1,"b":2,"a":3}').items()) == [("b", 2), ("a", 3)]


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[1,]", '{"a":1,}', "01", "+1", ".5", "1.", "NaN", "Infinity", "1e400", "'a'", '"\\x"', '"\t"']
    + ["1 2"],
)
def test_invalid_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        json.loads(text)


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udc00x"', '"\\ud800\\ud800\\udc00"'])
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        json.loads(text)


def test_a_whole_surrogate_pair_and_an_escaped_backslash_are_not_halves() -> None:
    assert json.loads('"\\ud83d\\ude00"') == "😀"
    assert json.loads('"\\\\ud800"') == "\\ud800"


@pytest.mark.parametrize("data", [b"\xff", b'"\xed\xa0\x80"', b"\xef\xbb\xbf1"])
def test_bytes_that_are_not_utf8_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        json.loads(data)


def test_a_document_may_nest_ten_thousand_levels_deep() -> None:
    text = '{"a":[' * 5000 + "1.5" + "]}" * 5000
    assert json.dumps(json.loads(text)) == text


@pytest.mark.parametrize("text", ["[1,", "[1 2]", '{"a" 1}', '{"a":1,}', "[,]", '{"a":1]', "[nul]", "{1:2}"])
def test_invalid_json_is_refused_deep_in_a_document_too(text: str) -> None:
    with pytest.raises(ValueError):
        json.loads("[" * 3000 + text + "]" * 3000)


def test_control_characters_are_escaped_with_capital_digits() -> None:
    assert json.dumps({"\x1f": "\x0b\x00\n"}) == '{"\\u001F":"\\u000B\\u0000\\n"}'
    assert json.quote("\\u001f \x1f") == '"\\\\u001f \\u001F"'


def ill_formed(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\xed\xa0\xbd", "\ufffd"),
        (b"a\xed\xb8\x80z", "a\ufffdz"),
        (b"\xed\xa0\xbd\xed\xb8\x80", "😀"),
        (b"\xed\xa0\xbdx\xed\xb8\x80", "\ufffdx\ufffd"),
        (b"\xed\xff", "\ufffd\ufffd"),
        ("ß日".encode(), "ß日"),
    ],
)
def test_halves_of_surrogate_pairs_are_shown_as_what_they_make_together(data: bytes, shown: str) -> None:
    assert json.repaired(ill_formed(data)) == shown
    assert json.encode([ill_formed(data)]).decode("utf-8") == f'["{shown}"]'


def test_bytes_that_are_not_utf8_are_encoded_as_replacement_characters() -> None:
    assert json.encode(ill_formed(b"a\xffz\xfe")).decode("utf-8") == '"a\ufffdz\ufffd"'


def test_only_encoding_repairs() -> None:
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", json.REPAIRED)


def test_a_value_is_read_from_the_middle_of_a_text() -> None:
    text = 'before {"a":[1,"é"]} after'
    assert json.scan(text, 7) == ({"a": [1, "é"]}, 20)
    assert json.scan('"\\ud83d\\ude00"x"\\ud83d"', 0) == ("😀", 14)


@pytest.mark.parametrize("text", ["x", "", '{"a":}', "[NaN]", '"\\ud83d"', '["\\ude00"]', "[" * 100_000])
def test_what_is_not_a_value_cannot_be_read_from_a_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.scan(f"-- {text}", 3)
