from __future__ import annotations

from typing import Any

import pytest

from couchfake.errors import Crash
from couchfake.query_server import QueryServer, ReduceOverflow

ROWS = [(["k1", "a"], 1), (["k2", "b"], 2)]


def test_a_reduce_function_sees_keys_values_and_whether_it_reduces_again(server: QueryServer) -> None:
    reducer = server.reducer("function (keys, values, rereduce) { return [keys, values, rereduce]; }")
    assert reducer.reduce(ROWS) == [[["k1", "a"], ["k2", "b"]], [1, 2], False]
    assert reducer.rereduce([3, 4]) == [None, [3, 4], True]


def test_several_reductions_in_one_go(server: QueryServer) -> None:
    reducer = server.reducer("function (keys, values) { return sum(values); }")
    assert reducer.reduce_many([ROWS, ROWS[:1], []]) == [3, 1, 0]
    assert reducer.rereduce_many([[1, 2], [3]]) == [3, 3]
    assert reducer.reduce_many([]) == []


@pytest.mark.parametrize(
    ("result", "value"),
    [("undefined", None), ("null", None), ("NaN", None), ("function () {}", None), ("'\\u2603'", "\u2603"),
     ("[1, undefined]", [1, None]), ("{b: 1, a: undefined}", {"b": 1}), ("new Date(0)", "1970-01-01T00:00:00.000Z"),
     ("false", False), ("1.0", 1), ("new Error('x')", {}), ("'\\ud800'", "\ufffd")],
)  # fmt: skip
def test_results_of_every_type(server: QueryServer, result: str, value: Any) -> None:
    assert server.reducer(f"function () {{ return {result}; }}").reduce(ROWS) == value


def test_a_throw_gives_null_and_is_logged(server: QueryServer, log: Any) -> None:
    reducer = server.reducer(
        "function (k, values) { if (values.length > 1) throw new Error('many'); return 1; }", label="l"
    )
    assert reducer.reduce_many([ROWS, ROWS[:1]]) == [None, 1]
    assert [text.startswith("l: function raised exception Error: many") for text in log.texts("error")] == [True]


@pytest.mark.parametrize(
    ("thrown", "error", "reason"),
    [
        ("'fatal_error'", "map_runtime_error", "function raised 'fatal_error'"),
        ("['fatal', 'mine', 'why']", "mine", "why"),
    ],
)
def test_fatal_errors_end_the_indexing(server: QueryServer, thrown: str, error: str, reason: str) -> None:
    with pytest.raises(Crash) as caught:
        server.reducer(f"function () {{ throw {thrown}; }}").reduce(ROWS)
    assert (caught.value.error, caught.value.reason) == (error, reason)


def test_results_that_do_not_shrink_enough_overflow(server: QueryServer) -> None:
    reducer = server.reducer("function () { return new Array(6000).join('x'); }")
    overflow = reducer.reduce(ROWS)
    assert isinstance(overflow, ReduceOverflow)
    assert overflow.error == "reduce_overflow_error"
    assert overflow.reason == "Reduce output must shrink more rapidly: input size: 47 output size: 6003"
    assert reducer.rereduce_many([[1, overflow]]) == [overflow]


def test_results_below_the_threshold_or_well_shrunk_do_not(server: QueryServer) -> None:
    assert len(server.reducer("function () { return new Array(4000).join('x'); }").reduce(ROWS)) == 3999
    rows = [([f"{number:04d}", "id"], "y" * 100) for number in range(150)]
    assert len(server.reducer("function () { return new Array(6000).join('x'); }").reduce(rows)) == 5999


@pytest.mark.parametrize("action", ["false", "log"])
def test_the_limit_can_be_lifted(
    server: QueryServer, settings: dict[tuple[str, str], str], log: Any, action: str
) -> None:
    settings["query_server_config", "reduce_limit"] = action
    assert len(server.reducer("function () { return new Array(6000).join('x'); }").reduce(ROWS)) == 5999
    assert len(log.texts("info")) == (action == "log")


def test_threshold_and_ratio_are_settings(server: QueryServer, settings: dict[tuple[str, str], str]) -> None:
    reducer = server.reducer("function () { return new Array(60).join('x'); }")
    settings["query_server_config", "reduce_limit_threshold"] = "50"
    assert isinstance(reducer.reduce(ROWS), ReduceOverflow)
    settings["query_server_config", "reduce_limit_ratio"] = "0.5"
    assert reducer.reduce(ROWS) == "x" * 59


def test_reducers_are_kept(server: QueryServer) -> None:
    assert server.reducer("function () { return 1; }") is server.reducer("function () { return 1; }")
