"""``/_node/{node}``: configuration, statistics and versions of the one node. CouchDB documentation, "Server API"."""

from __future__ import annotations

import gc
import platform
import re
import sys
import threading
import time
from typing import Any

from couchfake.auth.passwords import HASHES
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, body_response, json_response
from couchfake.errors import BadRequest, CouchError, NotFound
from couchfake.node.node import NODE_NAME


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
