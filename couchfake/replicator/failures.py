"""Errors of a replication, as ``_replicate`` answers them."""

from __future__ import annotations

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


def no_source_for_filter(url: str) -> CouchError:
    """A filter function is fetched before anything else, and errors are answered as 404."""
    return NotFound(f"Could not open source database `{url}`")
