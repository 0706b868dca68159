"""The process in which js2py runs: scripts by number, a JSON text a line in, a JSON text a line out.

js2py has neither limits nor a sandbox, so it has a process to itself. Endless loops and catastrophic regular
expressions end when the process is killed; memory is limited by the operating system (where it has ``resource``);
recursion by Python's limit on a large stack. The doors to Python that are known (``pyimport``, and Python values that
slip through, CVE-2024-28397) are closed below; behind them an audit hook refuses files, processes, sockets and imports.

This file runs by itself: it imports nothing of couchfake. Without js2py it ends at once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

if __name__ == "__main__":  # its own folder is no place to import from
    _here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != _here]

import js2py
import js2py.base as base
import js2py.constructors.jsobject as jsobject
import js2py.host.jseval
import js2py.prototypes.jsjson as jsjson
import js2py.pyjs
from js2py.base import Js, MakeError, PyJs, PyJsException
from js2py.translators import translating_nodes
from js2py.translators.translator import DEFAULT_HEADER
from pyjsparser import PyJsParser
from pyjsparser.pyjsparserdata import JsSyntaxError

RECURSION_LIMIT = 20_000
STACK_SIZE = 512 * 1024 * 1024
_COMPLETION = "PyJsCompletionValue"
_ABSENT = (
    "console", "window", "ArrayBuffer", "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array",
    "Int32Array", "Uint32Array", "Float32Array", "Float64Array",
)  # fmt: skip
_REFUSED_EVENTS = (
    "open", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "import", "pty.", "tempfile.", "sqlite3.", "winreg.",
    "urllib.", "http.", "ftplib.", "smtplib.", "signal.", "resource.", "syslog.", "webbrowser.", "glob.", "mmap.",
)  # fmt: skip


# -- js2py, mended -----------------------------------------------------------------------------------------------------


def close_doors() -> None:
    """No Python value other than JavaScript's own kinds reaches a script, whichever way it comes."""
    js2py.disable_pyimport()
    base.py_wrap = _no_python
    base.PyObjectWrapper.get = _no_python

    def get_own_property_names(obj: Any) -> Any:
        if not obj.is_object():
            raise obj.MakeError("TypeError", "Object.getOwnPropertyNames called on non-object")
        return list(obj.own)

    jsobject.Object.own["getOwnPropertyNames"]["value"] = Js(get_own_property_names)


def _no_python(*values: Any) -> Any:
    raise MakeError("TypeError", "not a JavaScript value")


def keep_member_order() -> None:
    """js2py sorts the members that a loop goes through; JavaScript has integer names first, then those of insertion."""

    def members(self: Any) -> Iterator[Any]:
        names = [name for name in self.own if self.IS_CHILD_SCOPE or self.own[name]["enumerable"]]
        numbers = sorted((name for name in names if name.isdigit() and (name == "0" or name[0] != "0")), key=int)
        numeric = frozenset(numbers)
        for name in [*numbers, *(name for name in names if name not in numeric)]:
            descriptor = self.own.get(name)
            if descriptor and descriptor["enumerable"]:
                yield Js(name)

    base.PyJs.__iter__ = members


def read_numbers_as_doubles() -> None:
    """JSON.parse gives numbers as JavaScript has them: 9007199254740993 is rounded."""

    class Reader:
        @staticmethod
        def loads(text: str) -> Any:
            return json.loads(text, parse_int=_double)

        dumps = staticmethod(json.dumps)

    jsjson.json = Reader


def _double(digits: str) -> Any:
    number = int(digits)
    return number if -(2**53) <= number <= 2**53 else float(number)


# -- programs ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def compiled(program: str) -> Any:
    """Python code of a JavaScript program that leaves the program's value in a variable. Raises JsSyntaxError."""
    tree = PyJsParser().parse(program)
    body = tree["body"]
    if body and body[-1]["type"] == "ExpressionStatement":
        target = {"type": "Identifier", "name": _COMPLETION}
        body[-1]["expression"] = {
            "type": "AssignmentExpression",
            "operator": "=",
            "left": target,
            "right": body[-1]["expression"],
        }
    translating_nodes.clean_stacks()
    return compile(translating_nodes.trans(tree), "<script>", "exec")


def builtins() -> list[Any]:
    """The objects that js2py has once for all global scopes: constructors, prototypes, Math, JSON."""
    found = [value for value in js2py.pyjs.JS_BUILTINS.values() if isinstance(value, PyJs) and value.is_object()]
    prototypes = [value for name, value in vars(base).items() if name.endswith("Prototype") and isinstance(value, PyJs)]
    return [*found, *prototypes]


