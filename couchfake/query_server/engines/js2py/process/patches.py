"""js2py with its doors to Python closed, and some of its ways mended. Nothing here is undone: it is done once, in a
process that does nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import js2py
import js2py.host.jseval
import js2py.pyjs
from js2py import base
from js2py.base import Js, MakeError, PyJs, PyJsException

from couchfake.query_server.engines.js2py.process import dates, library, numbers, script_json

ABSENT = (
    "console", "window", "ArrayBuffer", "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array",
    "Int32Array", "Uint32Array", "Float32Array", "Float64Array",
)  # fmt: skip
"""Globals that js2py has and CouchDB's engine has not."""


def apply_patches() -> None:
    """Do all of it."""
    _close_doors()
    _turn_failures_into_errors()
    _keep_member_order()
    dates.install(js2py.pyjs.Date)
    numbers.install(js2py.pyjs.Number, js2py.pyjs.Math)
    library.install()
    script_json.install(js2py.pyjs.JSON)


def builtins() -> list[Any]:
    """The objects that js2py has once for all global scopes: constructors, prototypes, Math, JSON."""
    found = [value for value in js2py.pyjs.JS_BUILTINS.values() if isinstance(value, PyJs) and value.is_object()]
    prototypes = [value for name, value in vars(base).items() if name.endswith("Prototype") and isinstance(value, PyJs)]
    return [*found, *prototypes]


def _close_doors() -> None:
    """No Python value other than JavaScript's own kinds reaches a script, whichever way it comes. The way of
    CVE-2024-28397, Object.getOwnPropertyNames, is closed in ``library`` besides."""
    js2py.disable_pyimport()
    base.py_wrap = _no_python
    base.PyObjectWrapper.get = _no_python


def _no_python(*values: Any) -> Any:
    raise MakeError("TypeError", "not a JavaScript value")


def _turn_failures_into_errors() -> None:
    """What js2py does not get right often ends in a Python exception; a script sees an Error instead."""

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
    """js2py sorts the members that a loop goes through."""

    def members(self: Any) -> Iterator[Any]:
        names = [name for name in self.own if self.IS_CHILD_SCOPE or self.own[name]["enumerable"]]
        for name in script_json.member_order(names):
            descriptor = self.own.get(name)
            if descriptor and descriptor["enumerable"]:
                yield Js(name)

    base.PyJs.__iter__ = members
