"""Texts of errors and methods of frozen values, as the real server's QuickJS has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Map = Callable[..., list[list[Any]]]

READ_ONLY = "TypeError: '0' is read-only"

FROZEN = [
    ("[]", "sort()", []),
    ("[1]", "sort()", [1]),
    ("[1,2]", "sort()", [1, 2]),
    ("[2,1]", "sort()", READ_ONLY),
    ("[]", "reverse()", []),
    ("[1]", "reverse()", [1]),
    ("[1,2]", "reverse()", READ_ONLY),
    ("[]", "fill(0)", []),
    ("[1]", "fill(0)", READ_ONLY),
    ("[1,2]", "copyWithin(0, 9)", [1, 2]),
    ("[1,2]", "copyWithin(0, 1)", READ_ONLY),
    ("[1]", "push(1)", "TypeError: object is not extensible"),
    ("[1]", "unshift(1)", "TypeError: object is not extensible"),
    ("[]", "pop()", "TypeError: 'length' is read-only"),
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
