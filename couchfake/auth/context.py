"""The user context: who makes a request, as handlers and JavaScript functions receive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
