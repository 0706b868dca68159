"""The server: a dictionary of databases, and what it tells of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import requests

from couchdb_client.database import Database
from couchdb_client.errors import ResourceNotFound, ServerError, Unauthorized
from couchdb_client.resource import Resource
from couchdb_client.session import SessionLike
from couchdb_client.urls import DEFAULT_BASE_URL

__all__ = ["Server"]


class Server:
    """A CouchDB server, as a dictionary of its databases by name.

    ``url`` is its URL, with a path if it is mounted below one and with credentials if it wants them
    (``https://name:password@example.com/couch/``), or its `Resource`; the default is the environment's COUCHDB_URL,
    else the local server. ``full_commit=False`` sends ``X-Couch-Full-Commit: false`` with each request. ``session`` is
    a `couchdb_client.http.Session` or any `requests.Session`.

    Iterating gives the names of all databases, ``len`` counts them, and the server is true if it can be reached.
    """

    def __init__(
        self,
        url: str | Resource = DEFAULT_BASE_URL,
        full_commit: bool = True,
        session: SessionLike | requests.Session | None = None,
    ) -> None:
        self.resource = Resource(url, session) if isinstance(url, str) else url
        if not full_commit:
            self.resource.headers["X-Couch-Full-Commit"] = "false"
        self._version_info: tuple[int, ...] | None = None

    def __contains__(self, name: str) -> bool:
        """Whether there is a database of this name."""
        try:
            self.resource.head(name)
        except (OSError, ResourceNotFound):
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self.resource.get_json("_all_dbs")[2])

    def __len__(self) -> int:
        return len(self.resource.get_json("_all_dbs")[2])

    def __bool__(self) -> bool:
        try:
            self.resource.head()
        except (OSError, ResourceNotFound):
            return False
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.resource.url!r}>"

    def __delitem__(self, name: str) -> None:
        """Delete the database. Raises `ResourceNotFound` if there is none of that name."""
        self.resource.delete_json(name)

    def __getitem__(self, name: str) -> Database:
        """The database. Raises `ResourceNotFound` if there is none of that name."""
        db = Database(self.resource(name), name)
        db.resource.head()
        return db

    def create(self, name: str) -> Database:
        """Create a database. Raises `PreconditionFailed` if there is one of that name."""
        self.resource.put_json(name)
        return Database(self.resource(name), name)

    def delete(self, name: str) -> None:
        """Delete the database. Raises `ResourceNotFound` if there is none of that name."""
        del self[name]

    def version(self) -> str:
        """The server's version, like ``'3.5.0'``; asked of the server each time."""
        version: str = self.resource.get_json()[2]["version"]
        return version

    def version_info(self) -> tuple[int, ...]:
        """The server's version as integers, like ``(3, 5, 0)``; asked of the server the first time only."""
        if self._version_info is None:
            numbers = [re.match(r"\d+", part) for part in self.version().split(".")]
            self._version_info = tuple(int(number.group()) for number in numbers if number)
        return self._version_info

    def config(self) -> dict[str, dict[str, str]]:
        """The server's configuration: a dictionary of sections, each a dictionary of options."""
        data: dict[str, dict[str, str]] = self._node("_config").get_json()[2]
        return data

    def stats(self, name: str | None = None) -> Any:
        """The server's statistics as a nested dictionary, or the one called ``name``.

        Servers since 2.0 have the metrics of old below ``couchdb``. A name like ``httpd/requests`` still finds its
        metric, in the form of old: ``{'httpd': {'requests': {…}}}``; a name like ``couchdb/httpd/requests`` gives what
        the server says of it.
        """
        path = name.split("/") if name else []
        data = self._stats(path)
        if data is None and self._has_nodes():
            data = self._stats(["couchdb", *path])
            for part in reversed(path if data is not None else []):
                data = {part: data}
        return data

    def _stats(self, path: list[str]) -> Any:
        return self._node("_stats", *path).get_json()[2]

    def _has_nodes(self) -> bool:
        return self.version_info() >= (2,)

    def _node(self, *path: str) -> Resource:
        """What a server since 2.0 has below each of its nodes, older ones below their root."""
        return self.resource("_node", "_local", *path) if self._has_nodes() else self.resource(*path)

    def tasks(self) -> list[dict[str, Any]]:
        """The tasks that the server is at: compactions, index builds, replications."""
        data: list[dict[str, Any]] = self.resource.get_json("_active_tasks")[2]
        return data

    def uuids(self, count: int | None = None) -> list[str]:
        """``count`` UUIDs from the server; as many as it likes to send (one) if None."""
        data: list[str] = self.resource.get_json("_uuids", count=count)[2]["uuids"]
        return data

    def replicate(self, source: Any, target: Any, **options: Any) -> dict[str, Any]:
        """Replicate from the database ``source`` to ``target``, each a URL, a name on this server, or a dictionary with
        a ``url``.

        ``options`` are further members of the request, like ``continuous=True``. Returns the server's answer, which
        comes when the replication is complete, however long that takes; that of a continuous one at once.
        """
        resource = self.resource.adjusted(wait=None)
        data: dict[str, Any] = resource.post_json("_replicate", {"source": source, "target": target, **options})[2]
        return data

    def add_user(self, name: str, password: str, roles: list[str] | None = None) -> tuple[str, str | None]:
        """Add a user; returns ``(id, rev)`` of the new document in ``_users``."""
        user = {"_id": _user_id(name), "name": name, "password": password, "roles": roles or [], "type": "user"}
        return self["_users"].save(user)

    def remove_user(self, name: str) -> None:
        """Remove a user. Raises `ResourceNotFound` if there is none of that name."""
        del self["_users"][_user_id(name)]

    def login(self, name: str, password: str) -> str:
        """Log a user in; returns the token for `verify_token` and `logout`: the value of the cookie ``AuthSession``.

        Only the token is made: the client's own requests keep the credentials that they had. Raises `Unauthorized`.
        """
        resource = self.resource.adjusted(cookies=False)
        _, headers, _ = resource.post_json("_session", {"name": name, "password": password})
        for cookie in headers.get_all("Set-Cookie", []):
            key, _, value = str(cookie).partition(";")[0].partition("=")
            if key.strip() == "AuthSession":
                return value.strip()
        raise ServerError((200, ("no_cookie", "The server's answer to the login has no AuthSession cookie.")))

    def logout(self, token: str) -> bool:
        """Log a user out; True if the server did so. (It keeps no list of tokens: one that is known stays good until it
        expires.)"""
        resource = self.resource.adjusted(cookies=False)
        return resource.delete_json("_session", headers=_cookie(token))[0] == 200

    def verify_token(self, token: str) -> bool:
        """Whether the token authenticates a user."""
        resource = self.resource.adjusted(cookies=False)
        resource.credentials = None
        try:
            status, _, session = resource.get_json("_session", headers=_cookie(token))
        except (Unauthorized, ServerError):  # a token of another form is a 400
            return False
        return status == 200 and session["userCtx"]["name"] is not None


def _user_id(name: str) -> str:
    return "org.couchdb.user:" + name


def _cookie(token: str) -> dict[str, str]:
    return {"Accept": "application/json", "Cookie": "AuthSession=" + token}
