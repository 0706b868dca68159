"""``_rewrite``: rules or a function of a design document turn a request into another one.

Source: CouchDB documentation, "Rewrite Rules" and "URL rewriting with a function"; ``chttpd_rewrite``.
"""

from __future__ import annotations

import io
import string
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote as escape

from couchfake.api.design_functions import functions_of, plain_headers
from couchfake.api.function_request import rewrite_request
from couchfake.api.rewrite_rules import JSON_NAMES, apply_rules, normalized
from couchfake.api.views import find_ddoc
from couchfake.chttpd.parameters import quote, read_json
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.errors import BadRequest, CouchError, NotFound
from couchfake.settings import REWRITE_LIMIT, SECURE_REWRITES
from couchfake.storage.documents import DocumentEntry
from couchfake.transports.wsgi import header_items, make_environ

_COUNT = "couchfake.rewrites"


def rewrite(request: Request, ddoc: str, rest: list[str]) -> Response:
    """``/{db}/_design/{ddoc}/_rewrite/{path}``: return the answer to the rewritten request."""
    entry = find_ddoc(request.db, ddoc)
    count = request.environ.get(_COUNT, 0) + 1
    if count > request.node.config[REWRITE_LIMIT]:
        raise BadRequest("Exceeded rewrite recursion limit")
    body = entry.winner.body
    rules = None if body is None else body.value.get("rewrites")
    if isinstance(rules, list):
        path = _prefix(request, ddoc) + "/" + _by_rules(request, rules, rest)
        return request.answer(_rewritten(request, count, request.verb, normalized(path), {}, request.received))
    if isinstance(rules, str):
        return _by_function(request, count, entry, ddoc)
    raise CouchError(404, "rewrite_error", "Invalid path.")


def _by_rules(request: Request, rules: list[Any], rest: list[str]) -> str:
    arguments = [(name, read_json(text) if name in JSON_NAMES else text) for name, text in request.parameters.pairs]
    secure = request.node.config[SECURE_REWRITES]
    found = apply_rules(rules, request.verb, rest, arguments, secure)
    if found is None:
        raise NotFound()
    return found


def _by_function(request: Request, count: int, entry: DocumentEntry, ddoc: str) -> Response:
    answer = functions_of(request.node, request.db, entry).rewrite(rewrite_request(request))
    if answer is None:
        raise CouchError(404, "rewrite_error", "Invalid path.")
    body = answer["body"].encode() if "body" in answer else request.received
    if "code" in answer:
        return Response(body, answer["code"], plain_headers(list(answer.get("headers", {}).items())))
    if "path" not in answer:
        raise CouchError(500, "rewrite_error", "Rewrite result must produce a new path.")
    query = answer["query"].items() if "query" in answer else request.parameters.pairs
    path = escape(normalized(_prefix(request, ddoc) + "/" + answer["path"]), safe=string.punctuation)
    if query:
        path += "?" + "&".join(f"{quote(name)}={quote(text)}" for name, text in query)
    method = answer.get("method", request.verb)
    return request.answer(_rewritten(request, count, method, path, answer.get("headers", {}), body))


def _prefix(request: Request, ddoc: str) -> str:
    return f"/{quote(request.db.name)}/_design/{quote(ddoc)}"


def _rewritten(
    request: Request, count: int, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Request:
    """Return the request for ``target`` (path and query, escaped), otherwise like the original one."""
    fields = header_items(plain_headers(list(headers.items())))
    if request.environ["REQUEST_METHOD"] == "HEAD" and method == "GET":
        method = "HEAD"
    environ = make_environ(request.environ, method, target, fields, io.BytesIO(body))
    environ.update({_COUNT: count, "SCRIPT_NAME": ""})
    environ.pop("RAW_URI", None)
    if body or "CONTENT_LENGTH" in environ:
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
    return Request(environ, request.node, request.answer)
