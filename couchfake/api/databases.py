"""Databases: making, deleting, information, housekeeping, security, shards. CouchDB documentation, "Database API"."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any

from couchfake.auth import users
from couchfake.auth.permissions import is_database_admin, is_security_object, require_server_admin
from couchfake.chttpd.parameters import quote
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, CouchError, Forbidden, ServerError
from couchfake.node import NODE_NAME, SYSTEM_DATABASES
from couchfake.settings import USERS_DB_SECURITY_EDITABLE
from couchfake.storage.database import Database
from couchfake.values.erlang import read_integer

_COMPACTION = 1
"""Seconds that compacting a database seems to take."""


def create(request: Request) -> Response:
    """``PUT /{db}``. The parameters are looked at before the name and whether the database exists."""
    require_server_admin(request.user)
    [name] = request.segments
    props = _creation_options(request)
    if "partitioned" in props and (name in SYSTEM_DATABASES or name.rpartition("/")[2] in ("_replicator", "_users")):
        raise BadRequest("Cannot partition a system database")
    if "placement" in request.parameters and name not in request.node.databases:
        request.node.check_name(name)
        raise ServerError("no_nodes_in_zone")  # this node, the only one, is in no zone
    q = request.parameters.get("q")
    request.node.create_database(name, props, read_integer(q) if q else None)
    return json_response({"ok": True}, 201, {"Location": f"{request.base_uri}/{quote(name)}"})


def _creation_options(request: Request) -> dict[str, Any]:
    parameters = request.parameters
    for name in ("n", "q"):
        value = parameters.get(name)
        if value is not None and not re.fullmatch(r"\+?0*[1-9][0-9]*", value):
            raise BadRequest(f"The `{name}` value should be a positive integer.")
    placement = parameters.get("placement")
    if placement is not None and not re.fullmatch(r"[^:,]+:0*[1-9][0-9]*(,[^:,]+:0*[1-9][0-9]*)*", placement):
        raise BadRequest("The `placement` value should be in a format `zone:n`.")
    if parameters.get("engine", "couch") != "couch":
        raise BadRequest("invalid_engine_extension")
    partitioned = parameters.get("partitioned", "false")
    if partitioned not in ("true", "false"):
        raise BadRequest("Invalid `partitioned` parameter")
    return {"partitioned": True} if partitioned == "true" else {}


def delete(request: Request) -> Response:
    """``DELETE /{db}``. A ``rev`` means that a document was meant, its id being empty by mistake."""
    require_server_admin(request.user)
    [name] = request.segments
    if "rev" in request.parameters:
        raise BadRequest(
            "You tried to DELETE a database with a ?=rev parameter. Did you mean to DELETE a document instead?"
        )
    request.node.delete_database(name)
    return json_response({"ok": True})


def info(request: Request) -> Response:
    """``GET /{db}``. The real server compacts in the background: who asks first and at once, hears so."""
    answer = database_info(request.db)
    compacted, request.db.compacted = request.db.compacted, None
    answer["compact_running"] = compacted is not None and request.node.clock() - compacted < _COMPACTION
    return json_response(answer)


def database_info(database: Database) -> dict[str, Any]:
    with database.lock:
        return {
            "instance_start_time": str(int(database.created)),
            "db_name": database.name,
            "purge_seq": database.pack_seq(database.purge_seq),
            "update_seq": database.pack_seq(database.update_seq),
            "sizes": database.sizes(),
            "props": dict(database.props),
            "doc_del_count": database.doc_del_count,
            "doc_count": database.doc_count,
            "disk_format_version": 8,
            "compact_running": False,
            "cluster": {"q": database.q, "n": 1, "w": 1, "r": 1},
        }


def compact(request: Request) -> Response:
    """``POST /{db}/_compact``: drop the bodies of old revisions."""
    request.require_json_type()
    request.db.compact()
    request.db.compacted = request.node.clock()
    return json_response({"ok": True}, 202)


def ensure_full_commit(request: Request) -> Response:
    """``POST /{db}/_ensure_full_commit``: everything is always committed."""
    request.require_json_type()
    return json_response({"ok": True, "instance_start_time": str(int(request.db.created))}, 201)


def temp_view(request: Request) -> Response:
    raise CouchError(410, "gone", "Temporary views are not supported in CouchDB")


# ``_security``: who are members and admins of a database


def get_security(request: Request) -> Response:
    """``GET /{db}/_security``"""
    return json_response(request.db.security)


def put_security(request: Request) -> Response:
    """``PUT /{db}/_security``. Each shard refuses a wrong object, or a user without the right, by itself; the
    request's handler sees only that too few agreed, and answers ``no_majority`` in either case."""
    config = request.node.config
    if request.db.name == users.db_name(config) and not config[USERS_DB_SECURITY_EDITABLE]:
        raise Forbidden("You can't edit the security object of the user database.")
    security: Any = request.json()
    with request.db.lock:
        if not is_database_admin(request.user, request.db.security) or not is_security_object(security):
            raise CouchError(500, "error", "no_majority")
        request.db.change_setting(security=security)
    return json_response({"ok": True})


# Where the documents of a database are: ``_shards`` and ``_sync_shards``. Shards are ranges only.


_HASHES = 1 << 32


def shard_ranges(database: Database) -> Iterator[tuple[int, int]]:
    """Yield the first and last hash of each shard."""
    count = database.q
    size = _HASHES // count
    for place in range(count):
        yield place * size, (place + 1) * size - 1 if place < count - 1 else _HASHES - 1


def range_name(first: int, last: int) -> str:
    """Return the name of a shard's range of hashes."""
    return f"{first:08x}-{last:08x}"


def shards(request: Request) -> Response:
    """``GET /{db}/_shards``"""
    return json_response({"shards": {range_name(*each): [NODE_NAME] for each in shard_ranges(request.db)}})


def shard_of(request: Request, docid: str) -> Response:
    """``GET /{db}/_shards/{docid}``"""
    hashed_part = docid.partition(":")[0] if request.db.partitioned else docid
    hashed = zlib.crc32(hashed_part.encode("utf-8", "surrogateescape"))
    [found] = [each for each in shard_ranges(request.db) if each[0] <= hashed <= each[1]]
    return json_response({"range": range_name(*found), "nodes": [NODE_NAME]})


def no_shard(request: Request, rest: list[str]) -> Response:
    """A design document's id has a slash, and the real server breaks on it here, with any method."""
    raise ServerError("function_clause")


def sync_shards(request: Request, rest: list[str]) -> Response:
    """``POST /{db}/_sync_shards``: nothing to do, and accepted as the real server does."""
    return json_response({"ok": True}, 202)
