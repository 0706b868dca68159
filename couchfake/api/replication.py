"""Replication on request. CouchDB documentation, "Server API: /_replicate"."""

from __future__ import annotations

from couchfake.auth.permissions import require_authenticated
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import MethodNotAllowed


def replicate(request: Request) -> Response:
    """``POST /_replicate``: run a replication to its end, start a continuous one, or cancel one."""
    body = request.json_object()  # the real server reads the body before it looks at the method: hence ANY in the table
    if request.verb != "POST":
        raise MethodNotAllowed("POST")
    request.require_json_type()
    require_authenticated(request.user)
    answer = request.node.replications.replicate(body, request.user)
    started = body.get("continuous") is True and body.get("cancel") is not True
    return json_response({"ok": True, **answer}, 202 if started else 200)
