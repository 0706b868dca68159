"""A normalised selector as a Python function.

Compiled once for each query, it then runs on plain dicts: one closure for each condition, specialised for its
argument, so that looking at a document costs a dictionary access and a comparison, not a walk over the selector.
A selector that nests too deeply for Python's limit on nested calls is interpreted instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from couchfake.errors import CouchError
from couchfake.mango.operators import Comparing, Test, elements_test, operator_test
from couchfake.mango.selector import BAD_PATH, ELEMENTS, NOT_FOUND, Selector, get_path, parse_field
from couchfake.values.collation import Collator
from couchfake.values.recursion import Steps, is_deeper_than, run

DocumentTest = Callable[[Any, Any], bool]

DEEPEST = 60
"""Levels of a selector that are compiled; a deeper one is interpreted."""


class Matcher:
    """``matches(body, meta)`` returns whether a document matches.

    ``body`` has the document's own members. Those that begin with an underscore are looked up in ``meta``;
    ``meta_names`` are those that the selector names. If ``whole`` is true the selector looks at the whole document, and
    ``body`` must be all of it. ``match(document)`` takes a complete document.
    """

    def __init__(self, selector: Selector, collator: Collator) -> None:
        self.selector = selector
        self.meta_names: set[str] = set()
        self.whole = False
        self.matches: DocumentTest = self._test(selector, Comparing(collator))

    def _test(self, selector: Selector, order: Comparing) -> DocumentTest:
        if not selector:
            return _always
        if is_deeper_than(selector, DEEPEST):
            self.whole = True
            matches = DeepMatcher(selector, order).matches
            return lambda body, meta: matches(body)
        return _Compiler(self).document_test(selector, order)

    def match(self, document: Mapping[str, Any]) -> bool:
        return self.matches(document, document)


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
        """Return a test of any value: that of a field, or an element inside ``$elemMatch``."""
        ((name, argument),) = condition.items()
        if name == "$and":
            tests = [self.value_test(each, order) for each in argument]
            return lambda value: all(test(value) for test in tests)
        if name == "$or":
            tests = [self.value_test(each, order) for each in argument]
            return lambda value: not tests or any(test(value) for test in tests)
        if name == "$nor":  # only inside $elemMatch and the like
            tests = [self.value_test(each, order) for each in argument]
            return lambda value: not any(test(value) for test in tests)
        if name == "$not":
            inner = self.value_test(argument, order)
            return lambda value: not inner(value)
        if name == "$default":
            return lambda value: True
        if name == "":
            return self.value_test(argument, order)
        if name in ELEMENTS:
            return elements_test(name, self.value_test(argument, order))
        if name.startswith("$"):
            return operator_test(name, argument, order)
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
        return _always  # an $or without branches imposes no condition

    def some(body: Any, meta: Any) -> bool:
        for test in tests:
            if test(body, meta):
                return True
        return False

    return some


def _failing(error: CouchError) -> DocumentTest:
    """Return a test for a condition that the server finds wrong only when it looks at a document."""

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
