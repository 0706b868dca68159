"""Replication on request. CouchDB documentation, "Server API: /_replicate"."""

from __future__ import annotations

from typing import Any

from couchfake.auth.permissions import require_authenticated
from couchfake.errors import BadRequest, CouchError, MethodNotAllowed, NotFound
from couchfake.http.request import Request
from couchfake.http.responses import Response, json_response
from couchfake.replicator.request import read_request
from couchfake.replicator.service import Replicator


def _replicator(request: Request) -> Replicator:
    replicator = request.node.replicator
    assert isinstance(replicator, Replicator)
    return replicator


def replicate(request: Request) -> Response:
    """``POST /_replicate``: run a replication to its end, start a continuous one, or cancel one."""
    if request.verb != "POST":
        if not request.body:
            raise BadRequest("Missing request body")
        raise MethodNotAllowed("POST")
    request.require_json_type()
    body = request.json_object()
    require_authenticated(request.user)
    if body.get("cancel") is True:
        return _cancel(request, body)
    asked = read_request(body, request.node.uuid)
    job = _replicator(request).running.start(asked, request.user, request.base_uri)
    if asked.options.continuous:
        return json_response({"ok": True, "_local_id": job.id}, 202)
    job.finished.wait()
    if job.error is not None:
        raise job.error
    return json_response({"ok": True, **(job.result or {})})


def _cancel(request: Request, body: dict[str, Any]) -> Response:
    job_id = body.get("replication_id", body.get("id", body.get("_local_id")))
    if job_id is None:
        if "source" not in body or "target" not in body:
            raise CouchError(500, "error", "Missing replicator database")
        job_id = read_request(body, request.node.uuid).job_id
    job = _replicator(request).running.get(str(job_id).replace(" ", "+"))
    if job is None:
        raise NotFound()
    job.cancel()
    return json_response({"ok": True, "_local_id": job.id})
