"""Where the fixtures' servers come from: a fake in this process, the same on a socket, or a real server."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from conftest_plugin.settings import Settings, without_password

if TYPE_CHECKING:
    import couchdb_client
    from couchfake import CouchFake


def new_fake(settings: Settings) -> CouchFake:
    """A fresh, empty fake. Raises pytest.UsageError where its settings are no good."""
    from couchfake import CouchFake
    from couchfake.query_server.engines.engine import EngineUnavailable, choose_engine

    try:
        if settings.js_engine.value is not None:
            choose_engine(settings.js_engine.value)
        return CouchFake(js_engine=settings.js_engine.value, **settings.fake)
    except EngineUnavailable as error:
        raise pytest.UsageError(f"{settings.js_engine.source}: {error}") from None


def with_login(url: str, admins: dict[str, str] | None) -> str:
    """The URL with the first admin's name and password."""
    if not admins:
        return url
    name, password = next(iter(admins.items()))
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{quote(name, safe='')}:{quote(password, safe='')}@{parts.netloc}"))


class FakeBackend:
    """One fake and the ways to it; ``socket`` says whether the client goes through a socket."""

    def __init__(self, settings: Settings, *, socket: bool) -> None:
        self.fake = new_fake(settings)
        self._admins = settings.fake.get("admins")
        self._socket = socket

    @property
    def url(self) -> str:
        """A URL for any program. Starts the socket if it is not there yet."""
        return with_login(self.fake.start(), self._admins)

    def server(self) -> couchdb_client.Server:
        import couchdb_client
        from couchfake.transports.in_process.adapter import BASE_URL

        if self._socket:
            return couchdb_client.Server(self.url)
        return couchdb_client.Server(with_login(BASE_URL + "/", self._admins), session=self.fake.session())

    def database(self, server: couchdb_client.Server) -> couchdb_client.Database:
        """A new database, made without the requests of ``server.create``: most tests begin with this."""
        import couchdb_client

        name = database_name()
        self.fake.node.create_database(name)
        return couchdb_client.Database(server.resource(name), name)

    def close(self) -> None:
        self.fake.close()


class RealBackend:
    """A real server by its URL: the databases that are made here are deleted in the end, and nothing else."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: list[str] = []

    def server(self) -> couchdb_client.Server:
        import couchdb_client

        made = self._made

        class Server(couchdb_client.Server):
            """Remembers which databases it made."""

            def create(self, name: str) -> couchdb_client.Database:
                database = super().create(name)  # a PreconditionFailed says that it is somebody else's
                made.append(name)
                return database

        return Server(self.url)

    def database(self, server: couchdb_client.Server) -> couchdb_client.Database:
        return server.create(database_name())

    def close(self) -> None:
        import couchdb_client

        server = couchdb_client.Server(self.url)
        while self._made:
            with contextlib.suppress(couchdb_client.ResourceNotFound):  # the test deleted it
                server.delete(self._made.pop())


def database_name() -> str:
    """A name that no other test, worker or run has."""
    return f"couchfake-test-{uuid.uuid4().hex}"


def check_reachable(settings: Settings) -> None:
    """See whether a real server answers at all. Raises pytest.UsageError."""
    import couchdb_client

    told = f"{settings.url.source}: {without_password(settings.url.value)}"
    try:
        couchdb_client.Server(settings.url.value).version()
    except couchdb_client.Unauthorized:
        raise pytest.UsageError(f"{told} refuses this name and password") from None
    except (OSError, couchdb_client.HTTPError, ValueError, KeyError, TypeError) as error:
        raise pytest.UsageError(f"{told} does not answer as a CouchDB: {type(error).__name__}") from error


Backend: TypeAlias = "FakeBackend | RealBackend"
