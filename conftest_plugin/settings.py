"""What the plugin was told: marker before command line before environment before ini file.

Nothing here imports the fake or the client: a run that uses neither pays for neither.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

BACKENDS = ("in-process", "socket", "url")
ENGINES = ("quickjs", "js2py")
#: What only a fake can be told, and what the marker ``couch`` takes besides ``backend``.
FAKE_SETTINGS = ("js_engine", "admins", "config", "clock", "uuids")
MARKER = "couch"
#: The ini option that puts the client under the name ``couchdb``.
INSTALL_AS_COUCHDB = "couch_install_as_couchdb"
OPTIONS = {
    "couch_backend": f"where the fixtures find CouchDB: {', '.join(BACKENDS)} (default: in-process)",
    "couch_url": "run on this real server instead of a fake; only databases that the fixtures made are touched",
    "couch_js_engine": f"JavaScript engine of the fake: {', '.join(ENGINES)} (default: the best there is)",
}
_SOURCES = ("marker", "command line", "environment", "ini", "default")


@dataclass(frozen=True)
class Choice:
    """A value and where it was given; ``rank`` 0 is the strongest source."""

    value: Any
    rank: int
    name: str

    @property
    def source(self) -> str:
        return _SOURCES[self.rank] if self.rank in (0, 4) else f"{_SOURCES[self.rank]} {self.name}"


@dataclass(frozen=True)
class Settings:
    """The plugin's settings for a run, or for one test with its markers."""

    backend: Choice
    url: Choice
    js_engine: Choice
    fake: Mapping[str, Any]  # further arguments for the fake, from markers

    @property
    def on_real_server(self) -> bool:
        return bool(self.backend.value == "url")

    def header(self) -> str:
        """One line for pytest's header: what was chosen, and from where."""
        if self.on_real_server:
            return f"couchfake: {without_password(self.url.value)} ({self.url.source})"
        engine = self.js_engine
        name = engine.value or ("quickjs" if importlib.util.find_spec("_quickjs") else "js2py")
        return (
            f"couchfake: {self.backend.value} ({self.backend.source}), JavaScript {name} ({engine.source}),"
            f" collation {_collation()}"
        )


def _collation() -> str:
    """The name of the collation that a fake will choose, told without importing it."""
    for module in ("icu", "pyuca"):
        if importlib.util.find_spec(module):
            return module
    return "basic"


def without_password(url: str) -> str:
    """The URL with its password starred out."""
    return re.sub(r"(//[^/@:]*:)[^/@]*@", r"\1***@", url)


def settings_of(config: pytest.Config) -> Settings:
    """The settings of a run. Raises pytest.UsageError."""
    found = {name: _option(config, name) for name in OPTIONS}
    return _checked(found["couch_backend"], found["couch_url"], found["couch_js_engine"], {})


def _option(config: pytest.Config, name: str) -> Choice:
    option = "--" + name.replace("_", "-")
    variable = name.upper().replace("COUCH_", "COUCHFAKE_")
    if config.getoption(option) is not None:
        return Choice(config.getoption(option), 1, option)
    if os.environ.get(variable):
        return Choice(os.environ[variable], 2, variable)
    if config.getini(name):
        return Choice(config.getini(name), 3, name)
    return Choice(None, 4, name)


def with_marker(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """The settings of one test, whose markers say ``given``. Raises pytest.UsageError."""
    unknown = sorted(set(given) - {"backend", *FAKE_SETTINGS})
    if unknown:
        raise pytest.UsageError(
            f"@pytest.mark.{MARKER}: unknown setting {unknown[0]!r}; there are backend, {', '.join(FAKE_SETTINGS)}"
        )
    backend, engine = settings.backend, settings.js_engine
    if "backend" in given:
        backend = Choice(given["backend"], 0, "backend")
    if "js_engine" in given:
        engine = Choice(given["js_engine"], 0, "js_engine")
    fake = {name: given[name] for name in FAKE_SETTINGS if name in given and name != "js_engine"}
    return _checked(backend, settings.url, engine, fake)


def marker_settings(item: pytest.Item) -> dict[str, Any]:
    """What a test's ``couch`` markers say together, the closest first. Raises pytest.UsageError."""
    given: dict[str, Any] = {}
    for mark in item.iter_markers(MARKER):
        if mark.args:
            raise pytest.UsageError(f"@pytest.mark.{MARKER} at {item.nodeid}: takes names with values only")
        for name, value in mark.kwargs.items():
            given.setdefault(name, value)
    return given


def _checked(backend: Choice, url: Choice, engine: Choice, fake: Mapping[str, Any]) -> Settings:
    """Settings that fit together: a URL alone chooses the backend ``url``; where both are given the stronger wins."""
    if backend.value is None:
        backend = Choice("url" if url.value else "in-process", url.rank if url.value else 4, url.name)
    if backend.value not in BACKENDS:
        raise pytest.UsageError(f"{backend.source}: no backend {backend.value!r}; there are {', '.join(BACKENDS)}")
    if engine.value is not None and engine.value not in ENGINES:
        raise pytest.UsageError(f"{engine.source}: no engine {engine.value!r}; there are {', '.join(ENGINES)}")
    if url.value is not None:
        _check_url(url)
    if backend.value == "url" and url.value is None:
        raise pytest.UsageError(f"{backend.source}: the backend url needs one: give --couch-url as well")
    if backend.value != "url" and url.value is not None:
        if backend.rank == url.rank:
            raise pytest.UsageError(f"{backend.source} and {url.source} contradict each other")
        if url.rank < backend.rank:
            backend = Choice("url", url.rank, url.name)
    return Settings(backend, url, engine, fake)


def _check_url(url: Choice) -> None:
    message = f"{url.source}: {without_password(str(url.value))!r} is no URL of a CouchDB (http://host:5984/)"
    try:
        parts = urlsplit(url.value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise pytest.UsageError(message)
