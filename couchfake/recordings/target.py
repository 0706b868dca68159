"""The server that recordings are played on, and what keeps a check from harming it.

Nothing that exists is deleted, and settings are put back. A scenario begins by making its databases and ends by
deleting them, so it may be played only where none of them exists. Users and replications are documents of databases
that belong to the server: they may not exist either, and are removed after a scenario that makes them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from couchfake import CouchFake
from couchfake.recordings.player import Conversation, Sender, in_process, over_socket

DEFAULT_USER = "adm:pass"
"""The admin's login with which the shipped recordings were made."""

CONNECTION_ERRORS = (OSError, http.client.HTTPException)


class ReplayFailed(Exception):
    """A file that is not a recording, or a server that cannot be tested. The message says so in one line."""


class WrongArguments(ReplayFailed):
    """An argument that cannot be used: an unknown area, or a URL or file that is not of the right kind."""


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
            raise self.unanswered(error) from error
        try:
            return reply.status, json.loads(reply.body)
        except ValueError:
            return reply.status, None

    def unanswered(self, error: Exception) -> ReplayFailed:
        """Return the ReplayFailed that says that no connection to the server can be made, or that it broke."""
        return ReplayFailed(f"{self.name} does not answer: {getattr(error, 'strerror', None) or error}")

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

    Raise WrongArguments if it is not the URL of a server.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError if it is not a number
    except ValueError as error:
        raise WrongArguments(f"not a server's URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongArguments("a server's URL is written http://name:password@host:port/")
    if parts.path not in ("", "/"):
        raise WrongArguments(f"the URL of a server has no path: {parts.path}")
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "", "", "")), login


_SETTING = re.compile(r"/_node/[^/{]+/_config/[^/{]+/[^/{]+|/_(?:users|replicator)/_security")
_DOCUMENT = re.compile(r"/(_users|_replicator)/([^_/{][^/{]*)")
_EDITABLE = "/_node/_local/_config/couchdb/users_db_security_editable"
_SHOWN = 5
_USER = "org.couchdb.user:"


def refuse_to_overwrite(scenarios: Iterable[dict[str, Any]], target: Target, remedy: str = "") -> None:
    """Raise ReplayFailed if the server has a database, user or replication that a scenario makes and deletes.

    ``remedy`` ends the message if one of them is a database.
    """
    scenarios = list(scenarios)
    existing = set(databases_of(target))
    wanted = {name for scenario in scenarios for name in scenario.get("databases", []) if not name.startswith("_")}
    taken = [f"the database {name}" for name in sorted(wanted & existing)]
    advice = remedy if taken else ""
    for database, ids in _documents_made(scenarios).items():
        if database in existing:
            taken += [_described(database, each) for each in _existing(target, database, sorted(ids))]
    if taken:
        more = f" and {len(taken) - _SHOWN} more" if len(taken) > _SHOWN else ""
        raise ReplayFailed(
            f"{target.name} has {', '.join(taken[:_SHOWN])}{more}, which the recordings make and delete."
            f" Nothing was changed. If an interrupted run left them behind, delete them and start again{advice}"
        )


def _described(database: str, docid: str) -> str:
    if database == "_users":
        return f"the user {docid.removeprefix(_USER)} ({database}/{docid})"
    return f"the replication {docid} ({database}/{docid})"


@contextlib.contextmanager
def documents_removed(scenario: dict[str, Any], target: Target) -> Iterator[None]:
    """Remove the users and replications that a scenario makes at its end. Those that existed before it stay.

    Users are purged, so that the next one of that name has a first revision again. If the server refuses that, say so
    on standard error: the deleted revisions stay.
    """
    made = [
        (database, docid, f"/{database}/{quote(docid, safe='')}")
        for database, ids in sorted(_documents_made([scenario]).items())
        for docid in sorted(ids)
    ]
    absent = [(database, docid, path) for database, docid, path in made if target.get(path)[0] == 404]
    deleted_before = {path for database, docid, path in absent if database == "_users" and _leaves(target, path)}
    try:
        yield
    finally:
        for database, docid, path in absent:
            status, document = target.get(path)
            if status == 200:  # deleted first: a purge alone would not end a replication or a login
                target.request("DELETE", f"{path}?rev={document['_rev']}")
            if database == "_users":
                _purge_user(target, docid, path, path in deleted_before)


def _leaves(target: Target, path: str) -> list[str]:
    """Return the revisions without successors of a document, deleted ones too."""
    status, found = target.get(f"{path}?open_revs=all")
    return [each["ok"]["_rev"] for each in found if "ok" in each] if status == 200 and isinstance(found, list) else []


