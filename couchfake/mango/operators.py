"""The operators that test one value: ``$in``, ``$all``, ``$size``, ``$elemMatch`` and the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import regex

from couchfake.errors import CouchError
from couchfake.mango.comparing import Comparing, Test, same_term, type_name
from couchfake.mango.errors import crash
from couchfake.mango.pcre.regex import regex_test
from couchfake.mango.selector import COMPARISONS


def operator_test(name: str, argument: Any, order: Comparing) -> Test:
    """Return the test of an operator whose argument is a value."""
    if name in COMPARISONS:
        return order.comparison(name, argument)
    if name in ("$in", "$nin"):
        return _in_test(order.any_of(argument), name == "$in")
    return _OPERATOR_TESTS[name](argument)


def elements_test(name: str, test: Test) -> Test:
    """Return the test of ``$elemMatch``, ``$allMatch`` or ``$keyMapMatch``; ``test`` is that of their elements."""
    return _ELEMENT_TESTS[name](test)


def _in_test(equals_any: Test, wanted: bool) -> Test:
    """Of an array the elements are compared, never the array itself."""

    def test(value: Any) -> bool:
        found = any(equals_any(each) for each in value) if type(value) is list else equals_any(value)
        return found is wanted

    return test


def _all_test(wanted: list[Any]) -> Test:
    if not wanted:
        return lambda value: False
    whole = wanted[0] if len(wanted) == 1 and isinstance(wanted[0], list) else None

    def test(value: Any) -> bool:
        if type(value) is not list:
            return False
        if whole is not None and same_term(whole, value, exactly=False):
            return True
        return all(any(same_term(each, element, exactly=True) for element in value) for each in wanted)

    return test


def _mod_test(argument: list[int]) -> Test:
    divisor, remainder = argument

    def test(value: Any) -> bool:
        if type(value) is not int:
            return False
        if not divisor:
            raise crash("badarith")
        rest = abs(value) % abs(divisor)
        return (rest if value >= 0 else -rest) == remainder

    return test


def _exists_test(wanted: bool) -> Test:
    return lambda value: wanted


def _type_test(name: str) -> Test:
    return lambda value: type_name(value) == name


def _size_test(size: int) -> Test:
    return lambda value: type(value) is list and len(value) == size


def _regex_test(pattern: str) -> Test:
    search = regex_test(pattern)
    return lambda value: type(value) is str and search(value)


_grapheme = regex.compile(r"\X").match


def _begins_with_test(prefix: str) -> Test:
    """The prefix must end at the end of a grapheme: ``a`` is not a prefix of ``a`` with a combining accent."""
    length = len(prefix)

    def test(value: Any) -> bool:
        if type(value) is not str or not value.startswith(prefix):
            return False
        behind = value[length : length + 1]
        if not length or not behind or (behind.isascii() and behind != "\n"):
            return True
        last = _grapheme(value, length - 1)
        return last is not None and last.end() == length

    return test


def _element_matches(test: Test) -> Test:
    def element_matches(value: Any) -> bool:
        return type(value) is list and _without_crash(lambda: any(test(each) for each in value))

    return element_matches


def _all_elements_match(test: Test) -> Test:
    def all_elements_match(value: Any) -> bool:
        return type(value) is list and bool(value) and _without_crash(lambda: all(test(each) for each in value))

    return all_elements_match


def _key_matches(test: Test) -> Test:
    def key_matches(value: Any) -> bool:
        return isinstance(value, dict) and _without_crash(lambda: any(test(each) for each in value))

    return key_matches


def _without_crash(matches: Callable[[], bool]) -> bool:
    """Inside of arrays a condition that breaks is one that does not match."""
    try:
        return matches()
    except CouchError:
        return False


_ELEMENT_TESTS: dict[str, Callable[[Test], Test]] = {
    "$elemMatch": _element_matches,
    "$allMatch": _all_elements_match,
    "$keyMapMatch": _key_matches,
}
_OPERATOR_TESTS: dict[str, Callable[[Any], Test]] = {
    "$all": _all_test,
    "$mod": _mod_test,
    "$exists": _exists_test,
    "$type": _type_test,
    "$size": _size_test,
    "$regex": _regex_test,
    "$beginsWith": _begins_with_test,
}
