"""js2py's built-in functions get their last two arguments from the source, where byte code cannot be rewritten."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from couchfake.query_server.engines.js2py import process


def made(function: Callable[..., Any]) -> Callable[..., Any]:
    return process.fix_js_args(function)  # type: ignore[arg-type]  # def makes a FunctionType


def test_a_function_gets_this_and_arguments_behind_its_own() -> None:
    def rest(first):  # type: ignore[no-untyped-def]
        count = len(arguments)  # type: ignore[name-defined]  # noqa: F821
        return first, this, [arguments[n] for n in range(1, count)]  # type: ignore[name-defined]  # noqa: F821

    assert made(rest)("a", "object", ["a", "b", "c"]) == ("a", "object", ["b", "c"])
    assert made(rest).__name__ == "rest"


def test_a_function_may_be_named_like_a_global_that_it_calls() -> None:
    class Methods:
        def abs(value):  # type: ignore[no-untyped-def]
            return abs(value), this  # type: ignore[arg-type, name-defined]  # noqa: F821

    assert made(Methods.abs)(-1, "object", []) == (1, "object")


def test_a_function_keeps_the_variables_around_it() -> None:
    prefix = "a"

    def joined(text):  # type: ignore[no-untyped-def]
        return prefix + text + this  # type: ignore[name-defined]  # noqa: F821

    function = made(joined)
    prefix = "b"
    assert function("-", "object", []) == "b-object"


def test_a_function_that_has_them_stays_as_it_is() -> None:
    def ready(first, this, arguments):  # type: ignore[no-untyped-def]
        return first

    assert made(ready) is ready


@pytest.mark.parametrize(("version", "replaced"), [((3, 13, 9), False), ((3, 14, 0), True)])
def test_js2py_imports_it_where_it_needs_to(
    version: tuple[int, ...], replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, process.NAME, ModuleType("js2py's own"))
    monkeypatch.setattr(sys, "version_info", version)
    process.install()
    assert hasattr(sys.modules[process.NAME], "fix_js_args") == replaced
