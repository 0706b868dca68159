"""The server: a dictionary of databases, and its information about itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import requests

from couchdb_client.conditions import Conditions
from couchdb_client.database import Database
from couchdb_client.errors import ResourceNotFound, ServerError, Unauthorized
from couchdb_client.logins import CookieLogin, session_token
from couchdb_client.replications import Replications
from couchdb_client.resource import Resource
from couchdb_client.session import Session, SessionLike
from couchdb_client.urls import DEFAULT_BASE_URL

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Server"]


class Server:
    """A CouchDB server, as a dictionary of its databases by name.

    ``url`` is its URL, with a path and credentials if necessary (``https://name:password@example.com/couch/``), or its
    `Resource`; the default is COUCHDB_URL from the environment, or the local server. ``full_commit=False`` sends
    ``X-Couch-Full-Commit: false`` with each request. ``session`` is a `couchdb_client.http.Session` or any
    `requests.Session`.

    Iterating returns the names of all databases, ``len`` counts them, and the server is true if it can be reached. As
    a context manager it closes its connections at the end, unless you passed a ``session``.
    """

    def __init__(
        self,
        url: str | Resource = DEFAULT_BASE_URL,
        full_commit: bool = True,
        session: SessionLike | requests.Session | None = None,
    ) -> None:
        self.resource = Resource(url, session) if isinstance(url, str) else url
        self._owns_session = session is None and isinstance(url, str)
        if not full_commit:
            self.resource.headers["X-Couch-Full-Commit"] = "false"
        self._version_info: tuple[int, ...] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._owns_session:
            self.close()

    def close(self) -> None:
        """Close the connections that are kept open for further requests."""
        if isinstance(self.resource.session, Session):
            self.resource.session.close()

    def __contains__(self, name: str) -> bool:
        """Return whether there is a database of this name."""
        try:
            self.resource.head(name)
        except (OSError, ResourceNotFound):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.resource.fetch("GET", "_all_dbs"))

    def __len__(self) -> int:
        return len(self.resource.fetch("GET", "_all_dbs"))

    def __bool__(self) -> bool:
        try:
            self.resource.head()
        except (OSError, ResourceNotFound):
            return False
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.resource.url!r}>"

    def __delitem__(self, name: str) -> None:
        """Delete the database. Raise `ResourceNotFound` if it does not exist."""
        self.resource.delete_json(name)

    def __getitem__(self, name: str) -> Database:
        """Return the database. Raise `ResourceNotFound` if it does not exist."""
        db = Database(self.resource(name), name)
        db.resource.head()
        return db

    def create(
        self, name: str, *, partitioned: bool | None = None, q: int | None = None, n: int | None = None
    ) -> Database:
        """Create a database and return it. Raise `PreconditionFailed` if a database of that name exists.

        ``partitioned=True`` creates a partitioned database; ``q`` is the number of shards, ``n`` that of replicas.
        """
        self.resource.put_json(name, partitioned=partitioned, q=q, n=n)
        return Database(self.resource(name), name)

    def delete(self, name: str) -> None:
        """Delete the database. Raise `ResourceNotFound` if it does not exist."""
        del self[name]

    def version(self) -> str:
        """Return the server's version, like ``'3.5.0'``. Each call is a request."""
        version: str = self.resource.fetch("GET")["version"]
        return version

    def version_info(self) -> tuple[int, ...]:
        """Return the server's version as integers, like ``(3, 5, 0)``. Only the first call is a request."""
        if self._version_info is None:
            numbers = [re.match(r"\d+", part) for part in self.version().split(".")]
            self._version_info = tuple(int(number.group()) for number in numbers if number)
        return self._version_info

    def config(self) -> dict[str, dict[str, str]]:
        """Return the server's configuration: a dictionary of sections, each a dictionary of options."""
        data: dict[str, dict[str, str]] = self._node("_config").fetch("GET")
        return data

    def stats(self, name: str | None = None) -> Any:
        """Return the server's statistics as a nested dictionary, or the one called ``name``.

        Servers since 2.0 have the former metrics below ``couchdb``. A name like ``httpd/requests`` still finds its
        metric, in its former shape: ``{'httpd': {'requests': {…}}}``; a name like ``couchdb/httpd/requests`` returns
        the server's own response.
        """
        path = name.split("/") if name else []
        data = self._stats(path)
        if data is None and self._has_nodes():
            data = self._stats(["couchdb", *path])
            for part in reversed(path if data is not None else []):
                data = {part: data}
        return data

    def _stats(self, path: list[str]) -> Any:
        return self._node("_stats", *path).fetch("GET")

    def _has_nodes(self) -> bool:
        return self.version_info() >= (2,)

    def _node(self, *path: str) -> Resource:
        """Return a resource that servers since 2.0 have below each of their nodes, older ones below their root."""
        return self.resource("_node", "_local", *path) if self._has_nodes() else self.resource(*path)

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks that are running: compactions, index builds, replications."""
        data: list[dict[str, Any]] = self.resource.fetch("GET", "_active_tasks")
        return data

    def uuids(self, count: int | None = None) -> list[str]:
        """Return ``count`` UUIDs from the server; as many as it sends by itself (one) if None."""
        data: list[str] = self.resource.fetch("GET", "_uuids", count=count)["uuids"]
        return data

    def replicate(
        self, source: str | Mapping[str, Any], target: str | Mapping[str, Any], **options: Any
    ) -> dict[str, Any]:
        """Replicate from the database ``source`` to ``target`` and return the server's response.

        Each is a URL, a name on this server, or a dictionary with a ``url``. ``options`` are further members of the
        request, like ``continuous=True``. The response comes when the replication is complete, however long that takes;
        for a continuous one, immediately. `replications` has those that continue when the server is restarted.
        """
        resource = self.resource.under(Conditions(wait=None))
        data: dict[str, Any] = resource.fetch("POST", "_replicate", {"source": source, "target": target, **options})
        return data

    @property
    def replications(self) -> Replications:
        """The replications that have a document in the database ``_replicator``."""
        return Replications(self)

    def add_user(self, name: str, password: str, roles: list[str] | None = None) -> tuple[str, str | None]:
        """Add a user and return ``(id, rev)`` of the new document in ``_users``."""
        user = {"_id": _user_id(name), "name": name, "password": password, "roles": roles or [], "type": "user"}
        return self["_users"].save(user)

    def remove_user(self, name: str) -> None:
        """Remove a user. Raise `ResourceNotFound` if it does not exist."""
        del self["_users"][_user_id(name)]

    def login(self, name: str, password: str) -> str:
        """Log a user in and return the token for `verify_token` and `logout`: the value of the cookie ``AuthSession``.

        Requests of this server keep their credentials; `session_login` changes those. Raise `Unauthorized`.
        """
        _, headers, _ = self._without_cookies().post_json("_session", {"name": name, "password": password})
        return session_token(headers)

    def session_login(self, name: str, password: str) -> Self:
        """Authenticate all further requests of this server by a login's cookie, and return the server.

        Log in immediately. The cookie is replaced when the server sends another, and renewed by another login when it
        has expired. Databases that were taken from this server before keep their credentials. Raise `Unauthorized` if
        name or password is wrong.
        """
        session = self.resource.session
        if not isinstance(session, Session):
            raise TypeError(f"a login needs a couchdb_client.Session, not {type(session)}")
        login = CookieLogin(self.resource.url, name, password)
        login.cookie(session)
        self.resource.credentials = login
        return self

    def logout(self, token: str) -> bool:
        """Log a user out and return whether the server did so. (It keeps no list of tokens: a token stays valid until
        it expires.)"""
        resource = self._without_cookies()
        return resource.delete_json("_session", headers=_cookie(token))[0] == 200

    def verify_token(self, token: str) -> bool:
        """Return whether the token authenticates a user."""
        resource = self._without_cookies()
        resource.credentials = None
        try:
            status, _, session = resource.get_json("_session", headers=_cookie(token))
        except (Unauthorized, ServerError):  # a token of another form is a 400
            return False
        return status == 200 and session["userCtx"]["name"] is not None

    def _without_cookies(self) -> Resource:
        return self.resource.under(Conditions(cookies=False))


def _user_id(name: str) -> str:
    return "org.couchdb.user:" + name


def _cookie(token: str) -> dict[str, str]:
    return {"Accept": "application/json", "Cookie": "AuthSession=" + token}
