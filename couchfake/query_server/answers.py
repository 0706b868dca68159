"""What scripts answer, checked, and what their errors are in HTTP.

A script may have broken the world that it runs in, so no answer is taken on trust: whatever does not have the shape
that a command's answer has is a ValueError here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from couchfake.errors import CouchError, Crash
from couchfake.query_server.engines import ScriptError, ScriptTimeout
from couchfake.values.erlang import format_term
from couchfake.values.json import dumps as dumps_deep
from couchfake.values.json import loads as loads_exactly
from couchfake.values.json import repaired

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make an encoder for each call
_HALF_OF_ID = r"\udced"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

LEVELS = ("info", "error")


def loads(text: str) -> Any:
    """Parse JSON that a script wrote. Halves of surrogate pairs become U+FFFD, as the server's strings are UTF-8."""
    if "-" in text and "e-3" in text:  # numbers that are too small for the server
        return loads_exactly(_whole_characters(text))
    try:
        value = json.loads(text)
        return _replace_surrogates(value) if "\\" in text and "\\ud" in text else value
    except RecursionError:
        return loads_exactly(_whole_characters(text))


_SURROGATE_ESCAPES = re.compile(r"(?P<other>\\[^u])|(?P<pair>\\ud[89ab]..\\ud[c-f]..)|\\ud[89a-f]..")


def _whole_characters(text: str) -> str:
    return _SURROGATE_ESCAPES.sub(lambda match: match[0] if match["other"] or match["pair"] else "\\ufffd", text)


def dumps(value: Any) -> str:
    """Return JSON for a script, in ASCII unless it nests very deeply."""
    try:
        text = _encode(value)
        return _encode(_repaired(value)) if "\\" in text and _HALF_OF_ID in text else text
    except RecursionError:
        return repaired(dumps_deep(value))


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return repaired(value)
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    return {_repaired(name): _repaired(item) for name, item in value.items()} if isinstance(value, dict) else value


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_replace_surrogates(name): _replace_surrogates(item) for name, item in value.items()}
    return value


@dataclass(slots=True)  # not frozen, which takes four times as long to make
class Answer:
    """``log`` has levels and texts. ``error`` is a name and a reason as the protocol has them, or None; then ``end``
    says whether the script is of no further use: ``fatal``, or ``crash`` when it ran out of something."""

    log: list[tuple[str, str]]
    value: Any
    error: tuple[Any, Any] | None = None
    end: str | None = None

    @classmethod
    def parse(cls, text: str) -> Answer:
        """Read ``[log, value]`` or ``[log, null, ["error", name, reason(, end)]]``."""
        answer = loads(text)
        if not isinstance(answer, list) or len(answer) not in (2, 3):
            raise ValueError("an answer has two or three parts")
        log = [_log_line(line) for line in a_list(answer[0])] if answer[0] != [] else []
        if len(answer) == 2:
            return cls(log, answer[1])
        failure = a_list(answer[2])
        if len(failure) not in (3, 4) or failure[0] != "error":
            raise ValueError("a failure is an error, its name and its reason")
        return cls(log, None, (failure[1], failure[2]), str(failure[3]) if len(failure) == 4 else None)


def _log_line(line: Any) -> tuple[str, str]:
    level, text = a_list(line, 2)
    if level not in LEVELS or not isinstance(text, str):
        raise ValueError("a line of the log is a level and a text")
    return level, text


def anything(value: Any) -> Any:
    return value


def a_list(value: Any, size: int | None = None) -> list[Any]:
    """Return the value if it is a list, of ``size`` items where that is given."""
    if not isinstance(value, list) or (size is not None and len(value) != size):
        raise ValueError(f"not a list of {size} items" if size is not None else "not a list")
    return value


def tagged(*tags: str, size: int) -> Any:
    """Return a reader of lists whose first item is one of ``tags``; other items are whatever they are."""

    def read(value: Any) -> list[Any]:
        items = a_list(value)
        if not items or items[0] not in tags or len(items) > size:
            raise ValueError(f"not one of {tags}")
        return items

    return read


