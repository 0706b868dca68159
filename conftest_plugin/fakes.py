"""A fake as the server behind the fixtures: in process or on a socket."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from conftest_plugin.settings import Settings, database_name

if TYPE_CHECKING:
    import couchdb_client
    from conftest_plugin.address import Address
    from couchfake import CouchFake
    from couchfake.control.faults import Fault


class Admin(NamedTuple):
    """A server admin's login."""

    name: str
    password: str


def new_fake(settings: Settings) -> CouchFake:
    """Return a fresh, empty fake. Raise pytest.UsageError if its settings are wrong."""
    from couchfake import CouchFake
    from couchfake.config import UnknownSetting, check_spelling
    from couchfake.query_server.engines import EngineUnavailable, choose_engine

    try:
        check_spelling(settings.fake.get("config") or {}, strict=True)
        if settings.js_engine.value is not None:
            choose_engine(settings.js_engine.value)
        return CouchFake(js_engine=settings.js_engine.value, **settings.fake)
    except UnknownSetting as error:
        raise pytest.UsageError(f"config: {error}") from None
    except EngineUnavailable as error:
        raise pytest.UsageError(f"{settings.js_engine.source}: {error}") from None


def with_login(url: str, admin: Admin | None) -> str:
    """Return the URL with an admin's name and password."""
    from couchfake.testing.block import url_with_login

    return url_with_login(url, None if admin is None else {admin.name: admin.password})


class FakeBackend:
    """A fake and the ways to reach it.

    ``address`` is the run's address; without one the fake opens a socket of its own. ``with_admin`` makes an admin if
    the settings name none.
    """

    def __init__(self, settings: Settings, address: Address | None = None, *, with_admin: bool = False) -> None:
        admins = dict(settings.fake.get("admins") or {})
        if with_admin and not admins:
            admins = {"admin": secrets.token_urlsafe(9)}
            settings = settings.with_fake(admins=admins)
        self.gates = settings.gates
        """What each test may not do with this server."""
        self.fake = new_fake(settings)
        self.admin = Admin(*next(iter(admins.items()))) if admins else None
        self._address = address
        self._socket = settings.backend.value == "socket" or address is None
        self._undo = contextlib.ExitStack()
        for fault in settings.faults:
            self.add_fault(fault)
        for url in settings.intercept:
            self.start()
            self._undo.enter_context(self.fake.intercept(url))

    def start(self) -> str:
        """Serve the fake at the run's address, and return the URL without a login."""
        return self.fake.start(shared=self._address.open() if self._address is not None else None)

    def add_fault(self, arguments: Mapping[str, Any]) -> Fault:
        """Switch a marker's fault on. Raise pytest.UsageError if there is no such fault."""
        try:
            return self.fake.faults.add(**arguments)
        except ValueError as error:
            raise pytest.UsageError(f"@pytest.mark.couch: faults: {error}") from None

    def attach(self) -> None:
        """Put the fake behind the run's address, before all others, if that is open.

        A socket that nobody uses is not opened.
        """
        if self._address is not None and self._address.is_open:
            self.start()
            self._address.attach(self.fake, self.admin)

    def detach(self) -> None:
        """Take the fake away from the run's address."""
        self.fake.stop()
        self._leave_address()

    def _leave_address(self) -> None:
        if self._address is not None:
            self._address.left_by(self.fake)

    @property
    def url(self) -> str:
        """A URL for any program, with a login if there are admins."""
        return with_login(self.start(), self.admin)

    def server(self) -> couchdb_client.Server:
        """A client that is logged in as the first admin."""
        import couchdb_client
        from couchfake.transports.in_process import BASE_URL

        if self._socket:
            return couchdb_client.Server(self.url)
        return couchdb_client.Server(with_login(BASE_URL + "/", self.admin), session=self.fake.session())

    def database(self, server: couchdb_client.Server, name: str | None = None) -> couchdb_client.Database:
        """Create a database without the requests of ``server.create``: most tests begin with this."""
        import couchdb_client

        name = name or database_name()
        if name not in self.fake.node.databases:
            self.fake.node.create_database(name)
        return couchdb_client.Database(server.resource(name), name)

    def load(self, seed: Any, db: str | None) -> None:
        """Load a seed, that of ``db`` alone or of a server. Raise pytest.UsageError if it cannot be read."""
        try:
            self.fake.load(seed, db)
        except (OSError, ValueError) as error:
            raise pytest.UsageError(str(error)) from None

    def close(self) -> None:
        self._undo.close()
        self.fake.close()
        self._leave_address()
