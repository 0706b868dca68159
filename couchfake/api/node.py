"""``/_node/{node}``: configuration, statistics and versions of the one node. CouchDB documentation, "Server API"."""

from __future__ import annotations

import gc
import platform
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from couchfake.api import node_databases
from couchfake.auth.passwords import HASHES
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, body_response, json_response
from couchfake.errors import BadRequest, CouchError, MethodNotAllowed, NotFound
from couchfake.node.node import NODE_NAME


def node(request: Request, rest: list[str]) -> Response:
    """Everything below ``/_node``. ``_local`` is the node itself."""
    if not rest:
        raise BadRequest("Incomplete path to _node request")
    name, *below = rest
    if name not in ("_local", NODE_NAME):
        raise NotFound(f"no such node: {name}")
    if not below:
        return json_response({"name": NODE_NAME})
    handler = _HANDLERS.get(below[0])
    if handler is None or not _is_complete(request.verb, below):
        # What the node does not know it takes for the name of a database of its own, and it has none.
        if re.fullmatch(r"[a-z][a-z0-9_$()+/-]*", below[0]):
            raise NotFound("no_db_file")
        raise CouchError(
            400,
            "illegal_database_name",
            f"Name: '{below[0]}'. Only lowercase characters (a-z), digits (0-9), and any of the characters"
            " _, $, (, ), +, -, and / are allowed. Must begin with a letter.",
        )
    return handler(request, below[1:])


def _is_complete(verb: str, below: list[str]) -> bool:
    """Whether the handler of the first part knows what follows it."""
    name, *rest = below
    match name:
        case "_config" | "_dbs" | "_nodes":
            return True
        case "_stats":
            return not rest or verb == "GET"
        case "_smoosh":
            return rest == ["status"]
    return not rest


def _only_get(request: Request) -> None:
    if request.verb != "GET":
        raise MethodNotAllowed("GET")


# Configuration


def _config(request: Request, rest: list[str]) -> Response:
    config = request.node.config
    match rest:
        case []:
            _only_get(request)
            return json_response(config.as_dict())
        case ["_reload"]:
            if request.verb != "POST":
                raise MethodNotAllowed("POST")
            config.reload()
            return json_response({"ok": True})
        case [section]:
            _only_get(request)
            return json_response(config.section(section))
        case [section, key]:
            return _config_value(request, section, key)
    raise NotFound()


def _config_value(request: Request, section: str, key: str) -> Response:
    config, persist = request.node.config, request.environ.get("HTTP_X_COUCH_PERSIST") != "false"
    if request.verb == "GET":
        value = config.shown(section, key)
        if value is None:
            raise NotFound("unknown_config_value")
        return json_response(value)
    if request.verb == "PUT":
        config.refuse_locked(section)
        value = request.json()
        if not isinstance(value, str):
            raise BadRequest("a JSON string expected")
        return json_response(config.set(section, key, value, persist=persist))
    if request.verb == "DELETE":
        config.refuse_locked(section)
        return json_response(config.delete(section, key, persist=persist))
    raise MethodNotAllowed("GET,PUT,DELETE")


# Statistics


def _counted_elsewhere(request: Request) -> dict[str, int]:
    node = request.node
    return {"open_databases": len(node.databases), **node.activity().counters()}


def _stats(request: Request, rest: list[str]) -> Response:
    """A branch of the tree, ``null`` where there is none."""
    _only_get(request)
    value: Any = request.node.stats.tree(**_counted_elsewhere(request))
    for name in rest:
        value = value.get(name) if isinstance(value, dict) else None
    return json_response(value)


def _prometheus(request: Request, rest: list[str]) -> Response:
    _only_get(request)
    text = request.node.stats.prometheus(**_counted_elsewhere(request))
    uptime = int(request.node.clock() - request.node.started)
    text += f"# TYPE couchdb_uptime_seconds counter\ncouchdb_uptime_seconds {uptime}\n"
    return body_response(text.encode("utf-8"), "text/plain; version=2.0")


def _system(request: Request, rest: list[str]) -> Response:
    """The node's runtime, as far as Python's is like Erlang's."""
    _only_get(request)
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


def _versions(request: Request, rest: list[str]) -> Response:
    _only_get(request)
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


def _smoosh(request: Request, rest: list[str]) -> Response:
    """The compaction daemon: there is nothing on a disk to compact."""
    _only_get(request)
    return json_response({"channels": {}})


def _restart(request: Request, rest: list[str]) -> Response:
    """Accepted, and nothing happens: a server in a test that lost its databases would be of no use."""
    if request.verb != "POST":
        raise MethodNotAllowed("POST")
    return json_response({"ok": True})


_HANDLERS: dict[str, Callable[[Request, list[str]], Response]] = {
    "_config": _config,
    "_stats": _stats,
    "_prometheus": _prometheus,
    "_system": _system,
    "_versions": _versions,
    "_smoosh": _smoosh,
    "_restart": _restart,
    "_dbs": node_databases.dbs,
    "_nodes": node_databases.nodes,
    "_all_dbs": node_databases.all_dbs,
}
