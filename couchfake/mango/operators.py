"""The operators that test one value: comparisons, ``$in``, ``$all``, ``$size``, ``$elemMatch`` and the others.

Everything compares with everything, in the order of views: null < booleans < numbers < strings < arrays < objects.
Only ``_id`` compares by bytes, as document ids do. Source: CouchDB documentation, "Views Collation".

Each function here makes a *test*, a function from a value to a bool, specialised for its argument: scanning a
database runs it once for each document.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import regex

from couchfake.errors import CouchError
from couchfake.mango.errors import crash
from couchfake.mango.pcre import regex_test
from couchfake.mango.selector import COMPARISONS
from couchfake.values.collation import Collator

Test = Callable[[Any], bool]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$lt": operator.lt,
    "$lte": operator.le,
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gte": operator.ge,
    "$gt": operator.gt,
}
_RANKS: dict[type, int] = {type(None): 0, bool: 1, int: 2, float: 2, str: 3, list: 4}


def rank(value: Any) -> int:
    """Return the place of a value's type among the types."""
    return _RANKS.get(type(value), 5)


def type_name(value: Any) -> str:
    """Return what ``$type`` calls the value."""
    return ("null", "boolean", "number", "string", "array", "object")[rank(value)]


class Comparing:
    """Tests in one order: the view order, or the raw one."""

    def __init__(self, collator: Collator) -> None:
        self._collator = collator
        self.raw = Raw(collator)

    def sort_key(self, value: Any) -> bytes:
        return self._collator.sort_key(value)

    def comparison(self, name: str, argument: Any) -> Test:
        """Return the test of ``$lt``, ``$lte``, ``$eq``, ``$ne``, ``$gte`` or ``$gt``."""
        compare = _OPERATORS[name]
        if type(argument) is int or type(argument) is float:
            return _number_test(compare, argument)
        if type(argument) is str:
            if name == "$eq":
                return self._equals_string(argument)
            return self._string_test(compare, argument)
        key, sort_key, own_rank = self.sort_key(argument), self.sort_key, rank(argument)

        def test(value: Any) -> bool:
            other = rank(value)
            return compare(sort_key(value), key) if other == own_rank else compare(other, own_rank)

        return test

    def _string_test(self, compare: Callable[[Any, Any], bool], argument: str) -> Test:
        sort_key = self._collator.sort_key
        key = sort_key(argument)

        def test(value: Any) -> bool:
            return compare(sort_key(value), key) if type(value) is str else compare(rank(value), 3)

        return test

    def _equals_string(self, argument: str) -> Test:
        sort_key = self._collator.sort_key
        key, plain = sort_key(argument), is_plain(argument)

        def test(value: Any) -> bool:
            if value == argument:
                return True
            if type(value) is not str or (plain and is_plain(value)):
                return False
            return sort_key(value) == key

        return test

    def any_of(self, arguments: list[Any]) -> Test:
        """Return a test for equality with one of ``arguments`` (``$in``, for values that are not arrays)."""
        sort_key = self.sort_key
        keys = {sort_key(argument) for argument in arguments}
        plain = {argument for argument in arguments if type(argument) is str}
        numbers = {argument for argument in arguments if type(argument) is int or type(argument) is float}
        ranks = {rank(argument) for argument in arguments}

        def test(value: Any) -> bool:
            kind = type(value)
            if kind is str and value in plain:
                return True
            if kind is int or kind is float:
                return value in numbers
            return rank(value) in ranks and sort_key(value) in keys

        return test


class Raw(Comparing):
    """By Erlang's order of terms: numbers < atoms < objects < arrays < strings, strings by their bytes."""

    def __init__(self, collator: Collator) -> None:
        self._collator = collator
        self.raw = self

    def sort_key(self, value: Any) -> bytes:
        return self._collator.raw_sort_key(value)

    def comparison(self, name: str, argument: Any) -> Test:
        compare, sort_key = _OPERATORS[name], self.sort_key
        key = sort_key(argument)

        def test(value: Any) -> bool:
            if type(value) is str and type(argument) is str:
                return compare(value, argument)  # code points are in the order of UTF-8
            return compare(sort_key(value), key)

        return test


def _number_test(compare: Callable[[Any, Any], bool], argument: int | float) -> Test:
    below, above = compare(1, 2), compare(3, 2)

    def test(value: Any) -> bool:
        kind = type(value)
        if kind is int or kind is float:
            return compare(value, argument)
        return above if kind is str else below if rank(value) < 2 else above

    return test


def is_plain(text: str) -> bool:
    """Return whether a string, among such strings, equals only itself in the view order."""
    return text.isascii() and text.isprintable()


def same_term(left: Any, right: Any, exactly: bool) -> bool:
    """Return whether two JSON values are equal as Erlang terms, members in their order.

    ``exactly`` distinguishes 1 from 1.0.
    """
    rest = [(left, right)]
    while rest:
        left, right = rest.pop()
        if isinstance(left, dict):
            if not isinstance(right, dict) or list(left) != list(right):
                return False
            rest += zip(left.values(), right.values(), strict=True)
        elif isinstance(left, list):
            if not isinstance(right, list) or len(left) != len(right):
                return False
            rest += zip(left, right, strict=True)
        elif type(left) in (int, float) and type(right) in (int, float):
            if left != right or (exactly and type(left) is not type(right)):
                return False
        elif type(left) is not type(right) or left != right:
            return False
    return True


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
