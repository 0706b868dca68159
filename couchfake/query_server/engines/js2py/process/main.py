"""Scripts by number, a JSON text a line in, a JSON text a line out.

js2py has neither limits nor a sandbox, so it has a process to itself. Endless loops and catastrophic regular
expressions end when the process is killed; memory is limited by the operating system (where Python has ``resource``),
recursion by Python's limit on a large stack. The doors to Python that are known are closed (see ``mended``); behind
them an audit hook refuses files, processes, sockets and imports.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from js2py.base import PyJsException

from couchfake.query_server.engines.js2py.process.patches import apply_patches
from couchfake.query_server.engines.js2py.process.script import Script, Scripts

RECURSION_LIMIT = 20_000
STACK_SIZE = 512 * 1024 * 1024
REFUSED_EVENTS = (
    "open", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "import", "pty.", "tempfile.", "sqlite3.", "winreg.",
    "urllib.", "http.", "ftplib.", "smtplib.", "signal.", "resource.", "syslog.", "webbrowser.", "glob.", "mmap.",
)  # fmt: skip


def limit_memory(size: int) -> None:
    """At most ``size`` bytes more than now, where the operating system can say so."""
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
    """The audit hook: a script that got hold of Python still reaches nothing."""
    if event.startswith(REFUSED_EVENTS):
        raise PermissionError(event)


def serve(lines: TextIO, answer: Callable[[str], None]) -> None:
    """Obey lines ``[number, text, ...]`` (a call) and ``[number]`` (forget the script) until they end."""
    first = json.loads(lines.readline())
    limit_memory(first["memory"])
    maker = Scripts(first["core"], first["parts"])
    sys.addaudithook(refuse)
    answer(json.dumps("ready"))
    scripts: dict[int, Script] = {}
    for line in lines:
        number, *texts = json.loads(line)
        if not texts:
            scripts.pop(number, None)
            continue
        try:
            if number not in scripts:
                scripts[number] = maker.new()
            reply = {"answer": scripts[number].call(texts)}
        except MemoryError:
            reply = {"crash": "memory"}
        except RecursionError:
            reply = {"crash": "stack"}
        except PyJsException as error:
            reply = {"crash": str(error)}
        if "crash" in reply:
            scripts.pop(number, None)
        answer(json.dumps(reply))


def main() -> None:
    """Serve standard input on a thread with a large stack."""
    apply_patches()
    sys.setrecursionlimit(RECURSION_LIMIT)
    output = sys.stdout

    def answer(text: str) -> None:
        output.write(text + "\n")
        output.flush()

    threading.stack_size(STACK_SIZE)
    thread = threading.Thread(target=serve, args=(sys.stdin, answer))
    thread.start()
    thread.join()
