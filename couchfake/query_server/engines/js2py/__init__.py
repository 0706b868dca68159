"""The engine in pure Python: js2py, in a process of its own, which is killed when a call's time is up.

All scripts of an engine share the process. When it ends they are lost, and compiled again when they are needed. Each
request has a number, which its answer repeats; a process that writes anything else is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from couchfake.query_server.engines import (
    MEMORY_LIMIT,
    PRELUDE_PARTS,
    EngineUnavailable,
    Script,
    ScriptCrashed,
    ScriptError,
    ScriptLost,
    ScriptTimeout,
    prelude_file,
)

# The process imports its own package by name, and nothing else of couchfake.
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


@cache
def js2py_prelude() -> tuple[str, dict[str, str]]:
    """Return a program for js2py, whose value is a function from ``host`` to ``dispatch``, and the parts by name."""
    texts = [
        "(function (host) {",
        prelude_file("js2py_realm"),
        "var realm = makeRealm(host);",
        prelude_file("core"),
        "return dispatch;",
        "})",
    ]
    return "\n".join(texts), {name: prelude_file(name) for name in PRELUDE_PARTS}


class Js2PyEngine:
    """Starts its process with the first call; scripts are numbers in it."""

    name = "js2py"
    can_freeze = False

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._generation = getattr(self, "_generation", 0) + 1
        self._scripts = self._requests = 0
        self._forgotten: list[int] = []

    def new_script(self, busy_timeout: float | None = None, beside: Script | None = None) -> Js2PyScript:
        with self._lock:
            self._scripts += 1
            return Js2PyScript(self, self._scripts)

    def memory(self) -> int:
        """The operating system limits the process as a whole."""
        return 0

    def close(self) -> None:
        process = self._process
        if process is not None and self._owner == os.getpid():
            process.kill()  # a call that runs ends with it
            with self._lock:
                self._stop()

    def ask(self, script: int, generation: int, timeout: float, texts: tuple[str, ...]) -> tuple[int, str]:
        """Return a script's answer and the generation of the process that gave it.

        ``generation`` is that of the script's process, 0 before its first call. Raise ScriptLost if it has ended.
        """
        if self._owner != os.getpid():  # a fork: the process belongs to the parent
            self._renew()
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._stop()
                self._start()
            if generation not in (0, self._generation):
                raise ScriptLost(str(script))
            forgotten, self._forgotten = self._forgotten, []
            reply = self._exchange({"forget": forgotten, "script": script, "texts": texts}, timeout)
            crash, answer = reply.get("crash"), reply.get("answer")
            if isinstance(answer, str):
                return self._generation, answer
            if not isinstance(crash, str):
                self._stop()
            raise ScriptCrashed(str(crash))

    def forget(self, script: int, generation: int) -> None:
        """Drop a script; the process learns of it with the next call."""
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
        weakref.finalize(self, _end, self._process, os.getpid())
        self._generation += 1
        core, parts = js2py_prelude()
        try:
            self._exchange({"core": core, "parts": parts, "memory": MEMORY_LIMIT}, STARTING_TIME)
        except ScriptError as error:
            raise EngineUnavailable("js2py does not start: its process ended, or did not answer") from error

    def _exchange(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Send a request and return its reply. Kill the process if that takes too long, or for any other answer."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        self._requests += 1
        number = self._requests
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            process.kill()

        watch = threading.Timer(timeout, kill)
        watch.daemon = True
        watch.start()
        try:
            process.stdin.write(json.dumps({"number": number, "timeout": timeout, **request}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):  # the process has ended, or is being closed
            line = ""
        finally:
            watch.cancel()
        reply = _reply(line, number)
        if reply is None:
            self._stop()
            raise ScriptTimeout("js2py") if timed_out.is_set() else ScriptCrashed("stack")
        return reply

    def _stop(self) -> None:
        if self._process is not None:
            _end(self._process, self._owner)
            self._process = None


def _reply(line: str, number: int) -> dict[str, Any] | None:
    """Return the reply to the request of that number; None if the line is anything else."""
    try:
        reply = json.loads(line)
    except ValueError:
        return None
    return reply if isinstance(reply, dict) and reply.get("number") == number else None


def _end(process: subprocess.Popen[str], owner: int) -> None:
    if owner != os.getpid():
        return
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

    memory = 0

    def __init__(self, engine: Js2PyEngine, number: int) -> None:
        self._engine = engine
        self._number = number
        self._generation = 0

    def call(self, timeout: float, part: str, command: str, *arguments: str) -> str:
        texts = (part, command, *arguments)
        self._generation, answer = self._engine.ask(self._number, self._generation, timeout, texts)
        return answer

    def submit(self, timeout: float, part: str, command: str, *arguments: str) -> Callable[[], str]:
        """Return a function that makes the call: one process works on one call at a time."""
        return lambda: self.call(timeout, part, command, *arguments)

    def close(self) -> None:
        self._engine.forget(self._number, self._generation)
