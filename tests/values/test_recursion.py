"""Recursion that does not end at Python's limit."""

from __future__ import annotations

from typing import Any

import pytest

from couchfake.values.recursion import Steps, is_deeper_than, of_any_depth


@of_any_depth
def depth(value: list[Any], *, base: int = 0) -> Steps[int]:
    """Return how many lists are inside each other."""
    deepest = base
    for each in value:
        deepest = max(deepest, (yield depth.step(each, base=base)))
    return deepest + 1


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_a_function_calls_itself_as_often_as_it_likes() -> None:
    assert depth([]) == 1
    assert depth([[], [[]], []]) == 3
    assert depth([[]], base=5) == 7
    assert depth(nested(50_000)) == 50_000


def test_the_function_is_still_called_what_it_was() -> None:
    assert (depth.__name__, depth.__doc__) == ("depth", "Return how many lists are inside each other.")  # type: ignore[attr-defined]


def test_an_exception_in_an_inner_call_reaches_the_caller() -> None:
    with pytest.raises(TypeError):
        depth([[], [[None]]])


@pytest.mark.parametrize("value", [[[[1]]], {"a": {"b": {"c": 1}}}, [{"a": [1], "b": 2}, [], 3]])
def test_levels_are_counted_from_the_value_itself(value: Any) -> None:
    assert is_deeper_than(value, 1)
    assert not is_deeper_than(value, 2)


def test_what_has_no_members_has_no_levels() -> None:
    for value in (1, "text", None, [], {}, [1, 2], {"a": 1}):
        assert not is_deeper_than(value, 0)
