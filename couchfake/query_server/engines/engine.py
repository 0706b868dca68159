"""What the query server asks of a JavaScript engine, and how an engine is chosen by name.

An engine makes scripts. A script is one JavaScript world with globals of its own, in which the prelude has been
loaded: it takes a command with text arguments and gives text back (see ``prelude/couch.js`` for the commands).
Nothing else crosses the border: no Python object is reachable from a script.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Protocol

ENGINE_NAMES = ("quickjs", "js2py")

MEMORY_LIMIT = 256 * 1024 * 1024  # bytes that one script may hold


class ScriptError(Exception):
    """The script ended without an answer; it cannot be used again."""


class ScriptTimeout(ScriptError):
    """A call took longer than it may."""


class ScriptCrashed(ScriptError):
    """A call ran out of ``memory`` or ``stack``: the text says which."""


class ScriptLost(ScriptError):
    """The script went down with another one that shared its process; making it anew and asking again is right."""


class Script(Protocol):
    """One JavaScript world with the prelude in it."""

    def call(self, timeout: float, part: str, command: str, *arguments: str) -> str:
        """The answer's JSON text, within ``timeout`` seconds. Raises ScriptError, which is the script's end."""

    def submit(self, timeout: float, part: str, command: str, *arguments: str) -> Callable[[], str]:
        """Start a call; the result is a function that waits for the answer and raises what ``call`` raises."""

    def close(self) -> None:
        """Give its memory back. Calling it twice is fine."""


class Engine(Protocol):
    """A maker of scripts; all methods may be called from any thread."""

    name: str

    def new_script(self) -> Script: ...

    def close(self) -> None:
        """End everything that the engine started. Scripts are of no use afterwards."""


EngineFactory = Callable[[], Engine]


class EngineUnavailable(Exception):
    """The engine that was asked for cannot run here; the text says what to install."""


def choose_engine(name: str | None = None) -> EngineFactory:
    """The engine called ``name`` (``quickjs`` or ``js2py``); without a name quickjs, or js2py where it alone is there.

    Raises EngineUnavailable with an advice in one line. Nothing is imported that was not chosen.
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
        raise EngineUnavailable("the JavaScript engine 'quickjs' is not installed: pip install quickjs-ng")
    from couchfake.query_server.engines.quickjs import QuickJSEngine

    return QuickJSEngine


def _js2py() -> EngineFactory:
    if sys.version_info >= (3, 12):
        raise EngineUnavailable(
            "the JavaScript engine 'js2py' does not run on Python 3.12 and newer: use 'quickjs' or an older Python"
        )
    if not _installed("js2py"):
        raise EngineUnavailable("the JavaScript engine 'js2py' is not installed: pip install js2py")
    from couchfake.query_server.engines.js2py.engine import Js2PyEngine

    return Js2PyEngine
