"""``/_session``: logging in, saying who one is, logging out. CouchDB documentation, "Authentication"."""

from __future__ import annotations

import re
from typing import Any

from couchfake.chttpd.parameters import unquote_leniently
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import BadContentType, BadRequest, Crash, ServerError, Unauthorized
from couchfake.settings import AUTHENTICATION_DB
from couchfake.values.erlang import format_term

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
