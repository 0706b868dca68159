"""From ["error", name, reason], as the query server's protocol has it, to the answer that HTTP gives.

Source: ``chttpd:error_info/1``. A name that is not listed is a 500 with that name.
"""

from __future__ import annotations

from typing import Any

from couchfake.errors import CouchError, Crash
from couchfake.query_server.engines.engine import ScriptError, ScriptTimeout
from couchfake.values.erlang import format_term

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
