"""The user context, and what it permits: members and admins of databases, server admins, and rights by path.

Source: CouchDB documentation, "API: /{db}/_security" and "Intro: Security"; the order of checks is that of the
real server, which looks at the path before it looks at methods and handlers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from couchfake.config import Config
from couchfake.errors import CouchError, Forbidden, Unauthorized
from couchfake.settings import ADMIN_ONLY_ALL_DBS, DEFAULT_SECURITY

SERVER_ADMIN_ROLE = "_admin"
METRICS_ROLE = "_metrics"


@dataclass(frozen=True)
class UserContext:
    """``name`` (None for anonymous clients), ``roles`` in the order of the user document, and the name of the
    handler that recognised the user (``cookie``, ``default``, ``proxy``, ``jwt``; None where none did).

    ``renewed_cookie`` is the ``Set-Cookie`` value due with the answer, None where none is.
    """

    name: str | None = None
    roles: tuple[str, ...] = ()
    handler: str | None = None
    renewed_cookie: str | None = None

    @property
    def is_server_admin(self) -> bool:
        return SERVER_ADMIN_ROLE in self.roles

    def as_json(self, db_name: str) -> dict[str, Any]:
        """Return the ``userCtx`` of validation, show, list, update and filter functions."""
        return {"db": db_name, "name": self.name, "roles": list(self.roles)}


TRUSTED_KEY = "couchfake.auth.user"
"""In a WSGI environment, the UserContext of a caller inside this process. No HTTP request can set it."""

ANONYMOUS = UserContext()
# The server's own writes have no name and all rights.
SERVER = UserContext(roles=(SERVER_ADMIN_ROLE,))
# The server again, writing a design document of its own: it needs no check, and each new server writes it.
BUILDER = UserContext(roles=(SERVER_ADMIN_ROLE,))


Security = Mapping[str, Any]

NOT_SERVER_ADMIN = "You are not a server admin."
NOT_DATABASE_ADMIN = "You are not a db or server admin."


# Server


def require_server_admin(user: UserContext) -> None:
    if not user.is_server_admin:
        raise Unauthorized(NOT_SERVER_ADMIN)


def require_metrics(user: UserContext) -> None:
    if not user.is_server_admin and METRICS_ROLE not in user.roles:
        raise Unauthorized("You are not a server admin or read-only metrics user")


def require_authenticated(user: UserContext) -> None:
    """Raise Unauthorized for anonymous clients. In an admin party server admins have no name, and pass."""
    if user.name is None and not user.is_server_admin:
        raise Unauthorized("You are not an authenticated user")


# Databases


def default_security(config: Config) -> dict[str, Any]:
    """Return the security object of a new database."""
    if config[DEFAULT_SECURITY] in ("everyone", "admin_local"):
        return {}
    return {"members": {"roles": [SERVER_ADMIN_ROLE]}, "admins": {"roles": [SERVER_ADMIN_ROLE]}}


def is_database_admin(user: UserContext, security: Security) -> bool:
    return user.is_server_admin or _is_listed(user, security.get("admins", {}))


def is_member(user: UserContext, security: Security) -> bool:
    """Return whether a user may read and write documents. Everybody may if the database has no members."""
    members = _members(security)
    return (
        is_database_admin(user, security)
        or (members.get("names", []) == [] and members.get("roles", []) == [])
        or _is_listed(user, members)
    )


def require_member(user: UserContext, security: Security) -> None:
    if not is_member(user, security):
        raise _refusal(user, None)


def require_database_admin(user: UserContext, security: Security) -> None:
    """Raise an error unless the user is an admin of the database: 401 for anonymous clients, 403 for others."""
    if not is_database_admin(user, security):
        raise _refusal(user, NOT_DATABASE_ADMIN)


def _refusal(user: UserContext, reason: str | None) -> CouchError:
    if user.name is None:
        return Unauthorized(reason or "You are not authorized to access this db.")
    return Forbidden(reason or "You are not allowed to access this db.")


def _members(security: Security) -> Mapping[str, Any]:
    members: Mapping[str, Any] = security.get("members", security.get("readers", {}))
    return members


def _is_listed(user: UserContext, group: Mapping[str, Any]) -> bool:
    if not isinstance(group, Mapping):
        return False
    roles = group.get("roles", [])
    return any(role in roles for role in user.roles) or (user.name is not None and user.name in group.get("names", []))


def is_security_object(value: Any) -> bool:
    """Return whether a value has the form of a security object. Unknown members may have any value."""
    return isinstance(value, dict) and _names_people(value.get("admins", {})) and _names_people(_members(value))


def _names_people(group: Any) -> bool:
    return isinstance(group, dict) and all(
        isinstance(people, list) and all(isinstance(person, str) for person in people)
        for people in (group.get("names", []), group.get("roles", []))
    )


# Rights by path


def authorize(
    user: UserContext, method: str, path: Sequence[str], security_of: Callable[[str], Security], config: Config
) -> None:
    """Raise Unauthorized or Forbidden if the path of a request shows that the user may not make it.

    ``path``: the decoded segments, empty for ``/``. ``security_of(db_name)``: a database's security object; NotFound
    where there is none. Some handlers check more than this, once they know more (design documents, ``_security``).
    """
    first = path[0] if path else ""
    if first.startswith("_"):
        _authorize_underscore(user, method, list(path), security_of, config)
    elif path and first != "favicon.ico":
        _authorize_database(user, method, path, security_of)


def _authorize_underscore(
    user: UserContext, method: str, path: list[str], security_of: Callable[[str], Security], config: Config
) -> None:
    match path:
        case ["_all_dbs" | "_dbs_info", *_]:
            if config[ADMIN_ONLY_ALL_DBS]:
                require_server_admin(user)
        case ["_users" | "_replicator", "_all_docs" | "_changes", *_]:
            require_server_admin(user)
        case ["_users" | "_replicator", *_]:
            _authorize_database(user, method, path, security_of)
        case ["_node", _, "_stats" | "_system" | "_prometheus", *_]:
            require_metrics(user)
        case ["_up" | "_uuids" | "_session" | "_replicate" | "_stats" | "_active_tasks"]:
            return
        case ["_utils", *_] if method in ("GET", "HEAD"):
            return
        case _:
            require_server_admin(user)


def _authorize_database(
    user: UserContext, method: str, path: Sequence[str], security_of: Callable[[str], Security]
) -> None:
    below = path[1] if len(path) > 1 else ""
    if not below and method in ("PUT", "DELETE"):
        require_server_admin(user)
        return
    if below.startswith("_") and below in ("_sync_shards", "_purge", "_purged_infos_limit"):
        require_server_admin(user)
        return
    security = security_of(path[0])
    require_member(user, security)
    if below in ("_compact", "_view_cleanup") and not is_database_admin(user, security):
        raise Unauthorized("You are not a server or db admin.")
