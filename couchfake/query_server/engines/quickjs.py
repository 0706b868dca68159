"""The default engine: quickjs-ng, of the engine family that CouchDB 3.5 itself runs.

Each script is a QuickJS runtime of its own, which runs on one thread of the engine's pool at a time. Limits are
QuickJS's own for memory and stack. The limit of time counts the processor time of the thread that runs the script:
QuickJS itself can only read the clock of the whole process, so its own limit is set so high that other busy threads
cannot reach it, and the thread that waits for the answer watches the clock of the script's thread. That also ends the
wait for native calls, which QuickJS cannot interrupt: such a call is abandoned with its thread, and ends with its next
allocation.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any

import _quickjs as quickjs  # the package around it starts a thread when it is imported

from couchfake.query_server.engines import (
    MEMORY_LIMIT,
    PRELUDE_PARTS,
    Script,
    ScriptBusy,
    ScriptCrashed,
    ScriptLost,
    ScriptTimeout,
    prelude_file,
)
from couchfake.query_server.engines.thread_pool import STACK_SIZE, Overdue, PoolClosed, Strand, ThreadPool, Withdrawn
from couchfake.transports.monotonic import real_monotonic

SCRIPT_STACK = STACK_SIZE * 3 // 4
SPARE_CONTEXTS = 2
MEASURED_FROM = 0.02  # seconds of a call from which a script may have come to hold memory worth measuring

PRELUDE_LINE = 10_000
"""The prelude's own code lies beyond this line, so that a line number shows whether it is in a function's source."""


@cache
def quickjs_prelude(*, utc: bool) -> str:
    """Return a program for QuickJS whose value is the function ``dispatch``. ``utc`` makes Date work in UTC."""
    parts = {name: prelude_file(name) for name in (*PRELUDE_PARTS, "quickjs_foreign")}
    return "\n" * PRELUDE_LINE + "\n".join(
        [
            prelude_file("utc_date") if utc else "",
            "(function () {",
            f"var PRELUDE_LINE = {PRELUDE_LINE}, PRELUDE_START = '\\n'.repeat({PRELUDE_LINE});",
            f"var partTexts = {json.dumps(parts)};",
            prelude_file("quickjs_realm"),
            "var realm = makeRealm();",
            prelude_file("core"),
            "return dispatch;",
            "})()",
        ]
    )


class Spares:
    """Contexts with the prelude in them that no script has used yet, so that a fresh server need not wait for one."""

    def __init__(self, prelude: str) -> None:
        self._prelude = prelude
        self._process = os.getpid()
        self._contexts: deque[tuple[Any, Any]] = deque()

    def take(self) -> tuple[Any, Any]:
        """Return a context and its ``dispatch`` function, for one script alone."""
        if self._process == os.getpid():
            try:
                return self._contexts.pop()
            except IndexError:
                pass
        return self._make()

    def put(self, context: Any, dispatch: Any) -> None:
        """Take back a context in which nothing but the prelude ran."""
        if self._process == os.getpid() and len(self._contexts) < SPARE_CONTEXTS:
            self._contexts.append((context, dispatch))

    def fill(self) -> None:
        """Make the contexts that are missing."""
        while self._process == os.getpid() and len(self._contexts) < SPARE_CONTEXTS:
            self._contexts.append(self._make())

    def _make(self) -> tuple[Any, Any]:
        context = quickjs.Context()
        context.set_max_stack_size(SCRIPT_STACK)
        context.set_memory_limit(MEMORY_LIMIT)
        return context, context.eval(self._prelude)


@cache
def spares(*, utc: bool) -> Spares:
    """Return the spare contexts of this process: the one thing that servers share, and never while it is in use."""
    return Spares(quickjs_prelude(utc=utc))


class QuickJSEngine:
    """Makes scripts that run on its own threads."""

    name = "quickjs"
    can_freeze = True

    def __init__(self) -> None:
        self.spares = spares(utc=bool(time.timezone or time.daylight))
        self.pool = ThreadPool("couchfake-quickjs", prepare=self.spares.fill)
        self.running: set[Any] = set()  # contexts
        self._memory = 0
        self._lock = threading.Lock()

    def new_script(self, busy_timeout: float | None = None, beside: Script | None = None) -> QuickJSScript:
        return QuickJSScript(self, busy_timeout, beside if isinstance(beside, QuickJSScript) else None)

    def memory(self) -> int:
        return self._memory

    def count_memory(self, growth: int) -> None:
        with self._lock:
            self._memory += growth

    def close(self) -> None:
        self.pool.close()
        for context in list(self.running):
            starve(context)


def starve(context: Any) -> None:
    """Make a running script fail at its next allocation or call, which is what another thread can do to it.

    A script may catch that error and go on. QuickJS's own limit of time ends it then, with an error that cannot be
    caught. Making that error takes some memory and stack: the script gets them back after a second.
    """
    context.set_memory_limit(1)
    context.set_max_stack_size(1)
    relief = threading.Timer(1, _relieve, (context,))
    relief.daemon = True
    relief.start()


def _relieve(context: Any) -> None:
    context.set_memory_limit(MEMORY_LIMIT)
    context.set_max_stack_size(SCRIPT_STACK)


class QuickJSScript:
    """A QuickJS runtime with the prelude in it, made by the first call."""

    def __init__(self, engine: QuickJSEngine, busy_timeout: float | None, beside: QuickJSScript | None) -> None:
        self._engine = engine
        self._busy_timeout = busy_timeout
        self._process = os.getpid()
        self._strand: Strand
        if beside is not None and beside._process == self._process:
            self._strand = beside._strand
        else:
            self._strand = Strand(engine.pool)
        self._context: Any = None
        self._dispatch: Any = None
        self._running: Any = None  # the context that runs a call
        self._limit = 0.0
        self._closed = False
        self._unused = True
        self.memory = 0

    def call(self, timeout: float, part: str, command: str, *arguments: str) -> str:
        return self.submit(timeout, part, command, *arguments)()

    def submit(self, timeout: float, part: str, command: str, *arguments: str) -> Callable[[], str]:
        if self._process != os.getpid():  # a fork: the parent's threads and their scripts are not here
            raise ScriptLost(command)
        self._unused = self._unused and command == "check"
        task = self._strand.submit(lambda: self._call(timeout, part, command, arguments))

        def result() -> str:
            try:
                return task.wait(timeout, self._give_up, self._busy_timeout)
            except Withdrawn:
                raise ScriptBusy(command) from None
            except Overdue:
                raise ScriptTimeout(command) from None
            except PoolClosed:
                raise ScriptLost(command) from None

        return result

    def close(self) -> None:
        context, dispatch, unused = self._context, self._dispatch, self._unused and self._strand.idle
        self._drop()
        if unused and dispatch is not None:
            self._engine.spares.put(context, dispatch)

    def _give_up(self) -> None:
        self._drop()
        if self._running is not None:
            starve(self._running)

    def _drop(self) -> None:
        self._closed = True
        self._dispatch = self._context = None
        self._hold(0)

    def _hold(self, memory: int) -> None:
        self._engine.count_memory(memory - self.memory)
        self.memory = memory

    def _call(self, timeout: float, part: str, command: str, arguments: tuple[str, ...]) -> str:
        if self._closed:
            raise ScriptLost(command)
        if self._dispatch is None:
            self._context, self._dispatch = self._engine.spares.take()
        context, dispatch, engine = self._context, self._dispatch, self._engine
        limit = timeout * (1.25 + engine.pool.running())
        if limit != self._limit:
            context.set_time_limit(limit)
            self._limit = limit
        start = real_monotonic()
        self._running = context
        engine.running.add(context)
        try:
            answer = dispatch(part, command, *arguments)
        except quickjs.StackOverflow as error:
            self._drop()
            raise ScriptCrashed("stack") from error
        except quickjs.JSException as error:
            self._drop()
            if "interrupted" in str(error):
                raise ScriptTimeout(command) from error
            raise ScriptCrashed("memory" if "memory" in str(error) else "stack") from error
        finally:
            self._running = None
            engine.running.discard(context)
        if not isinstance(answer, str):  # out of memory while it said that it is out of memory
            self._drop()
            raise ScriptCrashed("memory")
        if real_monotonic() - start > MEASURED_FROM and not self._closed:
            self._hold(context.memory()["malloc_size"])
        return answer
