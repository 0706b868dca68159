"""Replication on request. CouchDB documentation, "Server API: /_replicate"."""

from __future__ import annotations

from couchfake.auth.permissions import require_authenticated
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, MethodNotAllowed


def replicate(request: Request) -> Response:
    """``POST /_replicate``: run a replication to its end, start a continuous one, or cancel one."""
    if request.verb != "POST" and not request.body:
        raise BadRequest("Missing request body")
    body = request.json_object()  # the real server reads it before it looks at the method
    if request.verb != "POST":
        raise MethodNotAllowed("POST")
    request.require_json_type()
    require_authenticated(request.user)
    answer = request.node.replications.replicate(body, request.user)
    started = body.get("continuous") is True and body.get("cancel") is not True
    return json_response({"ok": True, **answer}, 202 if started else 200)
