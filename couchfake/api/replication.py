"""Replication on request. CouchDB documentation, "Server API: /_replicate"."""

from __future__ import annotations

from couchfake.auth.permissions import require_authenticated, require_server_admin
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import MethodNotAllowed, NotFound
from couchfake.replicator.jobs import Job
from couchfake.replicator.refusals import Refused
from couchfake.replicator.request import job_to_cancel, read_request
from couchfake.replicator.service import Replicator


def _replicator(request: Request) -> Replicator:
    replicator = request.node.replicator
    assert isinstance(replicator, Replicator)
    return replicator


def replicate(request: Request) -> Response:
    """``POST /_replicate``: run a replication to its end, start a continuous one, or cancel one."""
    body = request.json_object()  # the real server reads the body before it looks at the method: hence ANY in the table
    if request.verb != "POST":
        raise MethodNotAllowed("POST")
    request.require_json_type()
    require_authenticated(request.user)
    try:
        job_id = job_to_cancel(body, request.node)
        if job_id is not None:
            return _cancel(request, job_id)
        asked = read_request(body, request.node)
    except Refused as refused:
        raise refused.answer from None
    jobs = _replicator(request).running
    _require_own(request, jobs.get(asked.job_id))
    job = jobs.start(asked, request.user, request.base_uri)
    if asked.options.continuous:
        return json_response({"ok": True, "_local_id": job.id}, 202)
    job.finished.wait()
    if job.error is not None:
        raise job.error
    return json_response({"ok": True, **(job.result or {})})


def _cancel(request: Request, job_id: str) -> Response:
    job = _replicator(request).running.get(job_id)
    if job is None:
        raise NotFound()
    _require_own(request, job)
    job.cancel()
    return json_response({"ok": True, "_local_id": job.id})


def _require_own(request: Request, job: Job | None) -> None:
    """A replication that runs is its starter's and the admins'."""
    if job is not None and job.user.name != request.user.name:
        require_server_admin(request.user)
