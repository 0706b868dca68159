"""What the server says of itself, of all its databases and, at ``/_session``, of the user; logging in and out.

Source: CouchDB documentation, "Server API" and "Authentication".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from couchfake.api.databases import database_info
from couchfake.auth.permissions import require_server_admin
from couchfake.chttpd.parameters import unquote_leniently
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, body_response, etag_matches, json_response, make_etag, not_modified
from couchfake.errors import BadContentType, BadRequest, CouchError, Crash, NotFound, ServerError, Unauthorized
from couchfake.node import NODE_NAME
from couchfake.settings import (
    ADMINS,
    AUTHENTICATION_DB,
    MAINTENANCE_MODE,
    MAX_DB_NUMBER_FOR_DBS_INFO_REQ,
    UUIDS_MAX_COUNT,
    VENDOR,
)
from couchfake.values.collation import raw_sort_key
from couchfake.values.erlang import INTEGER, format_term, read_integer
from couchfake.views.keys import MISSING
from couchfake.views.options import ViewOptions, bounded, check_all_docs, of_query

VERSION = "3.5.0"
GIT_SHA = "couchfake"
FEATURES = ["access-ready", "partitioned", "pluggable-storage-engines", "reshard", "scheduler"]


def welcome(request: Request) -> Response:
    """``GET /``"""
    answer: dict[str, Any] = {
        "couchdb": "Welcome",
        "version": VERSION,
        "git_sha": GIT_SHA,
        "uuid": request.node.uuid,
        "features": [request.node.query_server.engine_name, *FEATURES],
    }
    vendor = request.node.config.section(VENDOR)
    return json_response({**answer, "vendor": vendor} if vendor else answer)


def up(request: Request) -> Response:
    """``GET /_up``"""
    mode = request.node.config[MAINTENANCE_MODE]
    if mode in ("true", "nolb"):
        return json_response({"status": "maintenance_mode" if mode == "true" else "nolb"}, 404)
    return json_response({"status": "ok", "seeds": {}})


# Databases


def all_dbs(request: Request) -> Response:
    """``GET /_all_dbs``: names in byte order, by the range parameters of views."""
    names = list(_names(request, _range(request)))
    return _with_etag(request, names)


def dbs_info(request: Request) -> Response:
    """``GET /_dbs_info``: information of the databases of a range."""
    infos = [_info(request, name) for name in _names(request, _range(request))]
    return _with_etag(request, infos)


def dbs_info_by_keys(request: Request) -> Response:
    """``POST /_dbs_info``: information of the databases that ``keys`` names, in that order."""
    request.require_json_type()
    body = request.json_object()
    if "keys" not in body:
        raise BadRequest("`keys` member must exist.")
    keys = body["keys"]
    if not isinstance(keys, list):
        raise BadRequest("`keys` member must be an array.")
    if len(keys) > request.node.config[MAX_DB_NUMBER_FOR_DBS_INFO_REQ]:
        raise BadRequest("too_many_keys")
    return json_response([_info(request, key) for key in keys])


def _info(request: Request, name: Any) -> dict[str, Any]:
    database = request.node.databases.get(name) if isinstance(name, str) else None
    if database is None:
        return {"key": name, "error": "not_found"}
    return {"key": name, "info": database_info(database)}


def _range(request: Request) -> ViewOptions:
    options = of_query(request.parameters.pairs)
    if not isinstance(options.keys, list | None):
        raise ServerError("function_clause")
    options = bounded(options)
    check_all_docs(options)
    return options


_MISSING = "error"
"""What the server lists for a key that is not the name of a database."""


def _names(request: Request, options: ViewOptions) -> Iterator[str]:
    names = list(request.node.names())
    first, last = options.start_key, options.end_key
    if options.descending:
        names.reverse()
        first, last = last, first
    low = None if first is MISSING else raw_sort_key(first)
    high = None if last is MISSING else raw_sort_key(last)
    if options.keys is not None:
        known = request.node.databases
        names = [key if isinstance(key, str) and key in known else _MISSING for key in options.keys]
    skip, limit = options.skip, options.limit
    for name in names:
        key = raw_sort_key(name)
        if (low is not None and key < low) or (high is not None and key > high):
            continue
        if not options.inclusive_end and options.end_key is not MISSING and name == options.end_key:
            continue
        if skip > 0:
            skip -= 1
            continue
        if limit is not None:
            if limit <= 0:
                return
            limit -= 1
        yield name


def _with_etag(request: Request, value: Any) -> Response:
    etag = make_etag(value)
    if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), etag):
        return not_modified(etag)
    return json_response(value, headers={"ETag": etag})


# Identifiers


def uuids(request: Request) -> Response:
    """``GET /_uuids``: new identifiers, never to be cached."""
    text = request.parameters.get("count", "1") or ""
    if not INTEGER.fullmatch(text) or read_integer(text) < 0:
        raise BadRequest("count must be a positive integer")
    if read_integer(text) > request.node.config[UUIDS_MAX_COUNT]:
        raise BadRequest("count parameter too large")
    made = [request.node.uuids() for _ in range(read_integer(text))]
    headers = {
        "Cache-Control": "no-cache",
        "Expires": "Mon, 01 Jan 1990 00:00:00 GMT",
        "Pragma": "no-cache",
        "ETag": make_etag(made),
    }
    return json_response({"uuids": made}, headers=headers)


# Cluster


def active_tasks(request: Request) -> Response:
    """``GET /_active_tasks``: what runs in the background."""
    require_server_admin(request.user)
    return json_response(request.node.replications.tasks())


def membership(request: Request) -> Response:
    """``GET /_membership``: the node is alone."""
    return json_response({"all_nodes": [NODE_NAME], "cluster_nodes": [NODE_NAME]})


def get_cluster_setup(request: Request) -> Response:
    """``GET /_cluster_setup``: a single node, always set up."""
    request.parameters.json("ensure_dbs_exist")
    return json_response({"state": "single_node_enabled"})


def post_cluster_setup(request: Request) -> Response:
    """``POST /_cluster_setup``: a single node is set up as soon as its databases are there; there is no cluster."""
    request.require_json_type()
    try:
        body = request.json_object()
    except BadRequest:
        raise BadRequest("Missing JSON body'") from None
    action = body.get("action", "missing")
    if not isinstance(action, str):
        raise Crash("unknown_error", "badarg")
    match action:
        case "enable_single_node" | "finish_cluster":
            return _finish_setup(request, body)
        case "enable_cluster":
            raise BadRequest("Cluster is already enabled")
        case "add_node":
            raise BadRequest("Cluster is not enabled.")
    raise BadRequest("Invalid Action'")


def _finish_setup(request: Request, body: dict[str, Any]) -> Response:
    if isinstance(body.get("username"), str) and isinstance(body.get("password"), str):
        request.node.config.set(ADMINS.name, body["username"], body["password"])
    wanted = body.get("ensure_dbs_exist", ["_users", "_replicator"])
    missing = [name for name in wanted if name not in request.node.databases] if isinstance(wanted, list) else []
    if not missing:
        raise BadRequest("Cluster is already finished")
    for name in missing:
        request.node.create_database(name)
    return json_response({"ok": True}, 201)


def reload_query_servers(request: Request) -> Response:
    """``POST /_reload_query_servers``: drop all JavaScript that is kept for the next request."""
    request.require_json_type()
    request.node.query_server.reload()
    return json_response({"ok": True})


# What a server without the plugins says


def search_is_absent(request: Request, **_: Any) -> Response:
    """Search needs a Clouseau node beside the server."""
    raise CouchError(503, "service unavailable", "Search is not available")


def nouveau_analyze(request: Request) -> Response:
    """``POST /_nouveau_analyze``, with Nouveau switched off."""
    raise NotFound()


def search_cleanup(request: Request) -> Response:
    """``POST /{db}/_search_cleanup`` crashes, since there is no search node."""
    raise Crash("badmatch", "{'EXIT',noconnection}")


def nouveau_cleanup(request: Request) -> Response:
    """``POST /{db}/_nouveau_cleanup`` has no indexes to remove."""
    return json_response({"ok": True}, 202)


def nouveau_is_absent(request: Request, **_: Any) -> Response:
    raise NotFound()


# For browsers

_UTILS = b"""<!DOCTYPE html>
<meta charset="utf-8">
<title>couchfake</title>
<p>This is couchfake. Fauxton, CouchDB's web interface, is not part of it.</p>
"""


def utils(request: Request, rest: list[str]) -> Response:
    """``/_utils``: where CouchDB has its web interface."""
    if not request.target[0].endswith("/") and not rest:
        return Response(b"", 301, {"Location": f"{request.base_uri}/_utils/"})
    if rest and rest != ["index.html"]:
        raise NotFound()
    return body_response(_UTILS, "text/html; charset=utf-8", headers={"Cache-Control": "private, must-revalidate"})


def favicon(request: Request, rest: list[str]) -> Response:
    """``/favicon.ico``: none, and browsers may remember that."""
    return Response(b"", 204, {"Cache-Control": "public, max-age=31536000"})


# ---- /_session

_TYPES = "Content-Type must be 'application/x-www-form-urlencoded' or 'application/json'"


def who(request: Request) -> Response:
    """``GET /_session``: the user context. ``basic=true`` asks anonymous callers to log in."""
    user, authenticator = request.user, request.node.authenticator
    if user.name is None and request.parameters.get("basic") == "true":
        raise Unauthorized("Please login.")
    info: dict[str, Any] = {"authentication_handlers": authenticator.handler_names()}
    if user.handler is not None:
        info["authenticated"] = user.handler
    if request.node.config.is_set(AUTHENTICATION_DB):
        info["authentication_db"] = request.node.config[AUTHENTICATION_DB]
    return json_response({"ok": True, "userCtx": {"name": user.name, "roles": list(user.roles)}, "info": info})


def login(request: Request) -> Response:
    """``POST /_session``, a form or JSON. ``next`` and ``fail`` are paths to redirect to."""
    form = _form(request)
    name = _username(form)
    authenticator, presented = request.node.authenticator, request.presented
    password = form.get("password", "").encode("utf-8", "surrogateescape")
    roles = authenticator.login(name, password, presented, form.get("token", ""))
    if roles is None:
        headers = {"Set-Cookie": authenticator.clearing_cookie(presented)}
        body = {"error": "unauthorized", "reason": "Name or password is incorrect."}
        return _or_redirect(request, "fail", body, 401, headers)
    headers = {"Set-Cookie": authenticator.session_cookie(name, presented)}
    return _or_redirect(request, "next", {"ok": True, "name": name, "roles": list(roles)}, 200, headers)


def logout(request: Request) -> Response:
    """``DELETE /_session``: the cookie is cleared at the client, and stays valid at the server."""
    headers = {"Set-Cookie": request.node.authenticator.clearing_cookie(request.presented)}
    return _or_redirect(request, "next", {"ok": True}, 200, headers)


def _or_redirect(
    request: Request, parameter: str, body: dict[str, Any], status: int, headers: dict[str, str]
) -> Response:
    path = request.parameters.get(parameter)
    if path is None:
        return json_response(body, status, headers)
    if not path.startswith("/"):
        raise BadRequest("path must begin with a /.")
    return json_response(body, 302, {**headers, "Location": request.base_uri + path})


def _form(request: Request) -> dict[str, str]:
    """The members of the body; of a repeated one the first counts."""
    content_type = request.environ.get("CONTENT_TYPE", "")
    form: dict[str, str] = {}
    if content_type.startswith("application/x-www-form-urlencoded"):
        for part in re.split("[&;]", request.received.decode("latin-1")):
            name, _, value = part.partition("=")
            form.setdefault(unquote_leniently(name), unquote_leniently(value))
        return form
    if not content_type.startswith("application/json"):
        raise BadContentType(_TYPES)
    members = request.json()
    if members is None:
        raise ServerError("badmatch")
    if not isinstance(members, dict):
        raise Crash("badmatch", _unexpected(members))
    for name, value in members.items():
        if not isinstance(value, str):
            raise ServerError("badarg")
        form[name] = value
    return form


def _unexpected(value: Any) -> str:
    """Return how the server writes a body that is not an object: strings, and arrays of strings, without quotes."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "".join(value)
    return value if isinstance(value, str) else format_term(value)


def _username(form: dict[str, str]) -> str:
    names = {form[member] for member in ("name", "username") if member in form}
    if not names:
        raise BadRequest("request body must contain a username")
    if len(names) > 1:
        raise BadRequest("request body contains different usernames")
    return names.pop()
