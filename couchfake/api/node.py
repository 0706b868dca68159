"""``/_node/{node}``: configuration, statistics, versions and own databases of the one node.

CouchDB documentation, "Server API".
"""

from __future__ import annotations

import gc
import platform
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from couchfake.api.databases import range_name, shard_ranges
from couchfake.auth.passwords import HASHES
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, body_response, json_response
from couchfake.errors import BadRequest, CouchError, NotFound
from couchfake.node import NODE_NAME, Node
from couchfake.storage.database import Database
from couchfake.storage.revision_ids import revision_hash


def require_node(request: Request, node: str, **_: Any) -> None:
    """Refuse the name of another node; ``_local`` is the node itself. The real server does so first."""
    if node not in ("_local", NODE_NAME):
        raise NotFound(f"no such node: {node}")


def incomplete(request: Request) -> Response:
    """``/_node``"""
    raise BadRequest("Incomplete path to _node request")


def name(request: Request, node: str) -> Response:
    """``/_node/{node}``, with any method."""
    return json_response({"name": NODE_NAME})


def unknown(request: Request, node: str, rest: list[str]) -> Response:
    """What the node does not know is taken for the name of a database of its own, of which it has none."""
    if re.fullmatch(r"[a-z][a-z0-9_$()+/-]*", rest[0]):
        raise NotFound("no_db_file")
    raise CouchError(
        400,
        "illegal_database_name",
        f"Name: '{rest[0]}'. Only lowercase characters (a-z), digits (0-9), and any of the characters"
        " _, $, (, ), +, -, and / are allowed. Must begin with a letter.",
    )


# Configuration


def config(request: Request, node: str) -> Response:
    """``GET /_node/{node}/_config``"""
    return json_response(request.node.config.as_dict())


def reload_config(request: Request, node: str) -> Response:
    """``POST /_node/{node}/_config/_reload``: forget what was set for this run only."""
    request.node.config.reload()
    return json_response({"ok": True})


def config_section(request: Request, node: str, section: str) -> Response:
    """``GET /_node/{node}/_config/{section}``"""
    return json_response(request.node.config.section(section))


def config_value(request: Request, node: str, section: str, key: str) -> Response:
    """``GET /_node/{node}/_config/{section}/{key}``"""
    value = request.node.config.shown(section, key)
    if value is None:
        raise NotFound("unknown_config_value")
    return json_response(value)


def set_config_value(request: Request, node: str, section: str, key: str) -> Response:
    """``PUT /_node/{node}/_config/{section}/{key}``: a JSON string; the response is the old value."""
    request.node.config.refuse_locked(section)
    value = request.json()
    if not isinstance(value, str):
        raise BadRequest("a JSON string expected")
    return json_response(request.node.config.set(section, key, value, persist=_persists(request)))


def delete_config_value(request: Request, node: str, section: str, key: str) -> Response:
    """``DELETE /_node/{node}/_config/{section}/{key}``: the response is the old value."""
    request.node.config.refuse_locked(section)
    return json_response(request.node.config.delete(section, key, persist=_persists(request)))


def no_config(request: Request, node: str, rest: list[str]) -> Response:
    """Longer paths below ``_config``."""
    raise NotFound()


def _persists(request: Request) -> bool:
    return request.header("X-Couch-Persist") != "false"


# Statistics


def _counted_elsewhere(request: Request) -> dict[str, int]:
    node = request.node
    return {"open_databases": len(node.databases), **node.activity().counters()}


def stats(request: Request, node: str, rest: list[str]) -> Response:
    """``GET /_node/{node}/_stats/{…}``: a branch of the tree, ``null`` if it does not exist."""
    value: Any = request.node.stats.tree(**_counted_elsewhere(request))
    for name in rest:
        value = value.get(name) if isinstance(value, dict) else None
    return json_response(value)


def all_stats(request: Request, node: str) -> Response:
    """``GET /_node/{node}/_stats``"""
    return stats(request, node, [])


def unknown_stats(request: Request, node: str, rest: list[str]) -> Response:
    """A branch of the statistics with another method than GET."""
    return unknown(request, node, ["_stats", *rest])


def prometheus(request: Request, node: str) -> Response:
    text = request.node.stats.prometheus(**_counted_elsewhere(request))
    uptime = int(request.node.clock() - request.node.started)
    text += f"# TYPE couchdb_uptime_seconds counter\ncouchdb_uptime_seconds {uptime}\n"
    return body_response(text.encode("utf-8"), "text/plain; version=2.0")


def system(request: Request, node: str) -> Response:
    """The node's runtime, as far as Python's is like Erlang's."""
    memory = sum(stat["collected"] for stat in gc.get_stats())
    counts = dict.fromkeys(("run_queue", "run_queue_dirty_cpu", "ets_table_count", "context_switches"), 0)
    return json_response(
        {
            "uptime": int(request.node.clock() - request.node.started),
            "memory": dict.fromkeys(
                ("other", "atom", "atom_used", "processes", "processes_used", "binary", "code", "ets"), 0
            ),
            **counts,
            "reductions": int(time.process_time() * 1_000_000),
            "garbage_collection_count": sum(stat["collections"] for stat in gc.get_stats()),
            "words_reclaimed": memory,
            "io_input": 0,
            "io_output": 0,
            "os_proc_count": 0,
            "stale_proc_count": 0,
            "process_count": threading.active_count(),
            "process_limit": sys.maxsize,
            "message_queues": {"couch_file": {}, "couch_db_updater": {}},
            "internal_replication_jobs": 0,
            "distribution": {},
            "distribution_events": {"down": [], "up": []},
        }
    )


def versions(request: Request, node: str) -> Response:
    collator = request.node.collator
    driver = "libicu" if collator.name == "icu" else collator.name
    return json_response(
        {
            "javascript_engine": {"name": request.node.query_server.engine_name},
            "erlang": {"version": f"Python {platform.python_version()}", "supported_hashes": _hashes()},
            "collation_driver": {"name": driver, "library_version": collator.version},
        }
    )


def _hashes() -> list[str]:
    """What ``hash_algorithms`` may name."""
    return list(HASHES)


def smoosh(request: Request, node: str) -> Response:
    """The compaction daemon: there is nothing on a disk to compact."""
    return json_response({"channels": {}})


def restart(request: Request, node: str) -> Response:
    """Accept, and do nothing: a server in a test that lost its databases would be of no use."""
    return json_response({"ok": True})


# The databases that a node keeps for itself: ``_dbs`` (where databases are), ``_nodes``, and the list of all files
#
# They are derived from the server's state, and only read. Source: CouchDB documentation, "Shard Management".


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
    found = [_shard_name(database, *each) for database in databases for each in shard_ranges(database)]
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
    named = [range_name(*each) for each in shard_ranges(database)]
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
    return f"shards/{range_name(first, last)}/{database.name}{_suffix(database)}"
