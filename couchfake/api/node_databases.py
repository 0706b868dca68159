"""The databases that a node keeps for itself: ``_dbs`` (where databases are), ``_nodes``, and the list of all files.

``/_node/{node}/_dbs``, ``_nodes`` and ``_all_dbs``. They are derived from the server's state, and only read.
Source: CouchDB documentation, "Shard Management".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from couchfake.api.shards import named_range, ranges
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import NotFound
from couchfake.node.node import NODE_NAME, Node
from couchfake.storage.database import Database
from couchfake.storage.revision_ids import revision_hash

Documents = dict[str, dict[str, Any]]
"""Bodies by id."""


def dbs(request: Request, node: str, rest: list[str]) -> Response:
    """``_dbs``: for each database the document that maps its shards to nodes."""
    return _database(request, "_dbs", rest, _shard_maps)


def nodes(request: Request, node: str, rest: list[str]) -> Response:
    """``_nodes``: a document for each node."""
    return _database(request, "_nodes", rest, lambda node: {NODE_NAME: {}})


def all_dbs(request: Request, node: str) -> Response:
    """``_all_dbs``: the node's own databases and the shards of all others."""
    databases = [request.node.database(name) for name in request.node.names()]
    found = [_shard_name(database, *each) for database in databases for each in ranges(database)]
    return json_response(sorted(["_dbs", "_nodes", *found]))


def _database(request: Request, name: str, rest: list[str], read: Callable[[Node], Documents]) -> Response:
    documents = read(request.node)
    match rest:
        case []:
            return json_response(_info(request.node, name, len(documents)))
        case ["_all_docs"]:
            rows = [{"id": each, "key": each, "value": {"rev": _rev(documents[each])}} for each in sorted(documents)]
            return json_response({"total_rows": len(rows), "offset": 0, "rows": rows})
        case [docid] if docid in documents:
            return json_response({"_id": docid, "_rev": _rev(documents[docid]), **documents[docid]})
    raise NotFound("missing")


def _rev(body: dict[str, Any]) -> str:
    return "1-" + revision_hash(False, None, body)


def _info(node: Node, name: str, count: int) -> dict[str, Any]:
    return {
        "db_name": name,
        "engine": "couch_bt_engine",
        "doc_count": count,
        "doc_del_count": 0,
        "update_seq": count,
        "purge_seq": 0,
        "compact_running": False,
        "sizes": {"active": 0, "external": 0, "file": 0},
        "instance_start_time": str(int(node.started)),
        "disk_format_version": 8,
        "committed_update_seq": count,
        "compacted_seq": 0,
        "props": {},
        "uuid": node.uuid,
    }


def _shard_maps(node: Node) -> Documents:
    return {name: _shard_map(node.database(name)) for name in node.names()}


def _shard_map(database: Database) -> dict[str, Any]:
    named = [named_range(*each) for each in ranges(database)]
    return {
        "shard_suffix": list(_suffix(database).encode("ascii")),
        "changelog": [["add", each, NODE_NAME] for each in named],
        "by_node": {NODE_NAME: named},
        "by_range": {each: [NODE_NAME] for each in named},
        "props": dict(database.props),
    }


def _suffix(database: Database) -> str:
    return f".{int(database.created)}"


def _shard_name(database: Database, first: int, last: int) -> str:
    return f"shards/{named_range(first, last)}/{database.name}{_suffix(database)}"
