"""The default engine: quickjs-ng, of the engine family that CouchDB 3.5 itself runs.

Each script is a QuickJS runtime of its own. All of them live on one thread with a large stack. Limits are QuickJS's
own: memory, stack, and the processor time of a call (it reads the whole process's clock, so other busy threads
shorten a call's time; JavaScript cannot wait, so nothing makes it longer).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import quickjs

from couchfake.query_server.engines.engine import MEMORY_LIMIT, ScriptCrashed, ScriptTimeout
from couchfake.query_server.engines.owner_thread import STACK_SIZE, OwnerThread
from couchfake.query_server.prelude import quickjs_prelude

SCRIPT_STACK = STACK_SIZE * 3 // 4


class QuickJSEngine:
    """Makes scripts on its own thread."""

    name = "quickjs"

    def __init__(self) -> None:
        self._thread = OwnerThread("couchfake-quickjs")
        self._prelude = quickjs_prelude(utc=bool(time.timezone or time.daylight))

    def new_script(self) -> QuickJSScript:
        return QuickJSScript(self._thread, self._prelude)

    def close(self) -> None:
        self._thread.close()


class QuickJSScript:
    """A QuickJS runtime with the prelude in it; made on the engine's thread by its first call."""

    def __init__(self, thread: OwnerThread, prelude: str) -> None:
        self._thread = thread
        self._prelude = prelude
        self._context: Any = None
        self._dispatch: Any = None
        self._timeout = 0.0

    def call(self, timeout: float, part: str, command: str, *arguments: str) -> str:
        return self._thread.run(lambda: self._call(timeout, part, command, arguments))

    def submit(self, timeout: float, part: str, command: str, *arguments: str) -> Callable[[], str]:
        return self._thread.submit(lambda: self._call(timeout, part, command, arguments))

    def close(self) -> None:
        self._dispatch = self._context = None

    def _open(self) -> None:
        context = quickjs.Context()
        context.set_max_stack_size(SCRIPT_STACK)
        context.set_memory_limit(MEMORY_LIMIT)
        self._dispatch = context.eval(self._prelude)
        self._context = context

    def _call(self, timeout: float, part: str, command: str, arguments: tuple[str, ...]) -> str:
        if self._dispatch is None:
            self._open()
        if timeout != self._timeout:
            self._context.set_time_limit(timeout)
            self._timeout = timeout
        try:
            answer = self._dispatch(part, command, *arguments)
        except quickjs.StackOverflow as error:
            self.close()
            raise ScriptCrashed("stack") from error
        except quickjs.JSException as error:
            self.close()
            if "interrupted" in str(error):
                raise ScriptTimeout(command) from error
            raise ScriptCrashed("memory") from error
        if not isinstance(answer, str):  # it could not even say so: out of memory while out of memory
            self.close()
            raise ScriptCrashed("memory")
        return answer
