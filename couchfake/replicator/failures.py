"""Errors of a replication, as ``_replicate`` answers them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from couchfake.errors import CouchError, NotFound


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
