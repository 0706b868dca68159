"""What scripts answer is checked, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from couchfake.query_server import answers
from couchfake.query_server.answers import Answer


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "[]",
        "[[]]",
        "[[],1,2,3]",
        "[5,1]",
        "[[5],1]",
        '[[["info"]],1]',
        '[[["debug","x"]],1]',
        '[[["info",5]],1]',
        "[[],null,5]",
        '[[],null,["error","x"]]',
        '[[],null,["error","x","y","fatal",5]]',
        '[[],null,["failure","x","y"]]',
        "[[],",
    ],
)
def test_an_answer_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Answer.parse(text)


def test_an_answer_has_a_log_and_a_value_or_an_error() -> None:
    assert Answer.parse('[[["info","x"],["error","y"]],{"a":1}]') == Answer([("info", "x"), ("error", "y")], {"a": 1})
    assert Answer.parse('[[],null,["error","x",5]]') == Answer([], None, ("x", 5))
    assert Answer.parse('[[],null,["error","x","y","fatal"]]') == Answer([], None, ("x", "y"), "fatal")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (answers.tagged("resp", "stop", size=2), 5),
        (answers.tagged("resp", "stop", size=2), []),
        (answers.tagged("resp", "stop", size=2), ["other"]),
        (answers.tagged("resp", "stop", size=2), ["resp", 1, 2]),
        (answers.booleans(2), [True]),
        (answers.booleans(2), [True, 1]),
        (answers.reductions(1), []),
        (answers.reductions(1), [5]),
        (answers.reductions(1), ["5"]),
        (answers.reductions(1), ["[1,2]"]),
        (answers.reductions(1), ["["]),
        (answers.mapped(0, 2), 5),
        (answers.mapped(0, 2), [0, []]),
        (answers.mapped(0, 2), [3, [[], [], []]]),
        (answers.mapped(0, 2), [True, [[]]]),
        (answers.mapped(0, 2), [1, []]),
        (answers.mapped(0, 2), [1, [5]]),
        (answers.mapped(0, 2), [1, [["key"]]]),
        (answers.list_events, []),
        (answers.list_events, {}),
        (answers.list_events, {"events": [5]}),
        (answers.list_events, {"events": [["start"]]}),
        (answers.list_events, {"events": [["other", []]]}),
        (answers.list_events, {"events": [["start", 5]]}),
        (answers.list_events, {"events": [["start", [], 5, 6]]}),
        (answers.list_events, {"events": [], "failure": 5}),
        (answers.list_events, {"events": [], "failure": ["error", "x"]}),
    ],
)
def test_a_value_of_another_shape_is_refused(read: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(ValueError):
        read(value)


def test_values_of_the_right_shape_are_read() -> None:
    assert answers.tagged("resp", "stop", size=2)(["stop", 5]) == ["stop", 5]
    assert answers.booleans(2)([True, False]) == [True, False]
    assert answers.reductions(2)(["[1.0]", '["x"]']) == [("[1.0]", 1.0), ('["x"]', "x")]
    assert answers.mapped(1, 3)([3, [["a", 1, "b", 2], []]]) == (3, [[("a", 1), ("b", 2)], []])
    events = [["start", [], {}], ["chunks", ["x"]], ["end", []]]
    assert answers.list_events({"events": events}) == (events, None, True)
    failed = {"events": events, "failure": ["error", "x", "y", "fatal"]}
    assert answers.list_events(failed) == (events, ("x", "y"), False)
    assert answers.list_events({**failed, "ended": True}) == (events, ("x", "y"), True)


@pytest.mark.parametrize("core", ['"\\ud800"', '{"\\ud800":1}', '"\\ud83d\\ude00\\udfff"', "1e-300"])
def test_halves_of_surrogate_pairs_are_replaced_at_any_depth(core: str) -> None:
    expected = "".join(
        "\ufffd" if "\ud800" <= char <= "\udfff" else char for char in json.dumps(json.loads(core), ensure_ascii=False)
    )
    for levels in (0, 1, 300, 600, 900, 5000):
        value = answers.loads("[" * levels + core + "]" * levels)
        for _ in range(levels):
            [value] = value
        assert json.dumps(value, ensure_ascii=False) == expected


@pytest.mark.parametrize("levels", [0, 1, 300, 5000])
def test_ids_with_halves_of_surrogate_pairs_are_replaced_for_scripts(levels: int) -> None:
    value: Any = {"_id": "\udced\udca0\udc80", "a": [1, None]}
    for _ in range(levels):
        value = [value]
    text = answers.dumps(value)
    value = answers.loads(text)
    for _ in range(levels):
        [value] = value
    assert value == {"_id": "\ufffd", "a": [1, None]}


def test_errors_have_the_status_of_their_name() -> None:
    error = answers.protocol_error({"a": 1}, {"b": [2]})
    assert (error.status, error.error, error.reason) == (500, '{[{<<"a">>,1}]}', '{[{<<"b">>,[2]}]}')
    error = answers.protocol_error("forbidden", None)
    assert (error.status, error.error, error.reason) == (403, "forbidden", None)
