"""JavaScript functions written in Python, for js2py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from js2py import base


class Native(base.PyJsFunction):  # type: ignore[misc]  # js2py has no types
    """A JavaScript function around ``function``, which takes and gives JavaScript values, the first ``this`` where
    ``method`` is set. Missing arguments are undefined."""

    def __init__(self, function: Callable[..., Any], length: int, method: bool = False) -> None:
        base.PyJsFunction.__init__(self, lambda this, arguments, var=None: base.undefined, base.FunctionPrototype)
        self._parts = function, length, method

    def call(self, this: Any, args: Any = ()) -> Any:
        function, length, method = self._parts
        given = list(args)[:length]
        given += [base.undefined] * (length - len(given))
        return function(this, *given) if method else function(*given)

    def create(self, *args: Any) -> Any:
        return self.call(base.undefined, args)


def define(thing: Any, name: str, function: Callable[..., Any], *, method: bool = False) -> None:
    """Make ``function`` the member ``name`` of an object; with ``method`` its first parameter is ``this``."""
    made = Native(function, function.__code__.co_argcount - method, method)
    thing.define_own_property(name, {"value": made, "writable": True, "enumerable": False, "configurable": True})
