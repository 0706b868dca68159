"""``/_reshard``: splitting shards. Nothing is ever split here; state and checks are the real server's.

CouchDB documentation, "Server API: /_reshard".
"""

from __future__ import annotations

import re
from typing import Any

from couchfake.api.databases import shard_ranges
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, NotFound, NotSupported
from couchfake.node import NODE_NAME

_RANGE = re.compile(r"([0-9a-fA-F]{8})-([0-9a-fA-F]{8})")
_SHARD = re.compile(r"shards/([0-9a-fA-F]{8}-[0-9a-fA-F]{8})/(.+)\.[0-9]+")


def summary(request: Request) -> Response:
    """``GET /_reshard``"""
    state, reason = request.node.reshard_state
    counts = dict.fromkeys(("completed", "failed", "running", "stopped", "total"), 0)
    return json_response({"state": state, "state_reason": reason, **counts})


def get_state(request: Request) -> Response:
    """``GET /_reshard/state``"""
    state, reason = request.node.reshard_state
    return json_response({"state": state, "reason": reason})


def jobs(request: Request) -> Response:
    """``GET /_reshard/jobs``: there are never any."""
    return json_response({"total_rows": 0, "offset": 0, "jobs": []})


def no_job(request: Request, **_: Any) -> Response:
    """What names a job, or nothing at all."""
    raise NotFound()


def put_job_state(request: Request, job_id: str) -> Response:
    """``PUT /_reshard/jobs/{id}/state``: the state is checked before the job is looked up."""
    _wanted_state(request)
    raise NotFound()


def _wanted_state(request: Request) -> tuple[str, Any]:
    """``running`` or ``stopped``, and the reason that is given (or None)."""
    request.require_json_type()
    members = request.json_object()
    if "state" not in members:
        raise BadRequest("Expected a `state` field")
    if members["state"] not in ("running", "stopped"):
        raise BadRequest("State field not `running` or `stopped`")
    return members["state"], members.get("reason", "Cluster-wide resharding stopped by the user")


def put_state(request: Request) -> Response:
    """``PUT /_reshard/state``"""
    state, reason = _wanted_state(request)
    request.node.reshard_state = ("running", None) if state == "running" else ("stopped", reason)
    return json_response({"ok": True})


def post_job(request: Request) -> Response:
    """``POST /_reshard/jobs``: each member is checked by itself, missing ones and the type of the job last."""
    request.require_json_type()
    job = request.json_object()
    _check_node(job)
    found = _read_shard(job)
    name = _read_db(request, job)
    wanted = _read_range(job)
    if job.get("type") != "split":
        raise BadRequest("`job type must be `split`")
    if found is None and name is None:
        raise BadRequest("Must specify at least `db` or `shard`")
    if found is not None and name is not None:
        raise BadRequest("`db` and `shard` are mutually exclusive")
    if found is not None:
        _require_range(request, found[2], found[1])
    elif name is not None and wanted is not None:
        _require_range(request, name, wanted)
    raise NotSupported("couchfake does not split shards")


def _check_node(job: dict[str, Any]) -> None:
    if "node" not in job or job["node"] == NODE_NAME:
        return
    raise BadRequest("`node` is not a valid node name" if isinstance(job["node"], str) else "Invalid `node`")


def _read_shard(job: dict[str, Any]) -> re.Match[str] | None:
    if "shard" not in job:
        return None
    if not isinstance(job["shard"], str):
        raise BadRequest("Invalid `shard`")
    found = _SHARD.fullmatch(job["shard"])
    if found is None:
        raise BadRequest("`shard` is invalid")
    return found


def _read_db(request: Request, job: dict[str, Any]) -> str | None:
    if "db" not in job:
        return None
    name = job["db"]
    if not isinstance(name, str) or name not in request.node.databases:
        raise BadRequest("Invalid `db`")
    return name


def _read_range(job: dict[str, Any]) -> str | None:
    if "range" not in job:
        return None
    wanted = job["range"]
    found = _RANGE.fullmatch(wanted) if isinstance(wanted, str) else None
    if found is None or int(found[1], 16) >= int(found[2], 16):
        raise BadRequest("Invalid `range`")
    return str(wanted)


def _require_range(request: Request, name: str, wanted: str) -> None:
    first, last = (int(end, 16) for end in wanted.split("-"))
    if (first, last) not in shard_ranges(request.node.database(name)):
        raise NotFound()
