"""Patches to js2py: the known ways from a script to Python are closed, and some of its faults fixed.

They are applied once, in a process that does nothing else, and never undone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import js2py
import js2py.host.jseval
import js2py.pyjs
from js2py import base
from js2py.base import Js, MakeError, PyJs, PyJsException
from js2py.translators import translating_nodes

from couchfake.query_server.engines.js2py.process import library, numbers_and_dates

ABSENT = (
    "console", "window", "ArrayBuffer", "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array",
    "Int32Array", "Uint32Array", "Float32Array", "Float64Array",
)  # fmt: skip
"""Globals of js2py that CouchDB's engine does not have."""


def apply_patches() -> None:
    """Apply all patches."""
    _close_doors()
    translating_nodes.TryStatement = try_statement
    _turn_failures_into_errors()
    _keep_member_order()
    numbers_and_dates.install_dates(js2py.pyjs.Date)
    numbers_and_dates.install_numbers(js2py.pyjs.Number, js2py.pyjs.Math)
    library.install()
    library.install_json(js2py.pyjs.JSON)


def builtins() -> list[Any]:
    """Return the objects that all global scopes of js2py share: constructors, prototypes, Math, JSON."""
    found = [value for value in js2py.pyjs.JS_BUILTINS.values() if isinstance(value, PyJs) and value.is_object()]
    prototypes = [value for name, value in vars(base).items() if name.endswith("Prototype") and isinstance(value, PyJs)]
    return [*found, *prototypes]


def _close_doors() -> None:
    """Let no Python value other than JavaScript's own kinds reach a script, whichever way it comes. The way of
    CVE-2024-28397, Object.getOwnPropertyNames, is also closed in ``library``."""
    js2py.disable_pyimport()
    base.py_wrap = _no_python
    base.PyObjectWrapper.get = _no_python


def _no_python(*values: Any) -> Any:
    raise MakeError("TypeError", "not a JavaScript value")


def try_statement(type: str, block: Any, handler: Any, handlers: Any, guardedHandlers: Any, finalizer: Any) -> str:
    """Translate a try statement. js2py's own replaces words of a template, which a parameter may be named like."""
    indent, translated = translating_nodes.indent, translating_nodes.trans
    text: str = "try:\n" + indent(translated(block))
    if handler:
        name = handler["param"]["name"]
        holder = f"PyJsHolder_{name.encode('utf-8', 'surrogatepass').hex()}_{next(_holders)}"
        body = (
            f"{holder} = var.own.get({name!r})\nvar.force_own_put({name!r}, PyExceptionToJs(PyJsTempException))\n"
            f"try:\n{indent(translated(handler['body']))}finally:\n    if {holder} is not None:\n"
            f"        var.own[{name!r}] = {holder}\n    else:\n        del var.own[{name!r}]\n    del {holder}\n"
        )
        text += "except PyJsException as PyJsTempException:\n" + indent(body)
    if finalizer:
        text += "finally:\n" + indent(translated(finalizer))
    return text


_holders = count()


def _turn_failures_into_errors() -> None:
    """Many faults of js2py end in a Python exception; let a script see an Error instead."""

    def call(self: Any, this: Any, args: Any = ()) -> Any:
        given = tuple(Js(value) for value in args)
        arguments = base.PyJsArguments(given, self)
        missing = self.argcount - len(given)
        given = given + (base.undefined,) * missing if missing > 0 else given[: self.argcount]
        try:
            return Js(self.code(*given, this, arguments))
        except (PyJsException, MemoryError):
            raise
        except RecursionError as error:
            raise MakeError("RangeError", "RecursionError") from error
        except Exception as error:
            raise MakeError("Error", f"{type(error).__name__}: {error}") from error

    base.PyJsFunction.call = call


def _keep_member_order() -> None:
    """Loops go through members in JavaScript's order; js2py sorts them."""

    def members(self: Any) -> Iterator[Any]:
        names = [name for name in self.own if self.IS_CHILD_SCOPE or self.own[name]["enumerable"]]
        for name in library.member_order(names):
            descriptor = self.own.get(name)
            if descriptor and descriptor["enumerable"]:
                yield Js(name)

    base.PyJs.__iter__ = members
