"""A function that was compiled into a script of its own, and is compiled anew when that script is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from couchfake.errors import CouchError
from couchfake.query_server.engines.engine import Engine, Script, ScriptError, ScriptLost
from couchfake.query_server.protocol_errors import as_crash, process_error, protocol_error

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every function of a server shares: the engine, the limit of a call in seconds, and the log."""

    engine: Engine
    timeout: Callable[[], float]
    log: Callable[[str, str], None]


class CompiledFunction:
    """``opening`` is the command that compiles the function, with its texts; ``label`` names it in the log.

    ``indexing``: its errors are those of an indexer that goes down with it.
    """

    def __init__(self, surroundings: Runtime, label: str, opening: tuple[str, ...], *, indexing: bool = False) -> None:
        self._indexing = indexing
        self._surroundings = surroundings
        self._label = label
        self._opening = opening
        self._script: Script | None = None

    def open(self) -> None:
        """Compile it, unless that is done. Errors: what ``call`` raises, 500 ``compilation_error`` above all."""
        if self._script is None:
            script = self._surroundings.engine.new_script()
            try:
                self._read(script.call(self._surroundings.timeout(), "", *self._opening))
            except ScriptError as error:
                raise self._failed(error) from error
            except CouchError:
                script.close()
                raise
            self._script = script

    def close(self) -> None:
        """Forget the script and what the function kept in it."""
        if self._script is not None:
            self._script.close()
            self._script = None

    def call(self, part: str, command: str, *arguments: str) -> Any:
        """What a command gives, parsed. Errors: what the function threw, by the protocol; 500 ``os_process_error``."""
        return self.submit(part, command, *arguments)()

    def submit(self, part: str, command: str, *arguments: str) -> Callable[[], Any]:
        """Start a call; the result is a function that waits for it, with ``call``'s value and errors."""
        self.open()
        assert self._script is not None
        waiting = self._script.submit(self._surroundings.timeout(), part, command, *arguments)
        return lambda: self._outcome(waiting, (part, command, *arguments))

    def _outcome(self, waiting: Callable[[], str], again: tuple[str, ...]) -> Any:
        try:
            return self._read(waiting())
        except ScriptLost:
            self._script = None
        except ScriptError as error:
            raise self._failed(error) from error
        self.open()
        assert self._script is not None
        try:
            return self._read(self._script.call(self._surroundings.timeout(), *again))
        except ScriptError as error:
            raise self._failed(error) from error

    def _failed(self, error: ScriptError) -> CouchError:
        self._script = None
        failure = process_error(error)
        self._surroundings.log("error", f"{self._label}: {failure.reason}")
        return as_crash(failure) if self._indexing else failure

    def _read(self, answer: str) -> Any:
        logged, value, *failed = loads(answer)
        for level, text in logged:
            self._surroundings.log(level, f"{self._label}: {text}")
        if not failed:
            return value
        _, name, reason, *end = failed[0]
        if end:
            self.close()
            if end == ["crash"]:
                raise self._failed(ScriptError(name))
        failure = protocol_error(name, reason)
        raise as_crash(failure) if self._indexing else failure


def loads(text: str) -> Any:
    """JSON that a script wrote, with halves of surrogate pairs replaced: the server's strings are UTF-8."""
    value = json.loads(text)
    return _mended(value) if "\\ud" in text else value


def dumps(value: Any) -> str:
    """JSON for a script: ASCII only."""
    return json.dumps(value, separators=(",", ":"))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    return value
