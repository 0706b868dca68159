"""A function that is compiled into a script, and compiled again when that script is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from couchfake.errors import CouchError
from couchfake.query_server import answers
from couchfake.query_server.answers import as_crash, process_error, protocol_error
from couchfake.query_server.engines import Engine, Script, ScriptBusy, ScriptError, ScriptLost
from couchfake.query_server.source import as_program

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every function of a server shares: the engine, the limit of a call in seconds, and the log."""

    engine: Engine
    timeout: Callable[[], float]
    log: Callable[[str, str], None]


class SharedScript:
    """A script for many functions. ``opening``: the command that prepares it, with its texts."""

    def __init__(self, opening: tuple[str, ...] = ()) -> None:
        self.opening = opening
        self.script: Script | None = None
        self.compiling = threading.Lock()

    def close(self) -> None:
        """Drop the script; the next call makes another one."""
        script, self.script = self.script, None
        if script is not None:
            script.close()


class CompiledFunction:
    """``opening`` is the command that compiles the function, with its texts; ``label`` names it in the log.

    ``indexing``: its errors are those of an indexer, which crashes with them. ``on_error``: called after any error.
    ``busy_timeout``: the seconds that a call waits for another one before it gets a script of its own; None if there is
    one script for all calls. ``shared``: the script in which it runs, instead of one of its own. ``beside``: a function
    that is always called with this one (see ``Engine.new_script``).
    """

    def __init__(
        self,
        runtime: Runtime,
        label: str,
        opening: tuple[str, ...] = (),
        *,
        indexing: bool = False,
        on_error: Callable[[], None] | None = None,
        busy_timeout: float | None = None,
        shared: SharedScript | None = None,
        beside: CompiledFunction | None = None,
    ) -> None:
        self._runtime = runtime
        self._label = label
        self._beside = beside
        self._is_shared = shared is not None
        self._place = shared or SharedScript(opening)
        self._indexing = indexing
        self._on_error = on_error
        self._busy_timeout = busy_timeout

    @property
    def memory(self) -> int:
        """The bytes that the function's own script holds, as last measured."""
        script = self._place.script
        return 0 if script is None or self._is_shared else script.memory

    def open(self) -> None:
        """Compile the function unless that is done. Errors: as of ``call``, 500 ``compilation_error`` above all."""
        self._opened()

    def close(self) -> None:
        """Drop the function's own script, and with it whatever the function kept in it."""
        if not self._is_shared:
            self._place.close()

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
        script = self._place.script or self._opened()
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
        with self._place.compiling:
            if self._place.script is script:
                self._place.script = None
        script.close()

    def _opened(self) -> Script:
        with self._place.compiling:
            if self._place.script is None:
                beside = None if self._beside is None else self._beside._place.script
                script = self._runtime.engine.new_script(self._busy_timeout, beside)
                if self._place.opening:
                    try:
                        self._read(script.call(self._runtime.timeout(), *self._place.opening), answers.anything)
                    except ScriptError as error:
                        raise self._failed(error) from error
                    except CouchError:
                        script.close()
                        raise
                self._place.script = script
            return self._place.script

    def _failed(self, error: ScriptError) -> CouchError:
        self._place.close()
        return self._logged(process_error(error))

    def _malformed(self) -> CouchError:
        self._place.close()
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
            self._place.close()
        raise self._raised(protocol_error(*answer.error))


class PureFunction(CompiledFunction):
    """A validation function that is pure (see ``source.Traits``), in a script that it shares with others.

    ``shared`` is opened by the command ``freeze``.
    """

    def __init__(
        self,
        runtime: Runtime,
        label: str,
        source: str,
        shared: SharedScript,
        *,
        on_error: Callable[[], None],
        busy_timeout: float,
    ) -> None:
        super().__init__(runtime, label, on_error=on_error, busy_timeout=busy_timeout, shared=shared)
        self._texts = (source, as_program(source))

    def submit(self, part: str, command: str, *arguments: str, read: Callable[[Any], _T]) -> Callable[[], _T]:
        return super().submit(part, f"{command}_pure", *self._texts, *arguments, read=read)
