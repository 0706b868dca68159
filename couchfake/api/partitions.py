"""Partitions of a database: ``_partition/{partition}`` and requests within one.

CouchDB documentation, "Partitioned Databases".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from couchfake.chttpd.parameters import Parameters
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, NotFound
from couchfake.storage.database import Database
from couchfake.storage.partitions import check_partition, partition_entries
from couchfake.storage.sizes import LEAF_OVERHEAD

Result = TypeVar("Result")


def incomplete(request: Request) -> Response:
    """``/{db}/_partition``"""
    raise BadRequest("invalid_partition_req")


def check_name(request: Request, partition: str) -> None:
    """Refuse a name that no partition can have. The real server does so before it looks at the method."""
    check_partition(partition)


def info(request: Request, partition: str) -> Response:
    """``GET /{db}/_partition/{partition}``: its counts and sizes."""
    _require_partitioned(request.db)
    return json_response(partition_info(request.db, partition))


def no_check(request: Request, **_: Any) -> None:
    """Check nothing; ``within(no_check)`` checks the partition before the method is looked at."""


def unknown(request: Request, partition: str, rest: list[str]) -> Response:
    """Other paths inside a partition."""
    _enter(request, partition)
    raise NotFound("missing")


def within(endpoint: Callable[..., Result]) -> Callable[..., Result]:
    """Return the endpoint inside a partition, which it finds in the parameter ``partition``."""

    def inside(request: Request, partition: str, **captured: Any) -> Result:
        _enter(request, partition)
        return endpoint(request, **captured)

    return inside


def _enter(request: Request, name: str) -> None:
    _require_partitioned(request.db)
    check_partition(name)
    if request.parameters.get("partition", name) != name:
        raise BadRequest("Conflicting value for `partition` in query string")
    request.parameters = Parameters(pairs=sorted({**request.parameters.as_dict(), "partition": name}.items()))


def _require_partitioned(db: Database) -> None:
    if not db.partitioned:
        raise BadRequest("database is not partitioned")


def partition_info(db: Database, name: str) -> dict[str, Any]:
    with db.lock:
        entries = partition_entries(db, name)
        size = sum(entry.size() for entry in entries)
        active = size + LEAF_OVERHEAD * sum(len(entry.leaves()) for entry in entries)
        deleted = sum(entry.deleted for entry in entries)
    return {
        "db_name": db.name,
        "sizes": {"active": active, "external": size},
        "partition": name,
        "doc_count": len(entries) - deleted,
        "doc_del_count": deleted,
    }
