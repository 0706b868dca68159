"""Errors of replications: requests that are refused, and replications that fail."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from couchfake.errors import CouchError, Crash, Forbidden, NotFound
from couchfake.values.erlang import format_term

# Malformed requests
#
# The real server throws inside one function for ``_replicate`` and for the documents of ``_replicator``, and each of
# the two shows what was thrown in its own way: as an error of its own kind, or as a 403 that quotes Erlang.
# Source: ``couch_replicator_parse`` and ``couch_replicator_docs:before_doc_update``.


class Refused(Exception):
    """``answer`` is the error of ``_replicate``; ``reason`` is that of a 403 for a document."""

    def __init__(self, answer: CouchError, reason: str) -> None:
        super().__init__(answer, reason)
        self.answer = answer
        self.reason = reason

    def forbidden(self) -> Forbidden:
        """The error for a document."""
        return Forbidden(self.reason)


def refused(reason: str) -> Refused:
    """An error with a message."""
    return Refused(CouchError(500, "error", reason), reason)


def invalid_url(kind: str) -> Refused:
    """``kind``: endpoint or proxy."""
    reason = f"{kind} has an invalid url"
    return Refused(CouchError(400, "invalid_replication", reason), reason)


def bad_request(reason: str) -> Refused:
    return Refused(CouchError(400, "bad_request", reason), f"{{throw,{{bad_request,{format_term(reason)}}}}}")


def exclusive(reason: str) -> Refused:
    """The same, of members that exclude each other: to the server this text is a list of characters."""
    return Refused(
        CouchError(400, "bad_request", reason), f"{{throw,{{bad_request,{format_term(list(map(ord, reason)))}}}}}"
    )


def crash(name: str) -> Refused:
    """A value of a type that the server does not expect."""
    return Refused(Crash("unknown_error", name), f"{{error,{name}}}")


def bad_match(value: Any) -> Refused:
    return Refused(Crash("badmatch", format_term(value)), f"{{error,{{badmatch,{format_term(value)}}}}}")


def bad_selector(reason: str) -> Refused:
    """A selector that Mango refuses. The real server does not expect it, so ``_replicate`` crashes."""
    words, _, operator = reason.rpartition(": ")
    names = {"Invalid operator": "invalid_operator", "Unsupported operator": "not_supported"}
    term = f"{{{names[words]},{format_term(operator)}}}" if words in names else format_term(reason)
    return Refused(Crash("case_clause", reason), f"{{throw,{{mango_error,mango_selector,{term}}}}}")


# What fails while a replication begins or runs, as ``_replicate`` answers it


def revs_diff_failed(error: CouchError) -> CouchError:
    """The target refused ``_revs_diff``."""
    return _request_failed("revs_diff_failed", error)


def changes_failed(error: CouchError) -> CouchError:
    """The source refused ``_changes``. Of an internal error the real server reports the status only."""
    if error.status >= 500:
        return CouchError(500, "changes_req_failed", str(error.status))
    return _request_failed("changes_req_failed", error)


_WIDTH = 79  # of the lines that Erlang breaks terms into


def _request_failed(name: str, error: CouchError) -> CouchError:
    """The reason is the answer in Erlang's notation, broken into lines."""
    indent = " " * (len(name) + 2)
    reason = f'<<"{error.reason}">>}}'
    if len(indent) + len('  {<<"reason">>,') + len(reason) + len("]}}") >= _WIDTH:
        reason = f"\n{indent}   {reason}"
    return CouchError(
        500,
        "error",
        f"{{{name},{error.status},\n"
        f'{indent}{{[{{<<"error">>,<<"{error.error}">>}},\n'
        f'{indent}  {{<<"reason">>,{reason}]}}}}',
    )


def db_not_found(url: str) -> CouchError:
    return CouchError(500, "db_not_found", f"could not open {url}")


def unknown_host(url: str) -> CouchError:
    """No server has the name."""
    return CouchError(500, "nxdomain", f"could not resolve {url}")


def no_connection(url: str) -> CouchError:
    """No server listens, or none answers."""
    reason = f'{{http_request_failed,"GET","{url}",\n    {{error,{{error,{{conn_failed,{{error,econnrefused}}}}}}}}}}'
    return CouchError(500, "error", reason)


def login_refused(url: str, user: str) -> CouchError:
    """A login is tried at ``_session`` first."""
    parts = urlsplit(url)
    session = f"{parts.scheme}://{parts.netloc}/_session"
    return CouchError(500, "replication_auth_error", f'{{session_request_unauthorized,"{session}","{user}"}}')


def message(error: CouchError) -> str:
    """Return how listings report an error: the term that the real server's job ended with."""
    if error.error == "error" or isinstance(error, FilterNotFetched):
        return str(error.reason)
    if error.error in ("replication_auth_error", "changes_req_failed"):
        return f"{{{error.error},{error.reason}}}"
    return f"{error.error}: {error.reason}"


class FilterNotFetched(NotFound):
    """The code of a filter function cannot be fetched. ``_replicate`` answers 404; a document waits and tries again."""


def source_not_opened(url: str, error: CouchError) -> FilterNotFetched:
    """``error`` is what opening the source of a filtered replication raises."""
    term = str(error.reason) if error.error == "error" else f'{{{error.error},<<"{url}">>}}'
    if error.error == "replication_auth_error":
        term = f"{{{error.error},{error.reason}}}"
    return FilterNotFetched(f"Could not open source database `{url}`: {term}")


def filter_code(ddoc: str, document: dict[str, Any] | None, name: str, url: str) -> Any:
    """Return the code of ``filters/name`` in a design document of the source. Raise FilterNotFetched without one."""
    if document is None:
        raise FilterNotFetched(
            f'Couldn\'t open document `_design/{ddoc}` from source database `{url}`: {{error,<<"not_found">>}}'
        )
    code: Any = document
    for member in ("filters", name):
        if not isinstance(code, dict):
            raise _unreadable_code(ddoc, url, "{not_found,json_mismatch}")
        if member not in code:
            raise _unreadable_code(ddoc, url, f'{{not_found,<<"missing json key: {member}">>}}')
        code = code[member]
    if not isinstance(code, str):
        raise _unreadable_code(ddoc, url, "badarg")
    return code


def _unreadable_code(ddoc: str, url: str, term: str) -> FilterNotFetched:
    return FilterNotFetched(f"Couldn't parse filter code from document {ddoc} on `{url}`  Error: {term}")
