"""Fixtures with a CouchDB for pytest: ``couch``, ``couch_db``, ``couch_url``, ``couchfake``, ``make_couch``.

Loaded through the entry point ``couchfake`` (``-p no:couchfake`` turns it off). A run that uses none of the fixtures
imports neither the fake nor the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from conftest_plugin.settings import (
    BACKENDS,
    ENGINES,
    FAKE_SETTINGS,
    INSTALL_AS_COUCHDB,
    MARKER,
    OPTIONS,
    Settings,
    marker_settings,
    settings_of,
    with_marker,
)

if TYPE_CHECKING:
    import couchdb_client
    from conftest_plugin.backends import Backend
    from couchfake import CouchFake

_SETTINGS = pytest.StashKey[Settings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("couchfake", "CouchDB for tests")
    choices = {"couch_backend": BACKENDS, "couch_js_engine": ENGINES}
    for name, text in OPTIONS.items():
        option = "--" + name.replace("_", "-")
        group.addoption(option, default=None, choices=choices.get(name), metavar=name[6:].upper(), help=text)
        parser.addini(name, text, default=None)
    parser.addini(INSTALL_AS_COUCHDB, "make 'import couchdb' import couchdb_client", type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Install the client as ``couchdb`` before any conftest.py can import that name."""
    if early_config.getini(INSTALL_AS_COUCHDB):
        from couchdb_client import install_as_couchdb

        try:
            install_as_couchdb()
        except ImportError as error:
            raise pytest.UsageError(f"{INSTALL_AS_COUCHDB}: {error}") from None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARKER}(backend=..., {'=..., '.join(FAKE_SETTINGS)}=...): the CouchDB that a test wants"
    )
    config.stash[_SETTINGS] = settings_of(config)


def pytest_report_header(config: pytest.Config) -> str:
    return config.stash[_SETTINGS].header()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A wrong marker ends the run before the first test; under xdist, which knows no such end, its test fails."""
    if hasattr(config, "workerinput"):
        return
    for item in items:
        given = marker_settings(item)
        if given:
            with_marker(config.stash[_SETTINGS], given)


@pytest.fixture(scope="session")
def _couch_reachable() -> Callable[[Settings], None]:
    """Checks a real server once in a run."""
    seen: list[str] = []

    def check(settings: Settings) -> None:
        from conftest_plugin.backends import check_reachable

        if not seen:
            check_reachable(settings)
            seen.append(settings.url.value)

    return check


@pytest.fixture
def _couch_settings(request: pytest.FixtureRequest) -> Settings:
    settings = request.config.stash[_SETTINGS]
    given = marker_settings(request.node)
    if not given:
        return settings
    settings = with_marker(settings, given)
    if settings.on_real_server and (settings.fake or "js_engine" in given):
        pytest.skip(f"the marker {MARKER} asks for what a real server cannot be told")
    return settings


@pytest.fixture
def _couch_backend(_couch_settings: Settings, _couch_reachable: Callable[[Settings], None]) -> Iterator[Backend]:
    from conftest_plugin.backends import FakeBackend, RealBackend

    backend: Backend
    if _couch_settings.on_real_server:
        _couch_reachable(_couch_settings)
        backend = RealBackend(_couch_settings.url.value)
    else:
        backend = FakeBackend(_couch_settings, socket=_couch_settings.backend.value == "socket")
    yield backend
    backend.close()


@pytest.fixture
def couchfake(_couch_settings: Settings, request: pytest.FixtureRequest) -> CouchFake:
    """The fake itself: its clock, its log, its application. Skips the test on a real server."""
    if _couch_settings.on_real_server:
        pytest.skip("there is no fake behind a real server's URL")
    fake: CouchFake = request.getfixturevalue("_couch_backend").fake
    return fake


@pytest.fixture
def couch(_couch_backend: Backend) -> couchdb_client.Server:
    """A server: a fresh, empty fake, or the real one. With admins, logged in as the first of them."""
    return _couch_backend.server()


@pytest.fixture
def couch_db(couch: couchdb_client.Server, _couch_backend: Backend) -> couchdb_client.Database:
    """A fresh database, gone after the test."""
    return _couch_backend.database(couch)


@pytest.fixture
def couch_url(_couch_backend: Backend) -> str:
    """The same server's URL, with a login where it needs one, for any program in any language while the test runs."""
    return _couch_backend.url


@pytest.fixture
def make_couch(_couch_settings: Settings) -> Iterator[Callable[..., couchdb_client.Server]]:
    """Makes further servers, each a fake of its own on a socket of its own, so that they can replicate.

    Takes what the marker takes but ``backend``. Skips the test on a real server, which cannot be multiplied.
    """
    from conftest_plugin.backends import FakeBackend

    if _couch_settings.on_real_server:
        pytest.skip("there is one real server only")
    made: list[FakeBackend] = []

    def make(**given: Any) -> couchdb_client.Server:
        if "backend" in given:
            raise pytest.UsageError("make_couch: each server has a socket; there is no backend to choose")
        made.append(FakeBackend(with_marker(_couch_settings, given), socket=True))
        return made[-1].server()

    yield make
    for backend in made:
        backend.close()
