"""Replications: ``/_replicate``, and ``/_scheduler``, which lists those that run.

Jobs and documents are shown in the order in which ``node.replications`` returns them.
Source: CouchDB documentation, "Server API: /_replicate" and "/_scheduler".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from couchfake.auth.permissions import require_authenticated
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadRequest, MethodNotAllowed, NotFound, QueryParseError
from couchfake.replicator.service import is_replicator_database
from couchfake.values.erlang import INTEGER, read_integer
from couchfake.views.options import of_query

STATES = ("initializing", "error", "running", "pending", "crashing", "completed", "failed")


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


def unknown(request: Request, rest: list[str]) -> Response:
    """Everything else below ``/_scheduler``."""
    return json_response({"error": "not found"}, 404)


def jobs(request: Request) -> Response:
    """``GET /_scheduler/jobs``"""
    found = request.node.replications.jobs()
    limit, skip = _natural(request, "limit", 100), _natural(request, "skip", 0)
    members = {"total_rows": len(found), "offset": min(skip, len(found)), "jobs": found[skip : skip + limit]}
    return json_response(members)


def job(request: Request, job_id: str) -> Response:
    """``GET /_scheduler/jobs/{id}``"""
    return json_response(
        _only(each for each in request.node.replications.jobs() if each["id"] == job_id.replace(" ", "+"))
    )


def docs(request: Request, path: list[str]) -> Response:
    """``GET /_scheduler/docs``: all documents, those of a database, or one. Names may have slashes, escaped or not."""
    if not path:
        return _list_docs(request, None)
    if is_replicator_database(path[-1]):
        return _list_docs(request, request.node.database("/".join(path)).name)
    if len(path) == 1 or not is_replicator_database(path[-2]):
        raise BadRequest("Invalid path")
    name, docid = request.node.database("/".join(path[:-1])).name, path[-1]
    found = request.node.replications.document(name, docid)
    return json_response(_only([] if found is None else [found]))


def _list_docs(request: Request, name: str | None) -> Response:
    wanted = [state for state in (request.parameters.get("states") or "").lower().split(",") if state]
    if any(state not in STATES for state in wanted):
        raise QueryParseError(f"States must be one or more of [{','.join(STATES)}]")
    options = of_query(request.parameters.pairs)
    documents = request.node.replications.documents(name)
    total = len(documents)  # of all of them, also with ``states``
    if options.descending:
        documents.reverse()
    documents = [each for each in documents if not wanted or each["state"] in wanted]
    end = None if options.limit is None else options.skip + options.limit
    offset = min(options.skip, total)
    return json_response({"total_rows": total, "offset": offset, "docs": documents[options.skip : end]})


def _only(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    for each in found:
        return each
    raise NotFound()


def _natural(request: Request, name: str, default: int) -> int:
    text = request.parameters.get(name)
    if text is None:
        return default
    if not INTEGER.fullmatch(text):
        raise QueryParseError(f"{name} must be an integer")
    number = read_integer(text)
    if number < 0:
        raise QueryParseError(f"{name} not in range of [0,infinity]")
    return number
