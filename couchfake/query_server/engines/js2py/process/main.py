"""Scripts by number: a JSON request a line in, a JSON reply a line out.

js2py has neither limits nor a sandbox, so it has a process to itself. Endless loops and catastrophic regular
expressions end when the process is killed; memory is limited by the operating system (where Python has ``resource``),
recursion by Python's limit on a large stack. The known ways from a script to Python are closed (see ``patches``); an
audit hook refuses files, processes, sockets and imports to a script that finds another one. That is a second lock and
no sandbox: Python code that runs in this process can find a way around the hook.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from functools import lru_cache
from queue import SimpleQueue
from typing import Any, TextIO

from js2py import base
from js2py.base import Js, MakeError, PyJs, PyJsException
from js2py.translators import translating_nodes
from js2py.translators.translator import DEFAULT_HEADER
from pyjsparser import PyJsParser
from pyjsparser.pyjsparserdata import JsSyntaxError

from couchfake.query_server.engines.js2py.process.native import Native
from couchfake.query_server.engines.js2py.process.patches import ABSENT, apply_patches, builtins

# ---- a script: a global scope with the prelude in it

_COMPLETION = "PyJsCompletionValue"
_FILE_NAME = "<script>"

# Library functions that import modules or read files on their first use.
_WARM_UP = """
var date = new Date('2024-02-29'), local = new Date(2020, 1, 1);
[String(date), date.toLocaleString(), date.toUTCString(), date.toISOString(), String(local), local.getHours(),
 new Date('Feb 29, 2024').getTime(), Date.parse("2024-02-29T12:30:00.123+02:00"), new Date().getTimezoneOffset(),
 /a(b)+/gi.exec('ab'), 'x'.replace(/x/, 'y'), escape('\u00e9'), encodeURIComponent('\u00e9'), (1.5).toFixed(1)]
"""


@lru_cache(maxsize=256)
def compiled(program: str) -> Any:
    """Return Python code of a JavaScript program, which leaves the program's value in a variable.

    Raise JsSyntaxError or SyntaxError."""
    try:
        tree = PyJsParser().parse(program)
    except IndexError as error:  # where brackets end that were never begun
        raise SyntaxError("Unexpected token") from error
    _refuse_generated_names(tree)
    body = tree["body"]
    while body and body[-1]["type"] == "EmptyStatement":
        body.pop()
    if body and body[-1]["type"] == "ExpressionStatement":
        body[-1]["expression"] = {
            "type": "AssignmentExpression",
            "operator": "=",
            "left": {"type": "Identifier", "name": _COMPLETION},
            "right": body[-1]["expression"],
        }
    translating_nodes.clean_stacks()
    return compile(translating_nodes.trans(tree), _FILE_NAME, "exec")


def _refuse_generated_names(tree: Any) -> None:
    """Raise SyntaxError for names and strings that look like those of the Python code that js2py generates: it finds
    the places of its own names in that code by their text."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            pending += node.values()
        elif isinstance(node, list):
            pending += node
        elif isinstance(node, str) and "PyJs" in node:
            raise SyntaxError("a name or string with 'PyJs' in it")


def _calling_scope() -> Any:
    """Return the scope of the JavaScript function that calls into Python."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename != _FILE_NAME:
        assert frame.f_back is not None
        frame = frame.f_back
    return frame.f_locals["var"]


class Scripts:
    """Makes scripts, each with its own members of the built-in objects, which js2py shares between all."""

    def __init__(self, core: str, parts: dict[str, str]) -> None:
        self._core = core
        self._parts = parts
        self._pristine = [(thing, thing.own) for thing in builtins()]
        self.new().evaluate(_WARM_UP)

    def new(self) -> Script:
        members = [(thing, {name: dict(of_it) for name, of_it in own.items()}) for thing, own in self._pristine]
        return Script(self._core, self._parts, members)


class Script:
    """One global scope; ``call`` runs a command in it."""

    def __init__(self, core: str, parts: dict[str, str], builtin_members: list[tuple[Any, dict[str, Any]]]) -> None:
        self._builtin_members = builtin_members
        self._enter()
        self._names: dict[str, Any] = {}
        exec(DEFAULT_HEADER, self._names)
        self._global = self._names["var"]
        self._this = PyJs.GlobalObject
        for name in ABSENT:
            self._global.own.pop(name, None)
        for name, member in self._global.own.items():
            member["configurable"] = member["writable"] = name not in ("undefined", "NaN", "Infinity")
        self._parts = parts
        self._define_builtins()
        self._dispatch = self.evaluate(core).callprop("call", base.undefined, self._host())

    def call(self, texts: list[str]) -> str:
        """Return what ``dispatch`` of the prelude answers to a command and its texts."""
        self._enter()
        PyJs.GlobalObject = self._this
        return str(self._dispatch(*[Js(text) for text in texts]).value)

    def evaluate(self, program: str, scope: Any = None) -> Any:
        """Run a program in the global scope, or in ``scope``, and return its value."""
        try:
            code = compiled(program)
        except (JsSyntaxError, SyntaxError, NotImplementedError) as error:
            raise MakeError("SyntaxError", str(error)) from error
        self._global.own.pop(_COMPLETION, None)
        exec(code, self._names if scope is None else {**self._names, "var": scope})
        descriptor = self._global.own.pop(_COMPLETION, None)
        return base.undefined if descriptor is None else descriptor["value"]

    def _enter(self) -> None:
        for thing, members in self._builtin_members:
            thing.own = members

    def _define(self, name: str, value: Any) -> None:
        self._global.define_own_property(
            name, {"value": value, "configurable": True, "writable": True, "enumerable": True}
        )

    def _define_builtins(self) -> None:
        """Define ``eval`` and ``Function`` so that they return any program's value, as js2py's own do not."""

        def evaluate(code: Any) -> Any:
            return self.evaluate(code.value, _calling_scope()) if code.TYPE == "String" else code

        def function(*parameters: Any) -> Any:
            texts = [item.to_string().value for item in parameters if item is not base.undefined]
            body = texts.pop() if texts else ""
            return self.evaluate(f"(function ({','.join(texts)}) {{{body}\n}})")

        self._define("eval", Native(evaluate, 1))
        constructor = Native(function, 9)
        constructor.define_own_property(
            "prototype",
            {"value": base.FunctionPrototype, "configurable": False, "writable": False, "enumerable": False},
        )
        self._define("Function", constructor)

    def _host(self) -> Any:
        """Return the functions in Python that the prelude uses."""

        def define(name: Any, value: Any) -> Any:
            self._define(name.value, value)
            return base.undefined

        return Js(
            {
                "define": Native(define, 2),
                "apply": Native(lambda f, this, items: f.call(this, _items(items)), 3),
                "evaluate": Native(lambda text: self.evaluate(text.to_string().value), 1),
                "load": Native(lambda name: self.evaluate(self._parts[name.value]), 1),
                "crash": Native(_crash, 1),
                "freeze": Native(freeze, 1),
            }
        )


def _items(listed: Any) -> tuple[Any, ...]:
    return tuple(listed.get(str(index)) for index in range(int(listed.get("length").to_uint32())))


def _crash(error: Any) -> Any:
    """Return 'stack' for the error that js2py makes of Python's RecursionError."""
    message = error.get("message").to_string().value if error.is_object() else ""
    return Js("stack") if error.is_object() and error.Class == "Error" and message == "RecursionError" else base.null


