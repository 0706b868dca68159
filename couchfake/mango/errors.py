"""The errors of queries that Mango refuses.

Values are quoted as the server quotes them: most in Erlang's plainest notation (``<<51>>``), those of sorts in the
readable one (``<<"3">>``). Source: the server's ``mango_error``.
"""

from __future__ import annotations

from typing import Any

from couchfake.errors import CouchError, Crash, ServerError
from couchfake.values import json
from couchfake.values.erlang import format_term, write_term


def bad_request(error: str, reason: str) -> CouchError:
    return CouchError(400, error, reason)


def unknown_error(module: str, name: str, value: Any) -> CouchError:
    """A refusal without a reason of its own."""
    return ServerError(f"Unknown Error: {module} :: {{{name},{write_term(value)}}}")


def crash(reason: str) -> CouchError:
    """A defect of the server's own that ordinary queries meet."""
    return ServerError(reason)


def bad_arg(operator: str, argument: Any) -> CouchError:
    return bad_request("bad_arg", f"Bad argument for operator {operator}: {write_term(argument)}")


def invalid_operator(operator: str) -> CouchError:
    return bad_request("invalid_operator", f"Invalid operator: {operator}")


def not_supported(operator: str) -> CouchError:
    return bad_request("not_supported", f"Unsupported operator: {operator}")


def bad_field(selector: Any) -> CouchError:
    return bad_request("bad_field", f"Invalid field normalization on selector: {write_term(selector)}")


def missing_field_name() -> CouchError:
    return bad_request("invalid_selector", "One or more conditions is missing a field name.")


def invalid_field_name(name: str) -> CouchError:
    return bad_request("invalid_field_name", f"Invalid field name: {name}")


def invalid_sort(sort: Any) -> CouchError:
    return bad_request("invalid_sort_json", f"Sort must be an array of sort specs, not: {format_term(sort)}")


def invalid_sort_field(field: Any) -> CouchError:
    return bad_request("invalid_sort_field", f"Invalid sort field: {format_term(field)}")


def mixed_sort() -> CouchError:
    return bad_request("unsupported_mixed_sort", "Sorts currently only support a single direction for all fields.")


def no_usable_index(kind: str = "") -> CouchError:
    """``kind``: "", "partitioned " or "global "."""
    return bad_request("no_usable_index", f"No {kind}index exists for this sort, try indexing by the sort fields.")


def invalid_bookmark(bookmark: str) -> CouchError:
    return bad_request("invalid_bookmark", f"Invalid bookmark value: {json.dumps(bookmark)}")


def invalid_index(ddoc: str, name: str | None) -> CouchError:
    index = ddoc if name is None else f"{ddoc}, {name}"
    return bad_request("invalid_index", f"{index} specified by `use_index` could not be found or it is not suitable.")


def index_not_named() -> CouchError:
    return bad_request("invalid_index", "You must specify an index with the `use_index` parameter.")


def no_rows_in_range() -> CouchError:
    reason = "No rows can match your key range, reverse your start_key and end_key or set descending=true"
    return Crash("query_parse_error", reason, 400)
