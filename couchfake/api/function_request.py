"""The request object ``req`` of shows, lists, updates, filters and rewrites.

Source: CouchDB documentation, "Request object"; ``chttpd_external:json_req_obj/3``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couchfake.api.databases import database_info
from couchfake.chttpd.parameters import Parameters, unquote
from couchfake.chttpd.request import Request
from couchfake.values.json import read_json

_JSON_PARAMETERS = ("startkey", "endkey", "key", "descending")
_HIDDEN_HEADERS = ("Authorization", "Cookie")
_NOT_IN_REWRITES = ("info", "uuid", "id", "form")


def function_request(request: Request, docid: str | None = None, body: Any = None) -> dict[str, Any]:
    """Return the object for a function of a design document, its members in the real server's order.

    ``docid`` is the document that the path names, whether it exists or not. ``body`` replaces the text that was sent.
    """
    sent = _text_of_body(request)
    return {
        "info": database_info(request.db),
        "uuid": request.node.uuids(),
        "id": docid,
        "method": request.verb,
        "requested_path": requested_path(request),
        "path": [_text(part) for part in request.segments],
        "raw_path": _raw_path(request),
        "query": query_members(request.parameters),
        "headers": headers_of(request.environ),
        "body": sent if body is None else body,
        "peer": request.environ.get("REMOTE_ADDR", "127.0.0.1"),
        "form": _form(request, sent),
        "cookie": {},
        "userCtx": request.user.as_json(request.db.name),
        "secObj": request.db.security,
    }


def rewrite_request(request: Request) -> dict[str, Any]:
    """Return the smaller object that a rewrite function receives."""
    return {name: value for name, value in function_request(request).items() if name not in _NOT_IN_REWRITES}


def query_members(parameters: Parameters) -> dict[str, Any]:
    """Return parameters by name, the last of each name, with those of views parsed as JSON. Errors: BadRequest."""
    members: dict[str, Any] = {}
    for name, text in parameters.pairs:
        members[_text(name)] = read_json(text) if name in _JSON_PARAMETERS else _text(text)
    return members


def headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return headers by name, in capitalised words and alphabetical order, without credentials."""
    headers = {}
    for name in environ:
        if name.startswith("HTTP_"):
            name_shown = _header_name(name[5:])
        elif name in ("CONTENT_TYPE", "CONTENT_LENGTH") and environ[name]:
            name_shown = _header_name(name)
        else:
            continue
        if name_shown not in _HIDDEN_HEADERS:
            headers[name_shown] = _text(str(environ[name]).encode("latin-1", "replace").decode("utf-8", "replace"))
    return dict(sorted(headers.items(), key=lambda item: item[0].lower()))


def requested_path(request: Request) -> list[str]:
    """Return the parts of the path before a virtual host or a proxy changed it; the query stays on the last part."""
    environ = request.environ
    path = environ.get("HTTP_X_COUCHDB_VHOST_PATH") or environ.get("HTTP_X_COUCHDB_REQUESTED_PATH")
    return [_text(unquote(part)) for part in (path or _raw_path(request)).split("/") if part]


def _raw_path(request: Request) -> str:
    path, query = request.target
    return f"{path}?{query}" if query else path


def _header_name(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("_"))


def _text_of_body(request: Request) -> str:
    if not request.has_body:
        return "undefined"
    return request.received.decode("utf-8", "replace")


def _form(request: Request, body: str) -> dict[str, str]:
    content_type = request.environ.get("CONTENT_TYPE", "")
    if request.verb not in ("POST", "PUT") or not content_type.startswith("application/x-www-form-urlencoded"):
        return {}
    return {_text(name): _text(value) for name, value in Parameters(body).pairs}


def _text(text: str) -> str:
    """Return text of a request, with bytes that are not UTF-8 replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
