"""Servers that live longer than a test, in the state that they were seeded with.

``couch_fixture`` makes a fixture. Its server is made and seeded once in its scope; what a test writes is undone when
the test ends. Undoing takes a snapshot right before the test's own fixtures and restores it right after them, so that
what fixtures of wider scopes wrote stays.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from conftest_plugin.settings import Settings, not_on_real_server, with_marker

if TYPE_CHECKING:
    import couchdb_client
    from conftest_plugin.address import Address
    from conftest_plugin.fakes import FakeBackend
    from conftest_plugin.real_server import RealBackend, RealSeed
    from couchfake.control.snapshots import Snapshot

Scope = Literal["session", "package", "module", "class", "function"]
_DATABASE = re.compile(r"[a-z][a-z0-9_$()+/-]*|_users|_replicator|_global_changes")
MADE_HERE = "_couch_fixture"
"""The attribute by which the functions of ``couch_fixture``'s fixtures are known."""


def couch_fixture(
    database: str | None = None,
    *,
    seed: Any = None,
    scope: Scope = "function",
    params: Iterable[Mapping[str, Any]] | None = None,
    ids: Any = None,
    autouse: bool = False,
    name: str | None = None,
    **settings: Any,
) -> Any:
    """Return a fixture with its own CouchDB server, for a ``conftest.py`` or a test module.

        shop = couch_fixture("shop", seed="tests/seeds/shop", scope="session")

    The fixture's value is a ``couchdb_client.Database`` if ``database`` names one, else a ``couchdb_client.Server``.
    The database is created if the seed does not have it. ``couch``, ``couch_url`` and ``couchfake`` are the same
    server in a test that uses the fixture.

    ``seed``: a file or folder that ``CouchFake.load`` reads; a relative path starts at pytest's root directory.
    ``scope``: one of pytest's scopes. Every test starts with what the fixtures of wider scopes wrote.
    ``params``: dicts of settings; the tests run once with each. ``ids``, ``autouse``, ``name``: as for
    ``pytest.fixture``. ``settings``: those of the marker ``couch`` (``backend``, ``js_engine``, ``admins``,
    ``config``, …).
    """
    beside = Path(sys._getframe(1).f_code.co_filename).parent
    rows = None if params is None else [dict(row) for row in params]

    def made(request: pytest.FixtureRequest) -> Iterator[Any]:
        from conftest_plugin.run import run_of

        given = {**settings, **(request.param if rows is not None else {})}
        fixture_name = request.fixturename or "couch_fixture"
        if database is not None and not _DATABASE.fullmatch(database):
            raise pytest.UsageError(
                f"couch_fixture {fixture_name}: {database!r} is not a database's name: a lowercase letter, followed by"
                " lowercase letters, digits and any of _$()+-/"
            )
        run = run_of(request.config)
        path = None if seed is None else _seed_path(request.config.rootpath, seed, fixture_name, beside)
        server = run.open(given, fixture_name, request.scope, path, database)
        try:
            yield server.value
        finally:
            run.close(fixture_name)

    made.__name__ = name or "couch_fixture"  # pytest names it so in its messages
    setattr(made, MADE_HERE, True)
    decorate: Any = pytest.fixture(scope=scope, params=rows, ids=ids, autouse=autouse, name=name)
    return decorate(made)


def _seed_path(root: Path, seed: Any, fixture: str, beside: Path) -> Path:
    """Return a seed's path. Raise pytest.UsageError if there is none, with the one that may be meant."""
    path = Path(root, seed)
    if path.exists():
        return path
    near = beside / seed
    meant = f"; write seed={os.path.relpath(near, root)!r}" if near.exists() else ""
    raise pytest.UsageError(
        f"couch_fixture {fixture}: there is no seed {path} (a relative path starts at pytest's root directory){meant}"
    )


_FOUND = pytest.StashKey[dict[str, str]]()


def couch_fixtures_of(item: Any) -> dict[str, str]:
    """Return the names of the ``couch_fixture`` fixtures that a test uses, with their scopes, widest scope first."""
    stash: pytest.Stash | None = getattr(item, "stash", None)
    names = None if stash is None else stash.get(_FOUND, None)
    if names is None:
        names = _find(item)
        if stash is not None:
            stash[_FOUND] = names
    return names


def _find(item: Any) -> dict[str, str]:
    found = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    names = {}
    for name in getattr(item, "fixturenames", ()):
        definitions = found.get(name)
        if definitions and hasattr(_function_of(definitions[-1]), MADE_HERE):
            names[name] = definitions[-1].scope
    return names


def _function_of(definition: Any) -> Callable[..., Any]:
    function: Callable[..., Any] = definition.func
    return function


class ScopedServer:
    """The server of one such fixture, from its setup to its teardown."""

    def __init__(self, backend: FakeBackend | RealBackend, scope: str, seed: Any, database: str | None) -> None:
        self.backend = backend
        self.outlives_tests = scope != "function"
        self._snapshot: Snapshot | None = None
        self._real_seed: RealSeed | None = None
        self.names: dict[str, str] = {}
        """What databases of the fixture are called on a real server, by the names that they have on a fake."""
        self.environment = contextlib.ExitStack()
        """Undoes at the end what the server set in the environment."""
        if seed is not None:
            self._load(seed, database)
        self.server = backend.server()
        self.value: Any = self.server if database is None else self._database(database)
        if not self.outlives_tests:
            backend.attach()

    def _load(self, seed: Any, database: str | None) -> None:
        from conftest_plugin.fakes import FakeBackend

        db = database if Path(seed).is_file() else None  # a folder names its databases
        if isinstance(self.backend, FakeBackend):
            self.backend.load(seed, db)
            return
        from conftest_plugin.real_server import RealSeed

        self._real_seed = RealSeed(self.backend, seed, db)
        self.names.update(self._real_seed.names)

    def _database(self, database: str) -> couchdb_client.Database:
        import couchdb_client

        if database in self.names:
            name = self.names[database]
            return couchdb_client.Database(self.server.resource(name), name)
        made = self.backend.database(self.server, database)
        if made.name != database:
            self.names[database] = made.name
        return made

    def begin(self) -> None:
        """Remember the state, and put the server behind the run's address."""
        self.remember()
        self.backend.attach()

    def remember(self) -> None:
        """Remember the state, for ``end``."""
        fake = getattr(self.backend, "fake", None)
        if fake is not None and self._snapshot is None:
            self._snapshot = fake.snapshot()
            fake.requests.begin()

    def end(self) -> None:
        """Go back to the state at ``begin``, and leave the run's address."""
        snapshot, self._snapshot = self._snapshot, None
        self.backend.detach()
        if snapshot is not None:
            snapshot.restore()
            snapshot.discard()
        elif self._real_seed is not None:
            self._real_seed.restore()


def settings_for(run_settings: Settings, given: Mapping[str, Any], where: str) -> Settings:
    """Return the settings of a fixture's server. Skip the test if a real server cannot have them."""
    settings = with_marker(run_settings, given, where)
    if settings.on_real_server:
        reason = not_on_real_server(settings, given)
        if reason is not None:
            pytest.skip(reason)
    return settings


def new_backend(settings: Settings, address: Address | None, *, with_admin: bool = False) -> FakeBackend | RealBackend:
    """Make the server that the settings describe."""
    if settings.on_real_server:
        from conftest_plugin.real_server import RealBackend

        return RealBackend(settings)
    from conftest_plugin.fakes import FakeBackend

    return FakeBackend(settings, address, with_admin=with_admin)