class Script:
    """A global scope with the prelude in it, and with members of its own for the builtins."""

    def __init__(self, core: str, parts: dict[str, str], pristine: list[tuple[Any, Any]]) -> None:
        self._members = [
            (thing, {name: dict(descriptor) for name, descriptor in members.items()}) for thing, members in pristine
        ]
        self._enter()
        self._names: dict[str, Any] = {}
        exec(DEFAULT_HEADER, self._names)
        self._global = self._names["var"]
        self._this = PyJs.GlobalObject
        for name in _ABSENT:
            self._global.own.pop(name, None)
        self._parts = parts
        self._define_builtins()
        self._dispatch = self.evaluate(core).callprop("call", base.undefined, self._host())

    def evaluate(self, program: str) -> Any:
        """The value of a program that runs in the global scope."""
        try:
            code = compiled(program)
        except JsSyntaxError as error:
            raise MakeError("SyntaxError", str(error).partition(": ")[2] or str(error)) from error
        self._global.own.pop(_COMPLETION, None)
        exec(code, self._names)
        descriptor = self._global.own.pop(_COMPLETION, None)
        return base.undefined if descriptor is None else descriptor["value"]

    def _enter(self) -> None:
        for thing, members in self._members:
            thing.own = members

    def call(self, texts: list[str]) -> str:
        self._enter()
        PyJs.GlobalObject = self._this
        return str(self._dispatch(*[Js(text) for text in texts]).value)

    def _define(self, name: str, value: Any) -> None:
        self._global.define_own_property(
            name, {"value": value, "configurable": True, "writable": True, "enumerable": True}
        )

    def _define_builtins(self) -> None:
        """``eval`` and ``Function`` that translate in the global scope: js2py's own look into Python's frames."""

        def evaluate(code: Any) -> Any:
            return self.evaluate(code.value) if code.TYPE == "String" else code

        def function(*parameters: Any) -> Any:
            texts = [item.to_string().value for item in parameters if item is not base.undefined]
            body = texts.pop() if texts else ""
            return self.evaluate(f"(function ({','.join(texts)}) {{{body}\n}})")

        self._define("eval", native(evaluate, 1))
        self._define("Function", native(function, 9))
        self._global.own["Function"]["value"].define_own_property(
            "prototype",
            {"value": base.FunctionPrototype, "configurable": False, "writable": False, "enumerable": False},
        )

    def _host(self) -> Any:
        def crash(error: Any) -> Any:
            message = error.get("message").to_string().value if error.is_object() else ""
            return Js("stack") if "RecursionError" in message and error.Class == "Error" else base.null

        def define(name: Any, value: Any) -> Any:
            self._define(name.value, value)
            return base.undefined

        host = {
            "define": native(define, 2),
            "evaluate": native(lambda text: self.evaluate(text.to_string().value), 1),
            "load": native(lambda name: self.evaluate(self._parts[name.value]), 1),
            "crash": native(crash, 1),
            "freeze": native(freeze, 1),
        }
        return Js(host)


def freeze(value: Any) -> Any:
    """Freeze an object and all that it holds."""
    if isinstance(value, base.PyJsObject | base.PyJsArray):
        value.extensible = False
        for descriptor in value.own.values():
            descriptor["writable"] = descriptor["configurable"] = False
            freeze(descriptor["value"])
    return base.undefined


def native(function: Callable[..., Any], length: int) -> Any:
    """A JavaScript function around a Python one on JavaScript values; missing arguments are undefined."""

    class Native(base.PyJsFunction):  # type: ignore[misc]  # js2py has no types
        def __init__(self) -> None:
            base.PyJsFunction.__init__(self, lambda this, arguments, var=None: base.undefined, base.FunctionPrototype)

        def call(self, this: Any, args: Any = ()) -> Any:
            given = list(args)[:length]
            return function(*given, *[base.undefined] * (length - len(given)))

        create = call

    return Native()


# -- the process -------------------------------------------------------------------------------------------------------


def limit_memory(size: int) -> None:
    """At most ``size`` bytes more than now, where the operating system can say so."""
    try:
        import resource
    except ImportError:
        return
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm", encoding="ascii") as memory:
            pages = int(memory.read().split()[0])
        most = pages * resource.getpagesize() + STACK_SIZE + size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def refuse(event: str, arguments: Any) -> None:
    """The audit hook: a script that got hold of Python still reaches nothing."""
    if event.startswith(_REFUSED_EVENTS):
        raise PermissionError(event)


def serve(lines: Any, answer: Callable[[str], None]) -> None:
    """Obey lines ``[number, text, ...]`` (a call) and ``[number]`` (forget the script) until they end."""
    first = json.loads(lines.readline())
    core, parts = first["core"], first["parts"]
    limit_memory(first["memory"])
    compiled(core)
    sys.addaudithook(refuse)
    answer(json.dumps("ready"))
    scripts: dict[int, Script] = {}
    pristine = [(thing, thing.own) for thing in builtins()]
    for line in lines:
        number, *texts = json.loads(line)
        if not texts:
            scripts.pop(number, None)
            continue
        try:
            if number not in scripts:
                scripts[number] = Script(core, parts, pristine)
            reply = {"answer": scripts[number].call(texts)}
        except MemoryError:
            reply = {"crash": "memory"}
        except RecursionError:
            reply = {"crash": "stack"}
        except PyJsException as error:
            reply = {"crash": str(error)}
        if "crash" in reply:
            scripts.pop(number, None)
        answer(json.dumps(reply))


def main() -> None:
    close_doors()
    keep_member_order()
    read_numbers_as_doubles()
    sys.setrecursionlimit(RECURSION_LIMIT)
    output = sys.stdout

    def answer(text: str) -> None:
        output.write(text + "\n")
        output.flush()

    threading.stack_size(STACK_SIZE)
    thread = threading.Thread(target=serve, args=(sys.stdin, answer))
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
