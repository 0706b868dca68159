"""Errors of a replication as the answer to ``_replicate`` tells them."""

from __future__ import annotations

from couchfake.errors import CouchError


def revs_diff_failed(error: CouchError) -> CouchError:
    """The target would not say what it lacks: the reason is the answer in Erlang's notation, broken into lines."""
    return CouchError(
        500,
        "error",
        f"{{revs_diff_failed,{error.status},\n"
        f'                  {{[{{<<"error">>,<<"{error.error}">>}},\n'
        f'                    {{<<"reason">>,\n                     <<"{error.reason}">>}}]}}}}',
    )


def db_not_found(url: str) -> CouchError:
    return CouchError(500, "db_not_found", f"could not open {url}")