def booleans(size: int) -> Any:
    """Return a reader of a list of so many booleans."""

    def read(value: Any) -> list[bool]:
        items = a_list(value, size)
        if not all(isinstance(item, bool) for item in items):
            raise ValueError("not booleans")
        return items

    return read


def reductions(size: int) -> Any:
    """Return a reader of so many reductions, each the JSON of a list of one: it returns texts and values."""

    def read(value: Any) -> list[tuple[str, Any]]:
        items = a_list(value, size)
        if not all(isinstance(item, str) for item in items):
            raise ValueError("not strings")
        return [(text, a_list(loads(text), 1)[0]) for text in items]

    return read


def mapped(start: int, size: int) -> Any:
    """Return a reader of what ``map_docs`` answers to documents from number ``start`` on, of ``size``: the number of
    the next document, and for each one before it its rows, which come as keys and values in turn."""

    def read(value: Any) -> tuple[int, list[list[tuple[Any, Any]]]]:
        done, of_docs = a_list(value, 2)
        if type(done) is not int or not start < done <= size:
            raise ValueError("no progress")
        rows = []
        for flat in a_list(of_docs, done - start):
            if type(flat) is not list or len(flat) % 2:
                raise ValueError("a key without a value")
            items = iter(flat)
            rows.append(list(zip(items, items)))
        return done, rows

    return read


def list_events(value: Any) -> tuple[list[list[Any]], tuple[Any, Any] | None, bool]:
    """Read the answer of a list function: its events, the error that ended it if one did, and whether all rows had
    been read by then."""
    if not isinstance(value, dict):
        raise ValueError("not the events of a list")
    events = a_list(value.get("events"))
    for event in events:
        if len(a_list(event)) not in (2, 3) or event[0] not in ("start", "chunks", "end"):
            raise ValueError("not an event of a list")
        a_list(event[1])
    failure = value.get("failure")
    if failure is None:
        return events, None, True
    if len(a_list(failure)) < 3:
        raise ValueError("not a failure")
    return events, (failure[1], failure[2]), value.get("ended") is True


# From ["error", name, reason], as the query server's protocol has it, to the answer that HTTP gives.
#
# Source: ``chttpd:error_info/1``. A name that is not listed is a 500 with that name.

_STATUS = {
    "bad_request": 400,
    "query_parse_error": 400,
    "illegal_database_name": 400,
    "illegal_docid": 400,
    "illegal_partition": 400,
    "doc_validation": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "filter_fetch_error": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "file_exists": 412,
    "missing_stub": 412,
    "precondition_failed": 412,
    "request_entity_too_large": 413,
    "bad_ctype": 415,
    "not_implemented": 501,
    "service_unavailable": 503,
}


def protocol_error(name: Any, reason: Any) -> CouchError:
    """Return the error of that name. Reasons other than strings are in Erlang's notation, as on the server."""
    if not isinstance(name, str):
        name = format_term(name)
    if reason is not None and not isinstance(reason, str):
        reason = format_term(reason)
    return CouchError(_STATUS.get(name, 500), name, reason)


def process_error(error: ScriptError) -> CouchError:
    """Return the error for a script that ended without an answer: the real server lost, or killed, its process."""
    if isinstance(error, ScriptTimeout):
        return CouchError(500, "os_process_error", "OS process timed out.")
    if str(error) == "memory":
        return CouchError(500, "InternalError", "out of memory")
    return CouchError(500, "os_process_error", "{exit_status,139}")


def as_crash(error: CouchError) -> CouchError:
    """Return the error as that of a crashed indexer: a 500 has a number in the server's log then."""
    return Crash(error.error, error.reason) if error.status == 500 else error


def clause_error(clause: str, value: Any) -> CouchError:
    """Return the real server's error if no case matches: ``case_clause`` and the value in Erlang's notation."""
    return Crash(clause, format_term(value))
