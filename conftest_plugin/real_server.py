"""A real CouchDB by its URL, as the server behind the fixtures.

The databases that the fixtures made are deleted, and no others, except those whose names begin with ``couch_prefix``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import pytest

from conftest_plugin.fakes import Admin
from conftest_plugin.settings import TEST_DATABASE_PREFIX, Settings, database_name, without_password

if TYPE_CHECKING:
    import couchdb_client

CHECK_TIMEOUT = 5.0  # seconds for the one request that sees whether the server answers


def login_of(url: str) -> Admin | None:
    """Return the login in a URL, or None if it has none."""
    parts = urlsplit(url)
    return Admin(unquote(parts.username), unquote(parts.password or "")) if parts.username else None


def without_login(url: str) -> str:
    """Return the URL without a name and a password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def with_slash(url: str) -> str:
    return url if url.endswith("/") else url + "/"


def check_reachable(settings: Settings) -> None:
    """Ask the server for its version once. Raise pytest.UsageError with one sentence if it is of no use."""
    import requests

    url = with_slash(settings.url.value)
    where = f"{settings.url.source}: {without_password(url)}"
    answer: Any = None
    with requests.Session() as session:
        session.trust_env = False
        try:
            response = session.get(url + "_session", timeout=CHECK_TIMEOUT)
            answer = response.json()
            status = response.status_code
        except requests.exceptions.JSONDecodeError:
            status = 0
        except requests.exceptions.Timeout:
            raise pytest.UsageError(f"{where} did not answer within {CHECK_TIMEOUT:g} seconds") from None
        except requests.exceptions.RequestException as error:
            raise pytest.UsageError(f"{where} cannot be reached: {_cause(error)}") from None
    if status in (401, 403):
        reason = answer.get("reason", "") if isinstance(answer, dict) else ""
        raise pytest.UsageError(f"{where} refuses this name and password: {reason}".rstrip(": "))
    if status != 200 or not isinstance(answer, dict) or "userCtx" not in answer:
        raise pytest.UsageError(f"{where} does not answer as a CouchDB does")
    if "_admin" not in answer["userCtx"].get("roles", ()):
        user = login_of(url)
        problem = (
            f"{user.name!r} is not a server admin there" if user else "the URL has no login, and the server needs one"
        )
        raise pytest.UsageError(f"{where}: {problem}: give an admin's, as in http://NAME:PASSWORD@host:5984/")


