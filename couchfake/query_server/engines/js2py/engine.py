"""The engine in pure Python: js2py, in a process of its own (see ``js2py_process``), which is killed when a call's time
is up. All scripts of an engine share the process; when it goes down they are lost, and made anew by whoever needs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from couchfake.query_server.engines.engine import (
    MEMORY_LIMIT,
    EngineUnavailable,
    ScriptCrashed,
    ScriptError,
    ScriptLost,
    ScriptTimeout,
)
from couchfake.query_server.prelude import js2py_prelude

# The process imports its own package by name, and nothing else of couchfake: not what the packages above it import.
_PROGRAM = """
import sys, types
names = "couchfake", "couchfake.query_server", "couchfake.query_server.engines", "couchfake.query_server.engines.js2py"
for name, path in zip(names, sys.argv[1:]):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [path]
from couchfake.query_server.engines.js2py.process.main import main
main()
"""
_PACKAGES = [str(path) for path in reversed(Path(__file__).parents[:4])]
STARTING_TIME = 60.0  # seconds that the process may take to import js2py


class Js2PyEngine:
    """Starts its process with the first call; scripts are numbers in it."""

    name = "js2py"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._generation = 0
        self._numbers = 0
        self._forgotten: list[int] = []
        self._killed = False

    def new_script(self) -> Js2PyScript:
        with self._lock:
            self._numbers += 1
            return Js2PyScript(self, self._numbers)

    def close(self) -> None:
        with self._lock:
            self._stop()

    def ask(self, script: int, generation: int, timeout: float, texts: tuple[str, ...]) -> tuple[int, str]:
        """A script's answer, and the generation of the process that gave it; a script is of one generation, 0 before
        its first call."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._stop()
                self._start()
            if generation not in (0, self._generation):
                raise ScriptLost(str(script))
            lines = [json.dumps([number]) for number in self._forgotten]
            self._forgotten = []
            reply = self._exchange([*lines, json.dumps([script, *texts])], timeout)
            if "crash" in reply:
                raise ScriptCrashed(reply["crash"])
            return self._generation, reply["answer"]

    def forget(self, script: int, generation: int) -> None:
        """Drop a script; the process hears of it with the next call."""
        if generation == self._generation:
            self._forgotten.append(script)

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *_PACKAGES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TZ": "UTC", "PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "ignore"},
            text=True,
            encoding="utf-8",
        )
        weakref.finalize(self, _end, self._process)
        self._generation += 1
        core, parts = js2py_prelude()
        try:
            self._exchange([json.dumps({"core": core, "parts": parts, "memory": MEMORY_LIMIT})], STARTING_TIME)
        except ScriptError as error:
            raise EngineUnavailable("js2py does not start here: its process ended, or did not answer") from error

    def _exchange(self, lines: list[str], timeout: float) -> Any:
        """Write lines, read one; the process is killed when that takes too long."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            process.kill()

        watch = threading.Timer(timeout, kill)
        watch.daemon = True
        watch.start()
        try:
            process.stdin.write("\n".join(lines) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            self._stop()
            raise ScriptTimeout("js2py") if timed_out.is_set() else ScriptCrashed("stack")
        return json.loads(line)

    def _stop(self) -> None:
        if self._process is not None:
            _end(self._process)
            self._process = None


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                pass  # a line that the dead process never read
    process.wait()


class Js2PyScript:
    """A script in the engine's process."""

    def __init__(self, engine: Js2PyEngine, number: int) -> None:
        self._engine = engine
        self._number = number
        self._generation = 0

    def call(self, timeout: float, part: str, command: str, *arguments: str) -> str:
        texts = (part, command, *arguments)
        self._generation, answer = self._engine.ask(self._number, self._generation, timeout, texts)
        return answer

    def submit(self, timeout: float, part: str, command: str, *arguments: str) -> Callable[[], str]:
        """The call is made when its answer is waited for."""
        return lambda: self.call(timeout, part, command, *arguments)

    def close(self) -> None:
        self._engine.forget(self._number, self._generation)
