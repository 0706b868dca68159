"""The order of JSON values, as bytes that are compared."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchfake.values.collation import HIGHEST, MAX_KEY, Collator, raw_sort_key, text_key

SOURCES = ["icu", "pyuca", "basic"]
ICU = Collator("icu")


@pytest.fixture(params=SOURCES, scope="module")
def collator(request: pytest.FixtureRequest) -> Collator:
    pytest.importorskip({"icu": "icu", "pyuca": "pyuca", "basic": "unicodedata"}[request.param])
    return Collator(request.param)


# From CouchDB's documentation, "Views Collation: Collation Specification", and beyond.
IN_ORDER: list[Any] = [
    None, False, True, -(10**400), -1e300, -(2**53) - 1, -1, -0.5, 0, 5e-324, 0.5, 1, 2, 3.0, 4, 2**53, 2**53 + 1,
    2**53 + 2, 1e300, 10**400, "", "a", "A", "aa", "b", "B", "ba", "bb", [], [None], [1], [1, 2], [2], ["a"], ["b"],
    ["b", "c"], ["b", "c", "a"], ["b", "d"], ["b", "d", "e"], [[]], [[1]], [{}], {}, {"": 1}, {"a": 1},
    {"a": 1, "b": 1}, {"a": 2}, {"b": 1}, {"b": 2}, {"b": 2, "a": 1}, {"b": 2, "c": 2},
]  # fmt: skip


def test_values_of_all_types_are_in_the_order_of_views(collator: Collator) -> None:
    keys = [collator.sort_key(value) for value in IN_ORDER]
    for (lower, upper), (low, high) in zip(pairwise(IN_ORDER), pairwise(keys), strict=True):
        assert low < high, (lower, upper)
    assert all(key < HIGHEST for key in keys)


def test_the_highest_key_is_above_all_values_at_its_place(collator: Collator) -> None:
    for value in IN_ORDER:
        assert collator.sort_key(value) < collator.sort_key(MAX_KEY) < HIGHEST
        assert collator.sort_key(["x", value]) < collator.sort_key(["x", MAX_KEY]) < collator.sort_key(["y"])


def test_raw_order_is_that_of_erlang_terms() -> None:
    values: list[Any] = [
        -1, 0.5, 1, 10**30, False, None, True, {}, {"": 1}, {"a": 1}, {"a": 1, "b": 1}, {"a": 2}, {"a": None},
        {"a": [1]}, {"a": "x"}, {"b": 1}, [], [1], [1, 2], [2], [False], [{}], [[]], ["a"], "", "A", "B", "a", "a\0",
        "a\x01b", "ab", "e", "é", "日", "\uffff", "😀",
    ]  # fmt: skip
    keys = [raw_sort_key(value) for value in values]
    for (lower, upper), (low, high) in zip(pairwise(values), pairwise(keys), strict=True):
        assert low < high, (lower, upper)


def test_the_two_zeros_and_the_two_ways_to_write_a_number_are_equal(collator: Collator) -> None:
    for order in (collator.sort_key, raw_sort_key):
        assert order(0) == order(-0.0) == order(0.0)
        assert order(3) == order(3.0)
        assert order(2**60) == order(float(2**60))
        assert order([1, {"a": 2}]) == order([1.0, {"a": 2.0}])


def test_text_that_only_looks_different_is_equal_by_icu_and_apart_in_raw_order() -> None:
    for one, other in (("é", "e\u0301"), ("ab", "a\x01b"), ("3", "٣")):
        assert ICU.sort_key(one) == ICU.sort_key(other)
        assert ICU.sort_key([one]) == ICU.sort_key([other])
        assert raw_sort_key(one) != raw_sort_key(other)


def test_icu_sorts_characters_of_ascii_as_the_server_does() -> None:
    # Recorded from CouchDB 3.5.0.
    wanted = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ"
    assert "".join(sorted(map(chr, range(32, 127)), key=ICU.sort_key)) == wanted


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**320), 10**320)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\0", max_size=2), inner, max_size=3),
    max_leaves=6,
)
numbers = st.integers() | st.integers(-(10**320), 10**320) | st.floats(allow_nan=False, allow_infinity=False)


@given(numbers, numbers)
@settings(max_examples=500, deadline=None)
def test_numbers_compare_exactly_whatever_their_size_and_type(one: float, other: float) -> None:
    for order in (ICU.sort_key, raw_sort_key):
        assert (order(one) < order(other)) == (one < other)
        assert (order(one) == order(other)) == (one == other)


@pytest.mark.parametrize("base", [2**53, 2**64, 10**30, int(math.ldexp(1.0, 1023)), 10**310])
def test_integers_beyond_doubles_are_distinguished(base: int) -> None:
    for sign in (1, -1):
        near = sorted(sign * base + n for n in range(-3, 4))
        assert [ICU.sort_key(n) for n in near] == sorted(ICU.sort_key(n) for n in near)
        assert len({ICU.sort_key(n) for n in near}) == len(near)


def test_integers_of_different_lengths_beyond_doubles_are_ordered() -> None:
    rising = [-(10**500), -(10**400), -(10**320), -(10**307), 10**307, 10**320, 10**400, 10**500]
    assert sorted(rising, key=ICU.sort_key) == rising
    assert [ICU.sort_key(n) for n in rising] == sorted(ICU.sort_key(n) for n in reversed(rising))


@given(json_values, json_values)
@settings(max_examples=300, deadline=None)
def test_no_encoding_begins_another_one(one: Any, other: Any) -> None:
    for order in (ICU.sort_key, raw_sort_key):
        first, second = order(one), order(other)
        assert first == second or not (first.startswith(second) or second.startswith(first))


@given(st.text(max_size=6), st.text(max_size=6))
@settings(max_examples=300, deadline=None)
def test_ids_keep_their_byte_order_with_something_behind_them(one: str, other: str) -> None:
    as_bytes = one.encode("utf-8", "surrogatepass") < other.encode("utf-8", "surrogatepass")
    assert (text_key(one) + b"\xff" < text_key(other) + b"\x00") == as_bytes


def test_bottomless_nesting_needs_no_stack(collator: Collator) -> None:
    deep: Any = 1
    deeper: Any = 1
    for _ in range(50_000):
        deep = [deep]
        deeper = {"a": deeper}
    assert collator.sort_key(deep) < collator.sort_key([deep]) < collator.sort_key(deeper)
    assert raw_sort_key(deeper) < raw_sort_key(deep)


def test_half_a_surrogate_pair_still_has_a_place(collator: Collator) -> None:
    assert collator.sort_key("a") < collator.sort_key("a\ud83d") < collator.sort_key([])
    raw_sort_key("a\ud83d")


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("couchfake.values.collation._CACHED", 100)
    collator = Collator("basic")
    for n in range(1000):
        assert collator.sort_key(str(n)) == collator.sort_key(str(n))
        assert collator.sort_key(n) == collator.sort_key(float(n))
        collator.sort_key("long" * 100 + str(n))
    assert len(collator._cache) <= 100


def test_without_packages_the_order_comes_from_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "icu", None)
    monkeypatch.setitem(sys.modules, "pyuca", None)
    collator = Collator()
    assert collator.name == "basic"
    assert sorted(["b", "B", "a", "é", "e", "f", "10"], key=collator.sort_key) == ["10", "a", "b", "B", "e", "é", "f"]
