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
from queue import SimpleQueue
from typing import Any, TextIO

from js2py.base import PyJsException

from couchfake.query_server.engines.js2py.process.patches import apply_patches
from couchfake.query_server.engines.js2py.process.script import Script, Scripts

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