def freeze(value: Any) -> Any:
    """Freeze an object and all that it holds."""
    if isinstance(value, base.PyJsObject | base.PyJsArray):
        value.extensible = False
        for descriptor in value.own.values():
            descriptor["writable"] = descriptor["configurable"] = False
            freeze(descriptor["value"])
    return base.undefined


# ---- the process

RECURSION_LIMIT = 20_000
STACK_SIZE = 512 * 1024 * 1024
GRACE = 5.0  # seconds after its time-out at which a call ends the process, in case nobody kills it


def limit_memory(size: int) -> None:
    """Allow at most ``size`` bytes more than now, where the operating system has such a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm", encoding="ascii") as memory:
            pages = int(memory.read().split()[0])
        most = pages * resource.getpagesize() + STACK_SIZE + size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def refuse(event: str, arguments: Any) -> None:
    """The audit hook. The events are constants of its code, because a script could empty a list."""
    if event.startswith(
        (
            "open", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "import", "pty.", "tempfile.", "sqlite3.",
            "winreg.", "urllib.", "http.", "ftplib.", "smtplib.", "signal.", "resource.", "syslog.", "webbrowser.",
            "glob.", "mmap.", "gc.", "marshal.", "code.__new__", "object.__setattr__", "object.__delattr__",
            "sys._current", "sys.settrace", "sys.setprofile", "sys.addaudithook", "cpython.", "function.__new__",
        )
    ):  # fmt: skip
        raise PermissionError(event)


def set_alarm(seconds: float) -> None:
    """Let the operating system end this process after so many seconds, 0 for never: the parent may have been killed
    while a regular expression keeps every thread of this process waiting."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def serve(requests: SimpleQueue[str], output: TextIO) -> None:
    """Answer requests: the first one has the prelude, the others ``{"number", "forget", "script", "texts"}``."""
    first = json.loads(requests.get())
    limit_memory(first["memory"])
    maker = Scripts(first["core"], first["parts"])
    scripts: dict[int, Script] = {}
    sys.addaudithook(refuse)
    write = output.write
    flush = output.flush
    dumps = json.dumps
    write(dumps({"number": first["number"]}) + "\n")
    flush()
    while True:
        request = json.loads(requests.get())
        for number in request["forget"]:
            scripts.pop(number, None)
        set_alarm(request["timeout"] + GRACE)
        reply = _call(maker, scripts, request["script"], request["texts"])
        set_alarm(0)
        write(dumps({"number": request["number"], **reply}) + "\n")
        flush()


def _call(maker: Scripts, scripts: dict[int, Script], number: int, texts: list[str]) -> dict[str, str]:
    try:
        if number not in scripts:
            scripts[number] = maker.new()
        return {"answer": scripts[number].call(texts)}
    except MemoryError:
        reply = {"crash": "memory"}
    except RecursionError:
        reply = {"crash": "stack"}
    except PyJsException as error:
        reply = {"crash": str(error)}
    scripts.pop(number, None)
    return reply


def own_channel() -> tuple[TextIO, TextIO]:
    """Return the channel to the parent, and give this process nothing as its standard input and output: js2py prints
    to them."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, replies


def main() -> None:
    """Serve on a thread with a large stack, and end with the parent: its end of the channel closes then."""
    requests, replies = own_channel()
    apply_patches()
    sys.setrecursionlimit(RECURSION_LIMIT)
    lines: SimpleQueue[str] = SimpleQueue()
    threading.stack_size(STACK_SIZE)
    threading.Thread(target=serve, args=(lines, replies), daemon=True).start()
    leave = os._exit
    for line in requests:
        lines.put(line)
    leave(0)
