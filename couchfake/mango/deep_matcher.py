"""Selectors of any depth, interpreted: slower than compiled ones, without Python's limit on nested calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from couchfake.errors import CouchError
from couchfake.mango.comparing import Comparing, Test
from couchfake.mango.operators import operator_test
from couchfake.mango.paths import BAD_PATH, NOT_FOUND, get_path, parse_field
from couchfake.mango.selector import ELEMENTS, Selector
from couchfake.values.recursion import Steps, run

_Verdict: TypeAlias = bool | CouchError
"""Whether a value matches, or the error of a condition that the server breaks on."""


class DeepMatcher:
    """``matches(document)`` returns whether a complete document matches a normalised selector."""

    def __init__(self, selector: Selector, order: Comparing) -> None:
        self._selector = selector
        self._order = order
        self._tests: dict[tuple[int, bool], Test] = {}  # by the condition and whether the order is the raw one

    def matches(self, document: Any) -> bool:
        verdict = run(self._verdict(self._selector, document, self._order))
        if isinstance(verdict, CouchError):
            raise verdict
        return verdict

    def _verdict(self, condition: Selector, value: Any, order: Comparing) -> Steps[_Verdict]:
        ((name, argument),) = condition.items()
        found: _Verdict
        if name == "$and":
            found = yield self._every(argument, value, order)
        elif name in ("$or", "$nor"):
            found = yield self._some(argument, value, order)
            if name == "$or":
                found = found or not argument
            elif not isinstance(found, CouchError):
                found = not found
        elif name == "$not":
            found = yield self._verdict(argument, value, order)
            found = found if isinstance(found, CouchError) else not found
        elif name == "$default":
            found = True
        elif name == "":
            found = yield self._verdict(argument, value, order)
        elif name in ELEMENTS:
            found = yield self._elements(name, argument, value, order)
        elif name.startswith("$"):
            found = self._operator(condition, value, order)
        else:
            found = yield self._field(name, argument, value, order)
        return found

    def _every(self, conditions: list[Selector], value: Any, order: Comparing) -> Steps[_Verdict]:
        for each in conditions:
            found: _Verdict = yield self._verdict(each, value, order)
            if found is not True:
                return found
        return True

    def _some(self, conditions: list[Selector], value: Any, order: Comparing) -> Steps[_Verdict]:
        for each in conditions:
            found: _Verdict = yield self._verdict(each, value, order)
            if found is not False:
                return found
        return False

    def _field(self, name: str, condition: Selector, value: Any, order: Comparing) -> Steps[_Verdict]:
        try:
            found = get_path(value, parse_field(name))
        except CouchError as error:
            return error
        if found is NOT_FOUND:
            return condition == {"$exists": False}
        if found is BAD_PATH:
            return False
        result: _Verdict = yield self._verdict(condition, found, order.raw if name == "_id" else order)
        return result

    def _elements(self, name: str, condition: Selector, value: Any, order: Comparing) -> Steps[_Verdict]:
        """An element that breaks the condition is one that does not match."""
        if type(value) is not (dict if name == "$keyMapMatch" else list):
            return False
        members: Iterable[Any] = value
        for each in members:
            found: _Verdict = yield self._verdict(condition, each, order)
            if isinstance(found, CouchError):
                return False
            if found is not (name == "$allMatch"):
                return found
        return name == "$allMatch" and bool(value)

    def _operator(self, condition: Selector, value: Any, order: Comparing) -> _Verdict:
        key = id(condition), order is order.raw
        test = self._tests.get(key)
        if test is None:
            ((name, argument),) = condition.items()
            test = self._tests[key] = operator_test(name, argument, order)
        try:
            return test(value)
        except CouchError as error:
            return error
