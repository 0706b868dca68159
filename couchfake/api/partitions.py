"""Partitions of a database: ``_partition/{partition}`` and what can be asked inside one.

CouchDB documentation, "Partitioned Databases".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from couchfake.chttpd.parameters import Parameters
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, MethodNotAllowed, NotFound
from couchfake.storage.database import Database
from couchfake.storage.full_partitions import partition_entries
from couchfake.storage.partitions import check_partition
from couchfake.storage.sizes import LEAF_OVERHEAD


def partition(request: Request, rest: list[str]) -> Response:
    """``GET /{db}/_partition/{partition}``: its counts and sizes. Nothing else stands right behind ``_partition``."""
    if not rest:
        raise BadRequest("invalid_partition_req")
    if len(rest) > 1:
        _enter(request, rest[0])
        raise NotFound("missing")
    check_partition(rest[0])
    if request.verb != "GET":
        raise MethodNotAllowed("GET")
    _require_partitioned(request.db)
    return json_response(partition_info(request.db, rest[0]))


def within(endpoint: Callable[..., Response]) -> Callable[..., Response]:
    """The endpoint inside a partition, which it finds in the parameter ``partition``."""

    def inside(request: Request, partition: str, **captured: Any) -> Response:
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