def _cause(error: BaseException) -> str:
    """The innermost reason of a failed connection, which has no URL in it."""
    cause: BaseException = error
    while True:
        inner = cause.__cause__ or cause.__context__ or getattr(cause, "reason", None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return cause.strerror or type(cause).__name__ if isinstance(cause, OSError) else type(cause).__name__


class RealBackend:
    """A real server. ``settings`` may hold ``config``, which is applied and put back."""

    def __init__(self, settings: Settings) -> None:
        self.admin = login_of(settings.url.value)
        self._url = with_slash(settings.url.value)
        self._made: list[str] = []
        self._users: list[str] = []
        self._undo = contextlib.ExitStack()
        self._configure(settings.fake.get("config") or {})

    @property
    def url(self) -> str:
        return self._url

    def attach(self) -> None:
        """Nothing to do: a real server has its own address."""

    def detach(self) -> None:
        """Nothing to do: a real server has its own address."""

    def server(self) -> couchdb_client.Server:
        import couchdb_client

        made, users = self._made, self._users

        class Server(couchdb_client.Server):
            """Remembers which databases and users it made."""

            def add_user(self, name: str, password: str, roles: list[str] | None = None) -> tuple[str, str | None]:
                added = super().add_user(name, password, roles)
                users.append(name)
                return added

            def create(self, name: str, *arguments: Any, **options: Any) -> couchdb_client.Database:
                database = super().create(name, *arguments, **options)  # PreconditionFailed if it exists already
                made.append(name)
                return database

        return Server(self._url)

    def database(self, server: couchdb_client.Server, name: str | None = None) -> couchdb_client.Database:
        """Create a database with a name of its own; ``name`` becomes a part of it."""
        return server.create(database_name(name))

    def adopt(self, name: str) -> None:
        """Delete this database at the end too."""
        self._made.append(name)

    def _configure(self, config: Mapping[str, Mapping[str, Any]]) -> None:
        for section, keys in config.items():
            for key, value in keys.items():
                self._set(f"{self._url}_node/_local/_config/{quote(section)}/{quote(key)}", str(value))

    def _set(self, url: str, value: str) -> None:
        import requests

        def ask(method: str, body: str | None = None) -> Any:
            answer = requests.request(method, url, json=body, timeout=CHECK_TIMEOUT)
            if answer.status_code == 404 and method == "GET":
                return None
            answer.raise_for_status()
            return answer.json()

        old = ask("GET")
        ask("PUT", value)
        if old is None:
            self._undo.callback(ask, "DELETE")
        else:
            self._undo.callback(ask, "PUT", old)

    def close(self) -> None:
        import couchdb_client

        self._undo.close()
        server = couchdb_client.Server(self._url)
        while self._users:
            with contextlib.suppress(couchdb_client.ResourceNotFound):
                server.remove_user(self._users.pop())
        while self._made:
            with contextlib.suppress(couchdb_client.ResourceNotFound):  # the test deleted it
                server.delete(self._made.pop())


class Leftovers:
    """Databases that an application made on a real server during the run.

    Those whose names begin with ``prefix`` are deleted, the others are named at the end of the run. So are users.
    """

    def __init__(self, url: str, prefix: str | None) -> None:
        self._url = with_slash(url)
        self._prefix = prefix
        self._before = self._names()
        self._users_before = self._user_ids()
        self.others: list[str] = []
        self.users: list[str] = []

    def collect(self) -> None:
        """Look for new databases and delete those that match the prefix."""
        import couchdb_client

        server = couchdb_client.Server(self._url)
        for name in sorted(self._names() - self._before):
            if name.startswith(TEST_DATABASE_PREFIX):
                continue  # of a fixture, here or in another worker, which deletes it itself
            if self._prefix and name.startswith(self._prefix):
                with contextlib.suppress(couchdb_client.ResourceNotFound):
                    server.delete(name)
            elif name not in self.others:
                self.others.append(name)

    def collect_users(self) -> None:
        """Look for new users, which are named at the end of the run."""
        self.users = sorted(each.partition(":")[2] for each in self._user_ids() - self._users_before)

    def _user_ids(self) -> set[str]:
        import couchdb_client

        if "_users" not in self._before:
            return set()
        prefix = "org.couchdb.user:"
        users = couchdb_client.Server(self._url)["_users"]
        return {row.id for row in users.view("_all_docs", startkey=prefix, endkey=prefix + "\ufff0")}

    def _names(self) -> set[str]:
        import couchdb_client

        return set(couchdb_client.Server(self._url))


class RealSeed:
    """A seed in databases with names of their own, loaded again only if a test changed them."""

    def __init__(self, backend: RealBackend, seed: Any, db: str | None) -> None:
        self._backend = backend
        self._db = db
        self._seed = Path(seed)
        self.names: dict[str, str] = {}  # of the seed's databases, with the names that they have on the server
        self._marks: dict[str, str] = {}
        self._load()

    def restore(self) -> None:
        """Load those databases again that are not as they were loaded."""
        changed = [name for name in self.names if self._mark(self.names[name]) != self._marks[name]]
        if changed:
            self._load(changed)

    def _load(self, only: list[str] | None = None) -> None:
        import requests

        import couchdb_client
        from couchfake.control.seeds.documents import SeedError
        from couchfake.control.seeds.folders import read_seed
        from couchfake.control.seeds.servers import Couch, load_into

        server = couchdb_client.Server(self._backend.url)
        try:
            chosen = [each for each in read_seed(self._seed, self._db) if only is None or each.name in only]
            for each in chosen:
                if each.name.startswith("_"):
                    pytest.skip(
                        f"seed {str(self._seed)!r} has the database {each.name}, which a real server has already"
                    )
                if each.name not in self.names:
                    self.names[each.name] = database_name(each.name)
                    self._backend.adopt(self.names[each.name])
                with contextlib.suppress(couchdb_client.ResourceNotFound):
                    server.delete(self.names[each.name])
            with requests.Session() as session:
                load_into(Couch(session, self._backend.url), [replace(x, name=self.names[x.name]) for x in chosen])
        except SeedError as error:
            raise pytest.UsageError(str(error)) from None
        for each in chosen:
            self._marks[each.name] = self._mark(self.names[each.name])

    def _mark(self, name: str) -> str:
        """What changes with a write: the sequence's number, the counts and the rights."""
        import couchdb_client

        resource = couchdb_client.Server(self._backend.url).resource(name)
        try:
            info = resource.get_json()[2]
        except couchdb_client.ResourceNotFound:
            return ""
        number = str(info["update_seq"]).partition("-")[0]
        counts = [number, info["doc_count"], info["doc_del_count"], resource.get_json("_security")[2]]
        return json.dumps(counts, sort_keys=True)
