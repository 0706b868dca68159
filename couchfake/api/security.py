"""``/{db}/_security``: who are members and admins of a database. CouchDB documentation, "Database API: Security"."""

from __future__ import annotations

from typing import Any

from couchfake.auth import users
from couchfake.auth.permissions import is_database_admin, is_security_object
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import CouchError, Forbidden
from couchfake.settings import USERS_DB_SECURITY_EDITABLE


def get_security(request: Request) -> Response:
    """``GET /{db}/_security``"""
    return json_response(request.db.security)


def put_security(request: Request) -> Response:
    """``PUT /{db}/_security``. Each shard refuses a wrong object, or a user without the right, by itself; the
    request's handler sees only that too few agreed, and answers ``no_majority`` in either case."""
    config = request.node.config
    if request.db.name == users.db_name(config) and not config[USERS_DB_SECURITY_EDITABLE]:
        raise Forbidden("You can't edit the security object of the user database.")
    security: Any = request.json()
    with request.db.lock:
        if not is_database_admin(request.user, request.db.security) or not is_security_object(security):
            raise CouchError(500, "error", "no_majority")
        request.db.change_setting(security=security)
    return json_response({"ok": True})
