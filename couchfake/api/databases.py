"""Databases: making, deleting, information, housekeeping. CouchDB documentation, "Database API"."""

from __future__ import annotations

import re
from typing import Any

from couchfake.auth.permissions import require_server_admin
from couchfake.chttpd.parameters import quote
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, CouchError, ServerError
from couchfake.node.node import SYSTEM_DATABASES
from couchfake.settings import CLUSTER_Q
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
    database = request.node.create_database(name, props)
    config = request.node.config
    q = request.parameters.get("q")
    database.q = read_integer(q) if q else config[CLUSTER_Q]
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
    """``POST /{db}/_compact``: bodies of old revisions go."""
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
