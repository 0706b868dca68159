"""A function that is compiled into a script of its own, and compiled again when that script is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from couchfake.errors import CouchError
from couchfake.query_server import answers
from couchfake.query_server.answers import as_crash, process_error, protocol_error
from couchfake.query_server.engines import Engine, Script, ScriptBusy, ScriptError, ScriptLost

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every function of a server shares: the engine, the limit of a call in seconds, and the log."""

    engine: Engine
    timeout: Callable[[], float]
    log: Callable[[str, str], None]


class CompiledFunction:
    """``opening`` is the command that compiles the function, with its texts; ``label`` names it in the log.

    ``indexing``: its errors are those of an indexer, which crashes with them. ``on_error``: called after any error.
    ``patience``: the seconds that a call waits for another one before it gets a script of its own; None if there is
    one script for all calls.
    """

    def __init__(
        self,
        runtime: Runtime,
        label: str,
        opening: tuple[str, ...],
        *,
        indexing: bool = False,
        on_error: Callable[[], None] | None = None,
        patience: float | None = None,
    ) -> None:
        self._runtime = runtime
        self._label = label
        self._opening = opening
        self._indexing = indexing
        self._on_error = on_error
        self._patience = patience
        self._script: Script | None = None
        self._compiling = threading.Lock()

    @property
    def memory(self) -> int:
        """The bytes that the script holds, as last measured."""
        script = self._script
        return 0 if script is None else script.memory

    def open(self) -> None:
        """Compile the function unless that is done. Errors: as of ``call``, 500 ``compilation_error`` above all."""
        self._opened()

    def close(self) -> None:
        """Drop the script, and with it whatever the function kept in it."""
        script, self._script = self._script, None
        if script is not None:
            script.close()

    def call(self, part: str, command: str, *arguments: str, read: Callable[[Any], _T]) -> _T:
        """Return the answer to a command, as ``read`` gives it; ``read`` raises ValueError for a malformed one.

        Errors: what the function threw, by the protocol; 500 ``os_process_error`` for a script that does not end,
        takes all memory or stack, or answers what cannot be read.
        """
        return self.submit(part, command, *arguments, read=read)()

    def submit(self, part: str, command: str, *arguments: str, read: Callable[[Any], _T]) -> Callable[[], _T]:
        """Start a call; return a function that waits for it, with the result and errors of ``call``."""
        texts = (part, command, *arguments)
        script, waiting = self._start(texts)

        def result() -> _T:
            try:
                answer = waiting()
            except (ScriptLost, ScriptBusy):
                self._replace(script)
                answer = self._again(texts)
            except ScriptError as error:
                raise self._failed(error) from error
            return self._read(answer, read)

        return result

    def _start(self, texts: tuple[str, ...]) -> tuple[Script, Callable[[], str]]:
        script = self._script or self._opened()
        try:
            return script, script.submit(self._runtime.timeout(), *texts)
        except ScriptLost:
            self._replace(script)
            script = self._opened()
            return script, script.submit(self._runtime.timeout(), *texts)

    def _again(self, texts: tuple[str, ...]) -> str:
        while True:
            script = self._opened()
            try:
                return script.call(self._runtime.timeout(), *texts)
            except ScriptBusy:
                self._replace(script)
            except ScriptError as error:
                raise self._failed(error) from error

    def _replace(self, script: Script) -> None:
        """Let the next call compile the function again, unless another call has done so already."""
        with self._compiling:
            if self._script is script:
                self._script = None
        script.close()

    def _opened(self) -> Script:
        with self._compiling:
            if self._script is None:
                script = self._runtime.engine.new_script(self._patience)
                if self._opening:
                    try:
                        self._read(script.call(self._runtime.timeout(), *self._opening), answers.anything)
                    except ScriptError as error:
                        raise self._failed(error) from error
                    except CouchError:
                        script.close()
                        raise
                self._script = script
            return self._script

    def _failed(self, error: ScriptError) -> CouchError:
        self.close()
        return self._logged(process_error(error))

    def _malformed(self) -> CouchError:
        self.close()
        return self._logged(CouchError(500, "os_process_error", f"{self._label}: the answer cannot be read"))

    def _logged(self, failure: CouchError) -> CouchError:
        self._runtime.log("error", f"{self._label}: {failure.reason}")
        return self._raised(failure)

    def _raised(self, failure: CouchError) -> CouchError:
        if self._on_error is not None:
            self._on_error()
        return as_crash(failure) if self._indexing else failure

    def _read(self, text: str, read: Callable[[Any], _T]) -> _T:
        try:
            answer = answers.Answer.parse(text)
            for level, line in answer.log:
                self._runtime.log(level, f"{self._label}: {line}")
            if answer.error is None:
                return read(answer.value)
        except ValueError:
            raise self._malformed() from None
        if answer.end == "crash":
            raise self._failed(ScriptError(answer.error[0]))
        if answer.end is not None:
            self.close()
        raise self._raised(protocol_error(*answer.error))
