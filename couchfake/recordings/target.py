"""The server that recordings are played against: its address, its admin's login, and what it says about itself."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from couchfake import CouchFake
from couchfake.recordings.player import Conversation
from couchfake.recordings.senders import Sender, in_process, over_socket

DEFAULT_USER = "adm:pass"
"""The admin's login with which the shipped recordings were made."""

CONNECTION_ERRORS = (OSError, http.client.HTTPException)


class ReplayFailed(Exception):
    """A file that is not a recording, or a server that cannot be tested. The message says so in one line."""


class Target:
    """A server. ``url`` is None for a fresh fake in this process; a login in it is the admin's.

    ``user`` is that login as ``name:password``, ``adm:pass`` if the URL has none. ``name`` is the URL without login.
    """

    def __init__(self, url: str | None) -> None:
        self.user = DEFAULT_USER
        self.name = "a fresh fake"
        self.send: Sender
        if url is None:
            name, _, password = DEFAULT_USER.partition(":")
            self.send = in_process(CouchFake(admins={name: password}).wsgi)
            return
        self.name, login = split_login(url)
        self.user = login or DEFAULT_USER
        self.send = over_socket(self.name)

    def get(self, path: str) -> tuple[int, Any]:
        """Return the status and the parsed body (None if it is not JSON) of a GET. Raise ReplayFailed."""
        return self.request("GET", path)

    def request(self, method: str, path: str, value: Any = None) -> tuple[int, Any]:
        """The same for any method; ``value``, unless it is None, is sent as JSON."""
        headers = [*Conversation(self.send, self.user).login, ("Accept", "application/json")]
        body = None
        if value is not None:
            headers.append(("Content-Type", "application/json"))
            body = json.dumps(value).encode()
        try:
            reply = self.send(method, path, headers, body)
        except CONNECTION_ERRORS as error:
            raise ReplayFailed(f"the server does not answer: {error}") from error
        try:
            return reply.status, json.loads(reply.body)
        except ValueError:
            return reply.status, None

    def about(self) -> str:
        """Return the vendor and version that the server names. Raise ReplayFailed if it is not a CouchDB."""
        status, welcome = self.get("/")
        if status in (401, 403):
            raise ReplayFailed(f"{self.name} refuses this login: the URL needs an admin's name and password")
        if status != 200 or not isinstance(welcome, dict) or "couchdb" not in welcome:
            raise ReplayFailed(f"{self.name} does not speak CouchDB's API: GET / is answered with {status}")
        vendor = welcome.get("vendor")
        name = vendor.get("name") if isinstance(vendor, dict) else None
        return f"{name or 'a CouchDB'} {welcome.get('version', '')}".strip()


def split_login(url: str) -> tuple[str, str | None]:
    """Return a server's URL without login, path and trailing slash, and the login, ``name:password``, or None.

    Raise ReplayFailed if it is not the URL of a server.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError if it is not a number
    except ValueError as error:
        raise ReplayFailed(f"not a server's URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ReplayFailed("a server's URL is written http://name:password@host:port/")
    if parts.path not in ("", "/"):
        raise ReplayFailed(f"the URL of a server has no path: {parts.path}")
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "", "", "")), login
