"""A normalised selector as a Python function.

Compiled once for each query, it then runs on plain dicts: one closure for each condition, specialised for its
argument, so that looking at a document costs a dictionary access and a comparison, not a walk over the selector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import regex

from couchfake.errors import CouchError
from couchfake.mango.comparing import Comparing, Test, same_term, type_name
from couchfake.mango.errors import crash
from couchfake.mango.paths import BAD_PATH, NOT_FOUND, get_path, parse_field
from couchfake.mango.pcre.regex import regex_test
from couchfake.mango.selector import COMPARISONS, Selector
from couchfake.values.collation import Collator


class Matcher:
    """``matches(body, meta)``: whether a document matches.

    ``body`` holds the document's own members. Those that begin with an underscore are looked up in ``meta``;
    ``meta_names`` says which of them the selector asks for. Where ``whole`` is true the selector compares the document
    itself, and ``body`` must be all of it. ``match(document)`` takes a complete document.
    """

    def __init__(self, selector: Selector, collator: Collator) -> None:
        self.selector = selector
        self.meta_names: set[str] = set()
        self.whole = False
        compiler = _Compiler(self)
        self.matches: Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
        self.matches = compiler.document_test(selector, Comparing(collator)) if selector else _always

    def match(self, document: Mapping[str, Any]) -> bool:
        return self.matches(document, document)


DocumentTest = Callable[[Any, Any], bool]


def _always(body: Any, meta: Any) -> bool:
    return True


class _Compiler:
    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher

    # ---- conditions on a document

    def document_test(self, selector: Selector, order: Comparing) -> DocumentTest:
        ((name, argument),) = selector.items()
        if name == "$and":
            return _all_documents([self.document_test(each, order) for each in argument])
        if name == "$or":
            return _any_document([self.document_test(each, order) for each in argument])
        if name == "$default":
            return _always  # $text without a text index lets everything through
        if name == "":
            self.matcher.whole = True
            test = self.value_test(argument, order)
            return lambda body, meta: test(body)
        return self._field_test(name, argument, order)

    def _field_test(self, field: str, condition: Selector, order: Comparing) -> DocumentTest:
        try:
            path = parse_field(field)
        except CouchError as error:
            return _failing(error)
        first = path[0]
        underscored = first.startswith("_")
        if underscored:
            self.matcher.meta_names.add(first)
        test = self.value_test(condition, order.raw if field == "_id" else order)
        absent = condition == {"$exists": False}
        if len(path) > 1:
            return _path_test(path, test, absent, underscored)
        return _member_test(first, test, absent, underscored)

    # ---- conditions on a value

    def value_test(self, condition: Selector, order: Comparing) -> Test:
        """A test of any value: what stands under a field, or inside ``$elemMatch``."""
        ((name, argument),) = condition.items()
        if name == "$and":
            tests = [self.value_test(each, order) for each in argument]
            return lambda value: all(test(value) for test in tests)
        if name == "$or":
            tests = [self.value_test(each, order) for each in argument]
            return lambda value: not tests or any(test(value) for test in tests)
        if name == "$nor":  # left only inside $elemMatch and its kin
            tests = [self.value_test(each, order) for each in argument]
            return lambda value: not any(test(value) for test in tests)
        if name == "$not":
            inner = self.value_test(argument, order)
            return lambda value: not inner(value)
        if name == "$default":
            return lambda value: True
        if name == "":
            return self.value_test(argument, order)
        if name.startswith("$"):
            return self._operator_test(name, argument, order)
        return self._nested_field_test(name, argument, order)

    def _nested_field_test(self, field: str, condition: Selector, order: Comparing) -> Test:
        try:
            path = parse_field(field)
        except CouchError as error:
            failing = _failing(error)
            return lambda value: failing(value, value)
        test = self.value_test(condition, order.raw if field == "_id" else order)
        absent = condition == {"$exists": False}

        def field_test(value: Any) -> bool:
            found = get_path(value, path)
            if found is NOT_FOUND:
                return absent
            return found is not BAD_PATH and test(found)

        return field_test

    def _operator_test(self, name: str, argument: Any, order: Comparing) -> Test:
        if name in COMPARISONS:
            return order.comparison(name, argument)
        if name in ("$in", "$nin"):
            return _in_test(order.any_of(argument), name == "$in")
        if name in ("$elemMatch", "$allMatch", "$keyMapMatch"):
            return _ELEMENT_TESTS[name](self.value_test(argument, order))
        return _OPERATOR_TESTS[name](argument)


def _all_documents(tests: list[DocumentTest]) -> DocumentTest:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda body, meta: first(body, meta) and second(body, meta)

    def every(body: Any, meta: Any) -> bool:
        for test in tests:
            if not test(body, meta):
                return False
        return True

    return every


def _any_document(tests: list[DocumentTest]) -> DocumentTest:
    if not tests:
        return _always  # an $or without branches beside other conditions is none

    def some(body: Any, meta: Any) -> bool:
        for test in tests:
            if test(body, meta):
                return True
        return False

    return some


def _failing(error: CouchError) -> DocumentTest:
    """A condition that the server only finds wrong when it looks at a document."""

    def fail(body: Any, meta: Any) -> bool:
        raise error

    return fail


def _member_test(name: str, test: Test, absent: bool, underscored: bool) -> DocumentTest:
    if underscored:

        def meta_test(body: Any, meta: Any) -> bool:
            value = meta.get(name, NOT_FOUND)
            return absent if value is NOT_FOUND else test(value)

        return meta_test

    def member_test(body: Any, meta: Any) -> bool:
        value = body.get(name, NOT_FOUND)
        return absent if value is NOT_FOUND else test(value)

    return member_test


def _path_test(path: tuple[str, ...], test: Test, absent: bool, underscored: bool) -> DocumentTest:
    def path_test(body: Any, meta: Any) -> bool:
        value = get_path(meta if underscored else body, path)
        if value is NOT_FOUND:
            return absent
        return value is not BAD_PATH and test(value)

    return path_test


# ---- operators


def _in_test(equals_any: Test, wanted: bool) -> Test:
    """Arrays are looked into: one of their elements may be meant; the array itself never is."""

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
    """The prefix must end where a grapheme ends: ``a`` is none of ``a`` with a combining accent."""
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
