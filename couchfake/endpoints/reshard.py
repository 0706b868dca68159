"""``/_reshard``: splitting shards. Nothing is ever split here; state and checks are the real server's.

CouchDB documentation, "Server API: /_reshard".
"""

from __future__ import annotations

import re
from typing import Any

from couchfake.endpoints.shards import ranges
from couchfake.errors import BadRequest, MethodNotAllowed, NotFound, NotSupported
from couchfake.http.request import Request
from couchfake.http.responses import Response, json_response
from couchfake.node import NODE_NAME

_RANGE = re.compile(r"([0-9a-fA-F]{8})-([0-9a-fA-F]{8})")
_SHARD = re.compile(r"shards/([0-9a-fA-F]{8}-[0-9a-fA-F]{8})/(.+)\.[0-9]+")


def reshard(request: Request, rest: list[str]) -> Response:
    """Everything below ``/_reshard``."""
    match request.verb, rest:
        case "GET", []:
            state, reason = request.node.reshard_state
            counts = dict.fromkeys(("completed", "failed", "running", "stopped", "total"), 0)
            return json_response({"state": state, "state_reason": reason, **counts})
        case _, []:
            raise MethodNotAllowed("GET,HEAD")
        case "GET", ["state"]:
            state, reason = request.node.reshard_state
            return json_response({"state": state, "reason": reason})
        case "PUT", ["state"]:
            return _put_state(request)
        case _, ["state"]:
            raise MethodNotAllowed("GET,HEAD,PUT")
        case "GET", ["jobs"]:
            return json_response({"total_rows": 0, "offset": 0, "jobs": []})
        case "POST", ["jobs"]:
            return _post_job(request)
        case _, ["jobs"]:
            raise MethodNotAllowed("GET,HEAD,POST")
        case verb, ["jobs", _] if verb not in ("GET", "DELETE"):
            raise MethodNotAllowed("GET,HEAD,DELETE")
        case verb, ["jobs", _, "state"] if verb not in ("GET", "PUT"):
            raise MethodNotAllowed("GET,HEAD,PUT")
    raise NotFound()


def _put_state(request: Request) -> Response:
    request.require_json_type()
    members = request.json_object()
    if "state" not in members:
        raise BadRequest("Expected a `state` field")
    if members["state"] == "running":
        request.node.reshard_state = ("running", None)
    elif members["state"] == "stopped":
        reason = members.get("reason", "Cluster-wide resharding stopped by the user")
        request.node.reshard_state = ("stopped", reason)
    else:
        raise BadRequest("State field not `running` or `stopped`")
    return json_response({"ok": True})


def _post_job(request: Request) -> Response:
    request.require_json_type()
    job = request.json_object()
    if job.get("type") != "split":
        raise BadRequest("`job type must be `split`")
    node, shard = job.get("node"), job.get("shard")
    if node is not None and node != NODE_NAME:
        raise BadRequest("`node` is not a valid node name")
    if shard is not None:
        found = _SHARD.fullmatch(shard) if isinstance(shard, str) else None
        if found is None:
            raise BadRequest("Invalid `shard`")
        _require_range(request, found[2], found[1])
    else:
        _check_database(request, job)
    raise NotSupported("couchfake does not split shards")


def _check_database(request: Request, job: dict[str, Any]) -> None:
    if "db" not in job:
        raise BadRequest("Must specify at least `db` or `shard`")
    name, wanted = job["db"], job.get("range")
    if not isinstance(name, str) or name not in request.node.databases:
        raise BadRequest("Invalid `db`")
    if wanted is not None:
        if not isinstance(wanted, str) or not _RANGE.fullmatch(wanted):
            raise BadRequest("Invalid `range`")
        _require_range(request, name, wanted)


def _require_range(request: Request, name: str, wanted: str) -> None:
    first, last = (int(end, 16) for end in wanted.split("-"))
    if (first, last) not in ranges(request.node.database(name)):
        raise NotFound()