def _purge_user(target: Target, docid: str, path: str, was_deleted_before: bool) -> None:
    name = docid.removeprefix(_USER)
    if was_deleted_before:  # not ours to purge: another server that replicates from this one would bring the user back
        print(
            f"couchfake: {target.name} had a deleted user {name} before; revisions of a new one count on from it,"
            " and can differ from the recorded ones",
            file=sys.stderr,
        )
        return
    leaves = _leaves(target, path)
    if not leaves:
        return
    status, _ = target.request("POST", "/_users/_purge", {docid: leaves})
    if status not in (201, 202):
        print(
            f"couchfake: {target.name} does not let this login purge the user {name} (status {status}): the user is"
            " deleted, but revisions of a new one count on, and another replay can differ in them",
            file=sys.stderr,
        )


def databases_in_the_way(scenario: dict[str, Any], target: Target) -> list[str]:
    """Return which of the databases that a scenario makes and deletes exist.

    They are the server's own (``_global_changes``), or were made since ``refuse_to_overwrite`` looked.
    """
    return [name for name in scenario.get("databases", []) if target.get("/" + quote(name, safe=""))[0] != 404]


def databases_of(target: Target) -> list[str]:
    """Return the names of all databases. Raise ReplayFailed if the server does not list them."""
    status, names = target.get("/_all_dbs")
    if status != 200 or not isinstance(names, list):
        raise ReplayFailed(
            f"{target.name} does not list its databases to this login: GET /_all_dbs is answered with {status};"
            " the URL needs an admin's name and password"
        )
    return names


def _documents_made(scenarios: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    made = defaultdict(set)
    for scenario in scenarios:
        for step in scenario["steps"]:
            match = _DOCUMENT.fullmatch(step["request"]["path"].partition("?")[0])
            if match and step["request"]["method"] == "PUT" and step["response"]["status"] == 201:
                made[match[1]].add(unquote(match[2]))
    return made


def _existing(target: Target, database: str, ids: list[str]) -> list[str]:
    status, answer = target.request("POST", f"/{database}/_all_docs", {"keys": ids})
    if status != 200 or not isinstance(answer, dict):
        return []
    rows = [row for row in answer.get("rows", []) if isinstance(row, dict)]
    return [row["id"] for row in rows if "id" in row and not (row.get("value") or {}).get("deleted")]


@contextlib.contextmanager
def settings_kept(scenario: dict[str, Any], target: Target) -> Iterator[None]:
    """Put the configuration and the security objects that a scenario changes back as they were before it."""
    paths = {
        step["request"]["path"].partition("?")[0]
        for step in scenario["steps"]
        if step["request"]["method"] in ("PUT", "DELETE")
    }
    before = {path: target.get(path) for path in sorted(paths) if _SETTING.fullmatch(path)}
    security = {path: answer for path, answer in before.items() if path.endswith("/_security")}
    if security:
        before[_EDITABLE] = target.get(_EDITABLE)
    try:
        yield
    finally:
        for path, answer in security.items():
            if target.get(path) != answer:
                target.request("PUT", _EDITABLE, "true")
                target.request("PUT", path, answer[1])
        for path in before.keys() - security.keys():
            _put_back(target, path, *before[path])


RECORDED_SETTINGS = {"/_node/_local/_config/chttpd_auth/iterations": "600000"}
"""Settings of the recorded server that show in its answers, by path: the rounds of a password's hash."""


@contextlib.contextmanager
def settings_as_recorded(target: Target) -> Iterator[list[str]]:
    """Give the server the settings of the recorded one, and put its own back. Yield what it refuses, a line each."""
    before = {path: target.get(path) for path in RECORDED_SETTINGS}
    refused = []
    try:
        for path, value in RECORDED_SETTINGS.items():
            if before[path] == (200, value):
                continue
            status, _ = target.request("PUT", path, value)
            if status != 200:
                section, _, key = path.partition("/_config/")[2].partition("/")
                refused.append(f"[{section}] {key} cannot be set to {value}, as it was recorded with: status {status}")
        yield refused
    finally:
        for path, answer in before.items():
            _put_back(target, path, *answer)


def _put_back(target: Target, path: str, status: int, value: Any) -> None:
    if status == 200 and target.get(path) != (status, value):
        target.request("PUT", path, value)
    elif status == 404 and target.get(path)[0] == 200:
        target.request("DELETE", path)
