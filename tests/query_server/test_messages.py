"""Texts of errors and methods of frozen values, as the real server's QuickJS has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Map = Callable[..., list[list[Any]]]

READ_ONLY = "TypeError: '0' is read-only"
LENGTH_IS_READ_ONLY = "TypeError: 'length' is read-only"
NOT_EXTENSIBLE = "TypeError: object is not extensible"
NOT_CONFIGURABLE = "TypeError: property is not configurable"
NOT_DELETED = "TypeError: could not delete property"

FROZEN = [
    ("[]", "sort()", []),
    ("[1]", "sort()", [1]),
    ("[1,2]", "sort()", [1, 2]),
    ("[2,1]", "sort()", READ_ONLY),
    ("[2,2]", "sort()", [2, 2]),
    ("[1,3,2]", "sort()", "TypeError: '1' is read-only"),
    ("[1,2]", "sort(function (a, b) { return b - a; })", READ_ONLY),
    ("[]", "reverse()", []),
    ("[1,1]", "reverse()", READ_ONLY),
    ("[1]", "reverse()", [1]),
    ("[1,2]", "reverse()", READ_ONLY),
    ("[]", "fill(0)", []),
    ("[1]", "fill(0)", READ_ONLY),
    ("[1,2]", "copyWithin(0, 9)", [1, 2]),
    ("[1,2]", "copyWithin(0, 1)", READ_ONLY),
    ("[1,2]", "fill(0, 5)", [1, 2]),
    ("[1]", "push(1)", NOT_EXTENSIBLE),
    ("[]", "push()", LENGTH_IS_READ_ONLY),
    ("[1]", "unshift(1)", NOT_EXTENSIBLE),
    ("[]", "unshift()", LENGTH_IS_READ_ONLY),
    ("[]", "pop()", LENGTH_IS_READ_ONLY),
    ("[1,2]", "pop()", NOT_DELETED),
    ("[]", "shift()", LENGTH_IS_READ_ONLY),
    ("[1]", "shift()", NOT_DELETED),
    ("[1]", "splice(0, 0)", LENGTH_IS_READ_ONLY),
    ("[1]", "splice(0, 1)", NOT_DELETED),
    ("[1]", "splice(0, 1, 2)", READ_ONLY),
    ("[1]", "splice(0, 0, 5)", NOT_EXTENSIBLE),
    ("[2,1]", "toSorted()", [1, 2]),
    ("[2,1]", "with(0, 9)", [9, 1]),
    ("[1,2]", "shift()", READ_ONLY),
    ("[1,2]", "splice(0, 1)", READ_ONLY),
    ("[1,2]", "concat([3])", [1, 2, 3]),
    ("[2,1]", "slice().sort()", [1, 2]),
]


@pytest.fixture
def only_quickjs(engine_name: str) -> None:
    if engine_name != "quickjs":
        pytest.skip("js2py has messages of its own")


@pytest.mark.usefixtures("only_quickjs")
@pytest.mark.parametrize(("array", "call", "result"), FROZEN)
def test_methods_of_arrays_in_documents_fail_only_where_they_would_change_something(
    map_docs: Map, array: str, call: str, result: Any
) -> None:
    source = f"function (doc) {{ var r; try {{ r = doc.a.{call}; }} catch (e) {{ r = String(e); }} emit(r, null); }}"
    assert map_docs(source, json.dumps({"_id": "a", "a": json.loads(array)})) == [[result, None]]


FROZEN_DOCUMENT = [
    ("Object.assign(doc, {n: 2})", "TypeError: 'n' is read-only"),
    ("Object.assign(doc, {other: 2})", NOT_EXTENSIBLE),
    ("Object.assign(doc, {}) === doc", True),
    ("Object.defineProperty(doc, 'other', {value: 1})", NOT_EXTENSIBLE),
    ("Object.defineProperty(doc, 'n', {value: 2})", NOT_CONFIGURABLE),
    ("Object.defineProperty(doc, 'n', {value: 1}) === doc", True),
    ("Object.defineProperties(doc, {n: {value: 3}})", NOT_CONFIGURABLE),
    ("Object.setPrototypeOf(doc, null)", NOT_EXTENSIBLE),
    ("Object.setPrototypeOf(doc, Object.getPrototypeOf(doc)) === doc", True),
    ("Object.freeze(doc) === doc && Object.seal(doc) === doc && Object.preventExtensions(doc) === doc", True),
    ("Object.isFrozen(doc) && Object.isFrozen(doc.a) && Object.isSealed(doc)", True),
    ("delete doc.n", False),
    ("delete doc.other", True),
    ("doc.n = 5", 5),
    ("(function () { 'use strict'; delete doc.n; })()", NOT_DELETED),
    ("(function () { 'use strict'; doc.n = 1; })()", "TypeError: 'n' is read-only"),
    ("(function () { 'use strict'; doc.other = 1; })()", NOT_EXTENSIBLE),
    ("(function () { 'use strict'; doc.a.length = 0; })()", LENGTH_IS_READ_ONLY),
    ("[Reflect.set(doc, 'n', 2), Reflect.deleteProperty(doc, 'n')]", [False, False]),
    ("Object.freeze(new Map([[doc, 1]])).set(doc, 2).get(doc)", 2),
    ("Object.freeze(new Date(0)).setTime(5)", 5),
    ("Object.freeze(new Set()).add(1).size", 1),
]


@pytest.mark.usefixtures("only_quickjs")
@pytest.mark.parametrize(("expression", "result"), FROZEN_DOCUMENT)
def test_functions_of_object_fail_on_documents_only_where_they_would_change_something(
    map_docs: Map, expression: str, result: Any
) -> None:
    source = f"function (doc) {{ var r; try {{ r = {expression}; }} catch (e) {{ r = String(e); }} emit(r, null); }}"
    assert map_docs(source, '{"_id":"a","n":1,"a":[1,2]}') == [[result, None]]


@pytest.mark.usefixtures("only_quickjs")
@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("missing", "ReferenceError: 'missing' is not defined"),
        ("missing()", "ReferenceError: 'missing' is not defined"),
        ("Object.keys(null)", "TypeError: cannot convert to object"),
        ("undefined.a", "TypeError: cannot read property 'a' of undefined"),
        ("null.a", "TypeError: cannot read property 'a' of null"),
        ("(5)()", "TypeError: not a function"),
    ],
)
def test_errors_of_the_engine_have_the_real_servers_texts(map_docs: Map, expression: str, message: str) -> None:
    source = f"function (doc) {{ try {{ {expression}; }} catch (e) {{ emit(String(e), e.stack.split('(')[0]); }} }}"
    [[text, stack]] = map_docs(source)
    assert text == message
    assert stack.strip().startswith("at ")
