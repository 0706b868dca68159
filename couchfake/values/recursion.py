"""Recursion of any depth.

Python gives up at about a thousand nested calls; CouchDB's documents, selectors and keys may nest more deeply. A
recursive function is written as a generator here, which yields each call of itself and is sent its result::

    @of_any_depth
    def count(value):
        total = 1
        for each in value:
            total += yield count.step(each)
        return total

    count([[], [[]]])  # 4
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

Steps: TypeAlias = Generator[Any, Any, _Result]
"""A call that is under way. It yields other calls, and is sent what they return."""


def run(call: Steps[_Result]) -> _Result:
    """Run a call to its end, with the calls that it yields on a stack of their own. An exception ends all of them."""
    callers: list[Steps[Any]] = []
    current: Steps[Any] = call
    result: Any = None
    while True:
        try:
            inner = current.send(result)
        except StopIteration as done:
            result = done.value
            if not callers:
                returned: _Result = result
                return returned
            current = callers.pop()
        else:
            callers.append(current)
            current, result = inner, None


class of_any_depth(Generic[_Arguments, _Result]):
    """Make a function of a generator function that yields its recursive calls, made with ``step``."""

    def __init__(self, step: Callable[_Arguments, Steps[_Result]]) -> None:
        self.step = step
        update_wrapper(self, step)

    def __call__(self, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        return run(self.step(*args, **kwargs))


def is_deeper_than(value: Any, levels: int) -> bool:
    """Return whether a JSON value nests more deeply than ``levels``."""
    layer = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels + 1):
        if not layer:
            return False
        layer = [
            member
            for each in layer
            for member in (each.values() if isinstance(each, dict) else each)
            if isinstance(member, (dict, list))
        ]
    return bool(layer)
