"""JavaScript engines: the protocol between them and the query server, and the choice of one by name.

An engine makes scripts. A script is one JavaScript world with globals of its own, in which the prelude has been
loaded: it takes a command with text arguments and returns text (see ``javascript/core.js`` for the commands).
Nothing else crosses the border: no Python object is reachable from a script.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Protocol

ENGINE_NAMES = ("quickjs", "js2py")

MEMORY_LIMIT = 256 * 1024 * 1024  # bytes that one script may hold

PRELUDE_PARTS = ("views", "mime", "render")
"""Parts of the prelude that are loaded into a script when it first needs them."""


def prelude_file(name: str) -> str:
    """Return the text of one of the prelude's files, the JavaScript that surrounds design functions."""
    return (files("couchfake.query_server") / "javascript" / f"{name}.js").read_text(encoding="utf-8")


class ScriptError(Exception):
    """The script ended without an answer; it cannot be used again."""


class ScriptTimeout(ScriptError):
    """A call took longer than it may."""


class ScriptCrashed(ScriptError):
    """A call ran out of ``memory`` or ``stack``, which is the exception's text."""


class ScriptLost(ScriptError):
    """The script ended through no fault of this call: compile it again, and repeat the call."""


class ScriptBusy(ScriptError):
    """The call waited too long for another call of the script. It was taken back; the other one goes on."""


class Script(Protocol):
    """One JavaScript world with the prelude in it."""

    memory: int
    """The bytes that the script holds, as last measured; 0 if it is small."""

    def call(self, timeout: float, part: str, command: str, *arguments: str) -> str:
        """Return the answer's JSON text. Raise ScriptError after ``timeout`` seconds, or if the script fails."""

    def submit(self, timeout: float, part: str, command: str, *arguments: str) -> Callable[[], str]:
        """Start a call; return a function that waits for the answer and raises what ``call`` raises."""

    def close(self) -> None:
        """Give its memory back after the call that runs. May be called twice."""


class Engine(Protocol):
    """A maker of scripts; all methods may be called from any thread."""

    name: str

    can_freeze: bool
    """Whether scripts have the command ``freeze``, after which no function can change what another one sees."""

    def new_script(self, busy_timeout: float | None = None, beside: Script | None = None) -> Script:
        """Return a new script.

        ``busy_timeout``: the seconds that a call of it waits for another one before it raises ScriptBusy; None if calls
        wait as long as they must. ``beside``: another script of the engine, if both are always called together. Their
        calls take turns on one thread, since to wake one for each takes longer than most calls. An engine that runs one
        call at a time ignores both.
        """

    def memory(self) -> int:
        """Return the sum of its scripts' ``memory``."""

    def close(self) -> None:
        """End the threads and processes of the engine, and the calls that run. The next call starts new ones."""


EngineFactory = Callable[[], Engine]


class EngineUnavailable(Exception):
    """The chosen engine cannot run here; the text says what to install."""


def choose_engine(name: str | None = None) -> EngineFactory:
    """Return the engine called ``name`` (``quickjs`` or ``js2py``); without a name quickjs, or js2py if only that is
    installed.

    Raise EngineUnavailable with a line of advice. Only the chosen engine is imported.
    """
    if name is None:
        name = "js2py" if not _installed("_quickjs") and _installed("js2py") else "quickjs"
    if name == "quickjs":
        return _quickjs()
    if name == "js2py":
        return _js2py()
    raise EngineUnavailable(f"there is no JavaScript engine {name!r}: choose one of {', '.join(ENGINE_NAMES)}")


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _quickjs() -> EngineFactory:
    if not _installed("_quickjs"):
        raise EngineUnavailable(
            "the JavaScript engine 'quickjs' is not installed: pip install quickjs-ng; where that has no wheel and"
            " there is no C compiler, pip install couchfake[js2py]"
        )
    from couchfake.query_server.engines.quickjs import QuickJSEngine

    return QuickJSEngine


def _js2py() -> EngineFactory:
    if not _installed("js2py"):
        raise EngineUnavailable("the JavaScript engine 'js2py' is not installed: pip install couchfake[js2py]")
    from couchfake.query_server.engines.js2py import Js2PyEngine

    return Js2PyEngine


# What each engine cannot do: the source of the documentation and of the expected failures in tests.

KNOWN_GAPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "quickjs": MappingProxyType({}),
        "js2py": MappingProxyType(
            {
                "es6": "js2py implements ECMAScript 5.1. Arrow functions, template strings, destructuring, spread,"
                " classes, generators and regular expressions with named groups do not compile; let and const behave"
                " like var.",
                "es6_library": "There are no Map, Set, Symbol, BigInt and Reflect, and no methods newer than ECMAScript"
                " 5.1: padEnd, includes, Object.entries, Array.from, flat, ...",
                "with": "A with statement does not compile.",
                "indirect_eval": "eval called by another name can also access the variables of its caller.",
                "own_realm": "Documents belong to the same realm as the function: doc.list instanceof Array is true.",
                "strict_mode": "Strict mode has no effect: writing to a frozen document or an undeclared name raises no"
                " error.",
                "error_details": "Errors have no stack, their messages are js2py's own, and the log does not name the"
                " line.",
                "function_text": "The text of a function is not its source.",
                "astral_length": "A character outside the Basic Multilingual Plane has the length one instead of two.",
                "syntax_corners": "A few invalid programs compile (a name declared twice with let), and some that do"
                " not compile have a different error.",
            }
        ),
    }
)
"""By engine, then by a short name of the gap: a sentence that describes it."""
