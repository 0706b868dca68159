"""The filter that a request for changes names, with what it takes from query string and body."""

from __future__ import annotations

from typing import Any

from couchfake.api.function_request import function_request
from couchfake.changes.filters import DesignDocuments, DocIds, Filter, Selector, filter_function, view_filter
from couchfake.chttpd.parameters import unquote
from couchfake.chttpd.request import Request
from couchfake.errors import BadRequest, Crash
from couchfake.settings import CHANGES_DOC_IDS_OPTIMIZATION_THRESHOLD, QUERY_REVS_LIMIT


def read_filter(request: Request, name: str, body: dict[str, Any] | None) -> Filter | None:
    """The filter of that name; None for all changes. ``body`` is the request's, None if there is none.

    Errors: BadRequest for unknown names and unfit arguments, NotFound for design functions that are not there.
    """
    if name == "_doc_ids":
        return _doc_ids(request, body)
    if name == "_selector":
        return _selector(request, body)
    if name == "_design":
        return DesignDocuments()
    if name == "_view":
        return _view(request)
    if name.startswith("_"):
        raise BadRequest("unknown builtin filter name")
    parts = _parts(name)
    if not parts:
        return None
    if len(parts) != 2:
        raise BadRequest("`filter` must be of the form `designname/filtername`")
    ddoc, function = parts
    return filter_function(
        request.node.query_server,
        request.db,
        ddoc,
        function,
        lambda: function_request(request, body=body),
        _revs_limit(request),
    )


def _parts(name: str) -> list[str]:
    """``ddoc/function``, each part escaped once more than the parameter as a whole."""
    raw = name.encode("utf-8", "surrogateescape").decode("latin-1")
    return [unquote(part) for part in raw.split("/") if part]


def _body(request: Request, body: dict[str, Any] | None) -> dict[str, Any]:
    return request.json_object() if body is None else body


def _doc_ids(request: Request, body: dict[str, Any] | None) -> Filter:
    if request.verb == "POST":
        ids = _body(request, body).get("doc_ids")
    else:
        ids = request.parameters.json("doc_ids")
    if not isinstance(ids, list) or not all(isinstance(docid, str) for docid in ids):
        raise BadRequest("`doc_ids` filter parameter is not a list of doc ids.")
    return DocIds(ids, request.node.config[CHANGES_DOC_IDS_OPTIMIZATION_THRESHOLD])


def _selector(request: Request, body: dict[str, Any] | None) -> Filter:
    if request.verb != "POST":
        raise BadRequest("Selector must be specified in POST payload")
    members = _body(request, body)
    chosen = Selector(members.get("selector"), members.get("fields"), request.node.collator)
    if members.get("fields", []) is None:  # null is not the same as nothing
        raise BadRequest("Selector error: fields must be JSON array")
    return chosen


def _view(request: Request) -> Filter:
    name = request.parameters.get("view", "")
    if not name:
        raise BadRequest("`view` filter parameter is not provided.")
    parts = _parts(name)
    if not parts:
        raise BadRequest("`view` must be of the form `designname/viewname`")
    if len(parts) != 2:
        raise Crash("case_clause", "".join(parts))
    ddoc, view = parts
    return view_filter(request.node.query_server, request.db, ddoc, view, _revs_limit(request))


def _revs_limit(request: Request) -> int:
    return request.node.config[QUERY_REVS_LIMIT]
