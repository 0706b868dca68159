"""A query server for views in Python: ``couchpy``.

CouchDB runs it as a process and sends one command a line; each answer is a line too. Name it in the server's
configuration, in section ``[query_servers]`` as ``python = /path/to/couchpy`` (from CouchDB 3.0 on by the environment
variable ``COUCHDB_QUERY_SERVER_PYTHON``), and give design documents the language ``python``.

A map function takes a document and yields ``key, value`` pairs. A reduce function takes ``keys`` and ``values``, and
``rereduce`` if it has a third parameter. Both may call ``log(message)`` and import modules. Nothing confines them: who
may write design documents may run code on the server.
"""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from types import FunctionType
from typing import Any, BinaryIO

from couchdb_client import json
from couchdb_client.version import distribution_version

__all__ = ["main", "run"]

_FILENAME = "<view function>"

_log = logging.getLogger("couchdb.view")
_log.addHandler(logging.NullHandler())


class _CommandError(Exception):
    """A command failed; the arguments are the ``error`` and ``reason`` of the answer."""


class _ViewServer:
    """The state of one query server: the map functions that it was given."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._functions: list[Callable[..., Any]] = []
        #: For each command its method, and how many arguments it may have.
        self._commands: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
            "reset": (self.reset, (0, 1)),
            "add_lib": (self.add_lib, (1,)),
            "add_fun": (self.add_fun, (1,)),
            "map_doc": (self.map_doc, (1,)),
            "reduce": (self.reduce, (2,)),
            "rereduce": (self.rereduce, (2,)),
        }

    def answer(self, command: Any) -> Any:
        """Return the answer to a command. Raise `_CommandError`; with ``unknown_command`` the server cannot go on."""
        name = command[0] if isinstance(command, list) and command else None
        if not isinstance(name, str) or name not in self._commands:
            raise _CommandError("unknown_command", f"unknown command {name!r}")
        method, counts = self._commands[name]
        arguments = command[1:]
        if len(arguments) not in counts:
            raise _CommandError("unknown_command", f"{name} with {len(arguments)} arguments")
        return method(*arguments)

    def write(self, value: Any) -> None:
        self._output.write(json.encode_line(value).encode("utf-8") + b"\n")
        self._output.flush()

    def log(self, message: Any) -> None:
        """Send a message to the server's log; anything but text is sent as JSON."""
        self.write(["log", message if isinstance(message, str) else json.encode_line(message)])

    def reset(self, config: Any = None) -> bool:
        self._functions.clear()
        return True

    def add_lib(self, lib: Any) -> bool:
        """Accept the design document's ``views.lib``, which is for functions in JavaScript."""
        return True

    def add_fun(self, source: str) -> bool:
        self._functions.append(self._compile(source, "map_compilation_error"))
        return True

    def map_doc(self, doc: Any) -> list[list[list[Any]]]:
        """Return the rows of each map function. One that fails has none, and its traceback is logged."""
        return [self._rows(function, doc) for function in self._functions]

    def _rows(self, function: Callable[..., Any], doc: Any) -> list[list[Any]]:
        try:
            return [[key, value] for key, value in function(doc)]
        except Exception as exc:  # noqa: BLE001 - the function is anybody's
            _log.error("runtime error in map function: %s", exc, exc_info=True)
            self.log("".join(traceback.format_exception(exc)))
            return []

    def reduce(self, sources: list[str], rows: list[Any]) -> list[Any]:
        keys, values = zip(*rows) if rows else ((), ())
        return [True, [self._reduce(source, keys, values, False) for source in sources]]

    def rereduce(self, sources: list[str], values: list[Any]) -> list[Any]:
        return [True, [self._reduce(source, None, values, True) for source in sources]]

    def _reduce(self, source: str, keys: Any, values: Any, rereduce: bool) -> Any:
        function = self._compile(source, "reduce_compilation_error")
        arguments = (keys, values, rereduce)[: max(function.__code__.co_argcount, 2)]
        try:
            return function(*arguments)
        except Exception as exc:  # the function is anybody's
            _log.error("runtime error in reduce function: %s", exc, exc_info=True)
            raise _CommandError("reduce_runtime_error", str(exc)) from exc

    def _compile(self, source: str, error: str) -> FunctionType:
        """Return the one function that ``source`` defines, perhaps beside imports and constants."""
        names: dict[str, Any] = {"log": self.log}
        try:
            exec(compile(source, _FILENAME, "exec"), names)
        except Exception as exc:  # the source is anybody's
            _log.error("error in function: %s", exc, exc_info=True)
            raise _CommandError(error, exc.msg if isinstance(exc, SyntaxError) else str(exc)) from exc
        functions = [value for value in names.values() if isinstance(value, FunctionType)]
        defined = [function for function in functions if function.__code__.co_filename == _FILENAME]
        if len(defined) != 1:
            raise _CommandError(error, 'string must eval to a function (ex: "def(doc): return 1")')
        return defined[0]


def run(input: BinaryIO | None = None, output: BinaryIO | None = None) -> int:
    """Answer the commands of ``input`` on ``output`` until its end. The defaults are standard input and output.

    Return 0, or 1 if a line is not a command of the protocol.
    """
    server = _ViewServer(sys.stdout.buffer if output is None else output)
    for line in iter((sys.stdin.buffer if input is None else input).readline, b""):
        try:
            command = json.decode(line)
            _log.debug("Processing %r", command)
            answer = server.answer(command)
            _log.debug("Returning %r", answer)
            server.write(answer)
        except _CommandError as exc:
            server.write(["error", *exc.args])
            if exc.args[0] == "unknown_command":
                return 1
        except (ValueError, TypeError) as exc:  # the line is not JSON, or the answer cannot be
            _log.error("Error: %s", exc, exc_info=True)
            server.write(["error", "json_error", str(exc)])
            return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the query server for CouchDB: the command ``couchpy``. Return the exit status."""
    parser = argparse.ArgumentParser(prog="couchpy", description="Run CouchDB's query server for views in Python.")
    parser.add_argument("--version", action="version", version=f"couchpy (couchfake {distribution_version()})")
    parser.add_argument("--json-module", metavar="NAME", help="JSON module to use: json, simplejson, orjson, …")
    parser.add_argument("--log-file", metavar="FILE", help="file to write log messages to, - for standard error")
    parser.add_argument("--debug", action="store_true", help="log each command; needs --log-file")
    options = parser.parse_args(arguments)
    if options.json_module:
        try:
            json.use(options.json_module)
        except (ImportError, ValueError) as exc:
            parser.error(str(exc))
    if options.log_file:
        log_to = logging.StreamHandler() if options.log_file == "-" else logging.FileHandler(options.log_file)
        logging.basicConfig(
            level=logging.DEBUG if options.debug else logging.INFO,
            format="[%(asctime)s] [%(levelname)s] %(message)s",
            handlers=[log_to],
        )
    output = sys.stdout.buffer
    with redirect_stdout(sys.stderr):  # what functions print is not an answer
        return run(output=output)


if __name__ == "__main__":
    sys.exit(main())
