"""A map function tried on one document, without an index: its rows, what it logs, and the line of an error."""

from __future__ import annotations

import json
import re
from typing import Any

from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.query_server import QueryServer
from couchfake.query_server.source import as_program
from couchfake.settings import OS_PROCESS_TIMEOUT

TIMEOUT = 2000
"""Milliseconds that a map function may take."""

_LINE = re.compile(r"\(line (\d+)\)")
_VIEW = "trial"
_LABEL = f"/_view/{_VIEW}: "


def try_map(engine: str, source: str, document: dict[str, Any], lib: Any = None) -> dict[str, Any]:
    """Return ``rows`` (keys and values), ``log`` (texts), ``error`` and ``line`` (both None without an error)."""
    lines: list[tuple[str, str]] = []
    server = QueryServer(
        engine,
        config=Config({OS_PROCESS_TIMEOUT.section: {OS_PROCESS_TIMEOUT.key: str(TIMEOUT)}}),
        log=lambda level, message: lines.append((level, message.removeprefix(_LABEL))),
    )
    error: str | None = None
    rows: list[Any] = []
    try:
        session = server.compile_map([(_VIEW, source)], lib)
        rows = session.map_docs([json.dumps(document)])[0][0]
        session.close()
    except CouchError as failure:
        error = _first_line(str(failure.reason or failure.error))
    finally:
        server.close()
    errors = [message for level, message in lines if level == "error"]
    if error is None and errors:
        error = errors[-1]
    return {
        "rows": [{"key": key, "value": value} for key, value in rows],
        "log": [message for level, message in lines if level != "error"],
        "error": error,
        "line": _line_of(error, source) if error else None,
    }


def _line_of(error: str, source: str) -> int | None:
    found = _LINE.search(error)
    return int(found[1]) if found else _line_of_syntax_error(source)


def _line_of_syntax_error(source: str) -> int | None:
    """Return the line at which a source cannot be parsed, counted from 1. The engine js2py does not say."""
    try:
        import _quickjs as quickjs
    except ImportError:
        return None
    context = quickjs.Context()
    context.set_memory_limit(16 * 1024 * 1024)
    try:
        context.eval(f"if (false) {{({as_program(source)}\n)}}")
    except quickjs.JSException as failure:
        found = re.search(r"<input>:(\d+)", str(failure))
        return min(int(found[1]), source.count("\n") + 1) if found else None
    return None


def _first_line(text: str) -> str:
    return text.partition("\n")[0].partition(" (function")[0]
