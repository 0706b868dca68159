"""``_rewrite``: rules or a function of a design document turn a request into another one.

Source: CouchDB documentation, "Rewrite Rules" and "URL rewriting with a function"; ``chttpd_rewrite``.
"""

from __future__ import annotations

import io
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as escape
from urllib.parse import quote_plus

from couchfake.api.design_functions import functions_of, plain_headers, rewrite_request
from couchfake.api.views import find_ddoc
from couchfake.chttpd.parameters import quote
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.errors import BadRequest, CouchError, NotFound, ServerError
from couchfake.settings import REWRITE_LIMIT, SECURE_REWRITES
from couchfake.storage.documents import DocumentEntry
from couchfake.transports.wsgi import header_items, make_environ
from couchfake.values import json
from couchfake.values.json import read_json

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


# Rules: which one matches a request, and the path to which it leads
#
# A rule is ``{"from", "to", "method", "query", "formats"}``. Parts of ``from`` that begin with a colon are variables, a
# star matches the rest of the path. ``to`` and ``query`` may use the variables and the parameters of the query string.
# ``chttpd_rewrite`` is followed step by step, because query strings show the order of its lists.


JSON_NAMES = ("key", "startkey", "start_key", "endkey", "end_key", "keys")

Binding = tuple[str, Any]
"""A variable's name and value."""

STAR = "*"


@dataclass(frozen=True)
class Variable:
    """A part of a path that matches any one part; ``*`` matches the rest."""

    name: str


Part = str | Variable


@dataclass(frozen=True)
class Rule:
    """One parsed rule. ``method`` is None for all methods."""

    source: list[Part]
    target: list[Part]
    method: str | None
    query: list[Binding]
    formats: dict[str, Any]


def apply_rules(
    rules: Sequence[Any], method: str, path: list[str], arguments: list[Binding], secure: bool = True
) -> str | None:
    """Return the target of the first rule that matches: an escaped path, relative to the design document, with a query.

    ``path``: the parts behind ``_rewrite``; ``arguments``: the query string's, those of JSON_NAMES as values;
    ``secure``: at most two ``..`` in a rule. Return None if no rule matches. Errors: 500 for malformed rules.
    """
    for rule in [_read_rule(rule, secure) for rule in rules if isinstance(rule, dict)]:
        if rule.method not in (None, method):
            continue
        bound = _bind(rule.source, path)
        if bound is None:
            continue
        bindings, remaining = bound
        bindings += arguments
        query = [(name, _filled(value, bindings, rule.formats)) for name, value in reversed(rule.query)]
        named = {name for name, _ in query}
        final = [binding for binding in bindings if binding[0] not in named] + query
        parts = "/".join(map(_quoted, _target(rule.target, final, remaining)))
        text = _query_string(final)
        return f"{parts}?{text}" if text is not None else parts
    return None


def _quoted(text: str) -> str:
    return quote_plus(text, safe="~", errors="surrogateescape")


def normalized(path: str) -> str:
    """Return an absolute path without doubled slashes, ``.`` and ``..`` (which stay at the top)."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _read_rule(rule: dict[str, Any], secure: bool) -> Rule:
    if "to" not in rule:
        raise CouchError(500, "error", "invalid_rewrite_target")
    method = rule.get("method", STAR)
    query = rule.get("query", {})
    formats = rule.get("formats", {})
    if not isinstance(query, dict) or not isinstance(formats, dict):
        raise ServerError("case_clause")
    return Rule(
        _read_path(rule["from"], secure) if "from" in rule else [Variable(STAR)],
        _read_path(rule["to"], secure),
        None if method == STAR else method,
        list(query.items()),
        formats,
    )


def _read_path(path: Any, secure: bool) -> list[Part]:
    if not isinstance(path, str):
        raise ServerError("badarg")
    parts: list[Part] = []
    ups = 0
    for part in path.split("/"):
        if part == STAR:
            parts.append(Variable(STAR))
        elif part.startswith(":"):
            parts.append(Variable(part[1:]))
        elif part:
            ups += part == ".."
            if secure and ups > 2:
                raise CouchError(500, "insecure_rewrite_rule", "too many ../.. segments")
            parts.append(part)
    return parts


def _bind(source: list[Part], path: list[str]) -> tuple[list[Binding], list[str]] | None:
    """Return the variables, the last one first, and what a final star matches; None if the path does not match."""
    bindings: list[Binding] = []
    for index, part in enumerate(source):
        if part == Variable(STAR) and index == len(source) - 1:
            return bindings, path[index:]
        if index >= len(path):
            return None
        if isinstance(part, Variable):
            bindings.insert(0, (part.name, path[index]))
        elif part != path[index]:
            return None
    return (bindings, []) if len(source) == len(path) else None


def _filled(value: Any, bindings: list[Binding], formats: dict[str, Any]) -> Any:
    """Return a value of a rule's query with its variables replaced."""
    if isinstance(value, list):
        return [
            _variable(item[1:], item, bindings, formats) if isinstance(item, str) and item.startswith(":") else item
            for item in value
        ]
    if isinstance(value, str) and (value == STAR or value.startswith(":")):
        return _variable(value.removeprefix(":"), value, bindings, formats)
    return value


def _variable(name: str, default: str, bindings: list[Binding], formats: dict[str, Any]) -> Any:
    value = next((value for known, value in bindings if known == name), default)
    if isinstance(value, str) and formats.get(name) == "int":
        try:
            return int(value)
        except ValueError:
            return value
    if isinstance(value, str) and formats.get(name) == "bool":
        return {"true": True, "false": False}.get(value.lower(), value)
    return value


def _target(target: list[Part], bindings: list[Binding], remaining: list[str]) -> list[str]:
    parts: list[str] = []
    for part in target:
        if part == Variable(STAR):
            return parts + remaining
        if isinstance(part, Variable):
            parts.append(_io_text(next((value for name, value in bindings if name == part.name), "undefined")))
        else:
            parts.append(part)
    return parts


def _query_string(bindings: list[Binding]) -> str | None:
    """Return the bindings as a query string, the last one first; None if there are no bindings."""
    if not bindings:
        return None
    pairs = []
    for name, value in reversed(bindings):
        if name != STAR:
            text = json.dumps(value) if name in JSON_NAMES else _io_text(value)
            pairs.append(f"{_quoted(name)}={_quoted(text)}")
    return "&".join(pairs)


def _io_text(value: Any) -> str:
    """Return a value as text if Erlang accepts it as one (``iolist_to_binary/1``): strings, and lists of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_io_text, value))
    raise ServerError("badarg")
