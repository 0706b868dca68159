"""The built-in reducers, value by value."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchfake.errors import Crash
from couchfake.values.collation import Collator
from couchfake.values.json import dumps
from couchfake.views import hyperloglog
from couchfake.views.reduce import SUM_ERROR, Sum, SumOverflow, builtin_reducer
from couchfake.views.tree import Reducer

SORT_KEY = Collator().sort_key


def reducer(name: str) -> Reducer:
    found = builtin_reducer(name, SORT_KEY)
    assert found is not None
    return found


def answer(name: str, *leaves: Sequence[Any]) -> Any:
    """What a query answers over values that lie in so many leaves; keys and ids count up."""
    asked = reducer(name)
    n = 0
    calls = []
    for leaf in leaves:
        calls.append([(n + m, f"d{n + m}", value) for m, value in enumerate(leaf)])
        n += len(leaf)
    [value] = asked.rereduce_all([list(asked.reduce_all(calls))])
    return asked.finish(value)


def error_of(name: str, values: Sequence[Any]) -> tuple[str, str]:
    with pytest.raises(Crash) as caught:
        answer(name, values)
    return caught.value.error, caught.value.reason


@pytest.mark.parametrize(
    ("name", "kind"),
    [("_sum", "Sum"), ("_summary", "Sum"), ("_stats2", "Stats"), ("_counter", "Count"), ("_firstborn", "Outermost")],
)
def test_a_built_in_is_known_by_how_its_name_begins(name: str, kind: str) -> None:
    assert type(reducer(name)).__name__ == kind


@pytest.mark.parametrize("source", ["function(k, v) { return 1; }", " _sum", "sum", ""])
def test_other_sources_name_no_built_in(source: str) -> None:
    assert builtin_reducer(source, SORT_KEY) is None


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([1, 2, 3], 6),
        ([0.1, 0.2], 0.30000000000000004),
        ([1.5, 1.5], 3.0),
        ([2**53, 2**53, 3], 2**54 + 3),
        ([1e308, -1e308], 0.0),
        ([[1, 2], [10, 20, 30]], [11, 22, 30]),
        ([5, [1, 2]], [6, 2]),
        ([[1, 2], 5], [6, 2]),
        ([[], []], [0]),
        ([{"z": 1, "a": 2}], {"z": 1, "a": 2}),
        ([{"z": 1, "a": 2}, {"m": 3, "a": 4}], {"a": 6, "m": 3, "z": 1}),
        ([{"x": {"q": [1, 2], "p": 1}}, {"x": {"q": [10], "r": 5}}], {"x": {"p": 1, "q": [11, 2], "r": 5}}),
        ([{"a": 1}, {"a": [1, 2]}], {"a": [2, 2]}),
        ([{"a": "x"}], {"a": "x"}),
        ([[1, "x"]], [1, "x"]),
        ([0, {"a": 1}], {"a": 1}),
    ],
)
def test_sums_of_numbers_arrays_and_objects(values: Any, total: Any) -> None:
    for leaves in ([values], [values[:1], values[1:]] if len(values) > 1 else [values]):
        found = answer("_sum", *leaves)
        assert found == total
        assert repr(found) == repr(total)


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        (["a"], "a"),
        ([1, None], None),
        ([True, 1], True),
        ([[None]], [0]),
        ([[1], [None]], [1]),
        ([{"a": 1}, 2], 2),
        ([{"a": "x"}, {"a": "y"}], "y"),
    ],
)
def test_what_cannot_be_summed_becomes_an_error_in_the_row(values: Any, cause: Any) -> None:
    assert answer("_sum", values) == {"error": "builtin_reduce_error", "reason": SUM_ERROR, "caused_by": cause}


def test_an_error_of_one_leaf_is_the_error_of_all() -> None:
    assert answer("_sum", [1, 2], ["x"], [3])["caused_by"] == "x"


@pytest.mark.parametrize("values", [[2, {"a": 1}], [[1], {"a": 1}], [{"a": 1}, {"a": {"b": 1}}], [{"error": 1}]])
def test_an_object_that_follows_something_else_fails_the_sum(values: Any) -> None:
    assert error_of("_sum", values)[0] == "case_clause"


def test_a_sum_beyond_all_doubles_fails() -> None:
    assert error_of("_sum", [1e308, 1e308]) == ("badarith", "badarith")
    assert error_of("_stats", [1e200]) == ("badarith", "badarith")


def test_sums_that_hardly_shrink_are_refused_while_the_limit_is_on() -> None:
    limit = {"on": True}
    asked = Sum(SumOverflow(lambda: limit["on"]))
    rows = [(n, f"d{n}", {f"member-{n}-{m}": 1 for m in range(20)}) for n in range(20)]
    overflown = asked.reduce(rows)
    assert overflown["error"] == "builtin_reduce_error"
    assert overflown["reason"].startswith("Reduce output must shrink more rapidly: input size: ")
    assert asked.rereduce([overflown, {"a": 1}]) == overflown
    limit["on"] = False
    assert len(asked.reduce(rows)) == 400


def test_numbers_are_added_one_after_the_other() -> None:
    values = [random.Random(n).uniform(-1e9, 1e9) for n in range(200)]
    total = values[0]
    for value in values[1:]:
        total += value
    assert answer("_sum", values) == total
    assert answer("_stats", values)["sum"] == total


def test_counting_looks_at_no_value() -> None:
    assert answer("_count", [None, "x", [1]], [{}]) == 4


def stats(total: Any, count: int, low: Any, high: Any, squares: Any) -> dict[str, Any]:
    return {"sum": total, "count": count, "min": low, "max": high, "sumsqr": squares}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([7], stats(7, 1, 7, 7, 49)),
        ([1, 2, 4.5, -1], stats(6.5, 4, -1, 4.5, 26.25)),
        ([[1, 10], [2, 20]], [stats(3, 2, 1, 2, 5), stats(30, 2, 10, 20, 500)]),
        ([[]], []),
        ([[[1]], [[2]]], [[stats(3, 2, 1, 2, 5)]]),
        ([stats(10, 4, 1, 4, 30), 100], stats(110, 5, 1, 100, 10030)),
        ([{"extra": 1, **stats(10, 4, 1, 4, 30)}], stats(10, 4, 1, 4, 30)),
        ([[stats(1, 1, 1, 1, 1), 2], [3, 4]], [stats(4, 2, 1, 3, 10), stats(6, 2, 2, 4, 20)]),
    ],
)
def test_statistics_of_numbers_arrays_and_gathered_statistics(values: Any, found: Any) -> None:
    for leaves in ([values], [values[:1], values[1:]] if len(values) > 1 else [values]):
        assert answer("_stats", *leaves) == found
        assert repr(answer("_stats", *leaves)) == repr(found)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["a"], "non-numeric _stats input: <<97>>"),
        ([None], "non-numeric _stats input: null"),
        ([True], "non-numeric _stats input: true"),
        (
            [1, "a"],
            "The _stats function requires that map values be numbers or arrays of numbers, not '<<\"a\">>'",
        ),
        ([{"sum": 1}], 'user _stats input missing required field count ([{<<"sum">>,1}])'),
        ([{**stats(1, 1, 1, 1, 1), "sum": "x"}], "non-numeric _stats input received for sum: <<120>>"),
    ],
)
def test_what_has_no_statistics_fails_the_index(values: Any, reason: str) -> None:
    assert error_of("_stats", values) == ("invalid_value", reason)


def test_statistics_of_uneven_arrays_fail() -> None:
    assert error_of("_stats", [[1, 2], [1]])[0] == "function_clause"
    assert error_of("_stats", [1, [1]])[0] == "invalid_value"
    assert error_of("_stats", [[1], 1])[0] == "invalid_value"


def test_first_and_last_go_by_key_and_then_by_id() -> None:
    rows = [("b", "1", "b1"), ("a", "2", "a2"), ("A", "1", "A1"), ("a", "1", "a1"), ("b", "2", "b2")]
    for name, wanted in (("_first", "a1"), ("_last", "b2")):
        asked = reducer(name)
        for cut in range(1, len(rows)):
            [value] = asked.rereduce_all([asked.reduce_all([rows[:cut], rows[cut:]])])
            assert asked.finish(value) == wanted


def test_ranks_have_every_value_once_in_view_order() -> None:
    values = [1, "b", None, True, [2], {"a": 1}, 2.5, "B", "b", 1, 1.0, {}]
    assert answer("_top_4", values[:5], values[5:]) == [{"a": 1}, {}, [2], "B"]
    assert answer("_bottom_5", values[:5], values[5:]) == [None, True, 1, 2.5, "b"]
    assert answer("_top_100", values) == answer("_bottom_100", values)[::-1]


@pytest.mark.parametrize("size", [1, 2, 10, 100])
def test_few_distinct_keys_are_counted_exactly(size: int) -> None:
    asked = reducer("_approx_count_distinct")
    rows = [(["key", n % size], f"d{n}", None) for n in range(3 * size)]
    [value] = asked.rereduce_all([asked.reduce_all([rows[::2], rows[1::2]] if size > 1 else [rows])])
    assert asked.finish(value) == pytest.approx(size, rel=0.02)


@pytest.mark.parametrize("size", [500, 1500, 2500, 6000, 9500, 12000, 30000])
def test_many_distinct_keys_are_estimated_within_a_few_per_cent(size: int) -> None:
    registers = hyperloglog.registers_of(f"key-{n}" for n in range(size))
    assert hyperloglog.estimate(registers) == pytest.approx(size, rel=0.06)


def test_the_estimate_of_many_keys_counts_runs_of_zeros_in_64_bits_of_their_hashes() -> None:
    """Computed here digit by digit. Runs in 11 bits, as in older servers, would give 40,087."""
    longest: dict[str, int] = {}
    for n in range(40000):
        key = f"key {n}".encode()
        term = b"\x83m" + len(key).to_bytes(4, "big") + key
        bits = format(int(hashlib.sha1(term).hexdigest(), 16), "0160b")[:64]
        register, rest = bits[:11], bits[11:]
        longest[register] = max(longest.get(register, 0), len(rest) - len(rest.lstrip("0")) + 1)
    total = sum(Fraction(1, 2**run) for run in longest.values()) + 2048 - len(longest)
    exact = Fraction(7213, 10000) / (1 + Fraction(1079, 1000) / 2048) * 2048**2 / total
    assert round(exact) == 40088
    assert hyperloglog.estimate(hyperloglog.registers_of(f"key {n}" for n in range(40000))) == 40088


def test_the_sizes_behind_the_measured_estimates_are_even() -> None:
    sizes = [hyperloglog._cardinality(n) for n in range(201)]
    assert (sizes[0], sizes[1], sizes[200]) == (1, 52, 10240)
    assert {high - low for low, high in pairwise(sizes)} <= {50, 51, 52}


@given(st.lists(st.lists(st.integers(-9, 9) | st.floats(-1e6, 1e6), min_size=1, max_size=5), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_reducing_in_pieces_gives_what_reducing_at_once_does(leaves: list[list[float]]) -> None:
    every = [value for leaf in leaves for value in leaf]
    for name in ("_count", "_first", "_last", "_top_3", "_bottom_3"):
        assert answer(name, *leaves) == answer(name, every)
    together, apart = answer("_stats", every), answer("_stats", *leaves)
    assert (together["min"], together["max"], together["count"]) == (apart["min"], apart["max"], apart["count"])
    assert math.isclose(together["sum"], apart["sum"], abs_tol=1e-6)


def test_values_of_any_depth_are_reduced() -> None:
    deep_object: Any = 1
    deep_array: Any = 1
    for _ in range(5000):
        deep_object, deep_array = {"a": deep_object}, [deep_array]
    rows = [(deep_array, "a", deep_object), (deep_object, "b", deep_object)]
    for name in ("_sum", "_count", "_first", "_last", "_top_2", "_approx_count_distinct"):
        reducer = builtin_reducer(name, SORT_KEY)
        assert reducer is not None
        [partial] = reducer.reduce_all([rows])
        [whole] = reducer.rereduce_all([[partial, partial]])
        assert dumps(reducer.finish(whole))
    stats = builtin_reducer("_stats", SORT_KEY)
    assert stats is not None
    [partial] = stats.reduce_all([[(1, "a", deep_array), (1, "b", deep_array)]])
    text = dumps(stats.finish(stats.rereduce_all([[partial, partial]])[0]))
    assert text == "[" * 5000 + '{"sum":4,"count":4,"min":1,"max":1,"sumsqr":4}' + "]" * 5000
