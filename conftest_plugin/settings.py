"""The plugin's settings: the marker counts before the command line, the environment, and the ini file.

Nothing here imports the fake or the client: a run that uses neither pays for neither.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from conftest_plugin.secrets import secrets_of

BACKENDS = ("in-process", "socket", "url")
ENGINES = ("quickjs", "js2py")
FAKE_SETTINGS = ("js_engine", "admins", "config", "clock", "uuids")
"""Arguments of ``CouchFake`` that the marker ``couch`` and ``couch_fixture`` take."""
MARKER_SETTINGS = ("backend", *FAKE_SETTINGS, "intercept", "faults", "gates")
PER_TEST = ("faults", "gates")
"""What a test's marker may set for a server that a ``couch_fixture`` has made."""
FAKES_ONLY = ("js_engine", "clock", "uuids", "intercept", "faults")
"""Settings that a real server cannot have."""
MARKER = "couch"
TEST_DATABASE_PREFIX = "couchfake-test-"
GATES = ("unindexed_query", "max_indexed", "conflicts", "errors", "unknown_endpoint", "open_feeds")
OPTIONS = {
    "couch_backend": f"where the fixtures find CouchDB: {', '.join(BACKENDS)} (default: in-process)",
    "couch_url": "run on this real server instead of a fake; only databases that the fixtures created are touched",
    "couch_js_engine": f"JavaScript engine of the fake: {', '.join(ENGINES)} (default: the best that is installed)",
    "couch_trace": "write the requests of the run to this file as an HTTP archive (HAR)",
    "couch_html": "write the requests, documents and revision trees of failed tests to this file as a web page",
    "couch_prefix": "on a real server, delete databases that the application created whose names begin with this",
}
"""Options with a value: on the command line, in the environment and in the ini file."""
FLAGS = {
    "couch_no_report": "do not show the requests of a failing test",
    "couch_inspect": "serve the inspector for the servers of failed tests when the run ends, or at the prompt of --pdb",
    "couch_allow_config": "on a real server, let tests change the configuration; it is restored after each test",
}
"""Options without a value: on the command line, in the environment and in the ini file."""
LISTS = {
    "couch_gates": f"what fails a test: {', '.join(GATES).replace('max_indexed', 'max_indexed=N')}",
    "couch_env": (
        "environment variables to set at the start: NAME (the server's URL), NAME=path (a database's URL), NAME=text"
        " with {url}, {admin_url} (with an admin's login), {host} and {port}"
    ),
    "couch_intercept": "URLs such as http://couchdb:5984 whose connections go to the fake of the running test",
}
"""Settings of the ini file only, one entry a line."""
INSTALL_AS_COUCHDB = "couch_install_as_couchdb"
"""The ini option that puts the client under the name ``couchdb``."""
_SOURCES = ("marker", "command line", "environment", "ini", "default")


@dataclass(frozen=True)
class Choice:
    """A value and where it was given; ``rank`` 0 is the strongest source."""

    value: Any = field(repr=False)  # may hold a password, which pytest must not print
    rank: int
    name: str

    @property
    def source(self) -> str:
        if self.rank == 0:
            return self.name
        return _SOURCES[self.rank] if self.rank == 4 else f"{_SOURCES[self.rank]} {self.name}"


@dataclass(frozen=True)
class Settings:
    """The plugin's settings for a run, or for one test with its markers."""

    backend: Choice
    url: Choice
    js_engine: Choice
    fake: Mapping[str, Any] = field(repr=False)  # further arguments for the fake, from markers; may hold passwords
    prefix: str | None = None
    allow_config: bool = False
    env: tuple[str, ...] = ()
    intercept_always: tuple[str, ...] = ()
    no_report: bool = False
    trace: str | None = None
    html: str | None = None
    inspect: bool = False
    gates: tuple[str, ...] = ()
    intercept: tuple[str, ...] = ()  # for one test, from its marker
    faults: tuple[Mapping[str, Any], ...] = ()  # the same: arguments of Faults.add

    @property
    def secrets(self) -> list[str]:
        """Strings that must not be printed."""
        return secrets_of(self.url.value) if self.url.value else []

    def with_fake(self, **settings: Any) -> Settings:
        """Return the settings with further arguments for the fake."""
        return replace(self, fake={**self.fake, **settings})

    @property
    def on_real_server(self) -> bool:
        return bool(self.backend.value == "url")

    def header(self) -> str | list[str]:
        """Return lines for pytest's header: what was chosen, from where, and what a real server cannot do."""
        if self.on_real_server:
            return [f"couchfake: {without_password(self.url.value)} ({self.url.source})", *self._missing_there()]
        engine = self.js_engine
        name = engine.value or ("quickjs" if importlib.util.find_spec("_quickjs") else "js2py")
        return (
            f"couchfake: {self.backend.value} ({self.backend.source}), JavaScript {name} ({engine.source}),"
            f" collation {_collation()}"
        )

    @property
    def without_effect_there(self) -> list[str]:
        """The options of this run that do nothing on a real server."""
        given = {"couch_gates": self.gates, "--couch-html": self.html, "--couch-trace": self.trace}
        return [name for name, value in given.items() if value]

    def _missing_there(self) -> list[str]:
        lines = [
            "couchfake: a real server has no request log for couchfake: gates, the requests of failing tests,"
            " --couch-html and --couch-trace have nothing to show"
        ]
        without = [entry.partition("=")[0].strip() for entry in self.env if "{admin_url}" not in entry]
        if without and urlsplit(self.url.value).username:
            lines.append(
                f"couchfake: couch_env sets {', '.join(without)} without a login: where the server requires one, the"
                " application gets 401 (write {admin_url} to have the login in it)"
            )
        return lines


def _collation() -> str:
    """Return the name of the collation that a fake will choose, without importing it."""
    for module in ("icu", "pyuca"):
        if importlib.util.find_spec(module):
            return module
    return "basic"


def without_password(url: str) -> str:
    """Return the URL with ``***`` for its password."""
    return re.sub(r"(//[^/@:]*:)[^/@]*@", r"\1***@", url)


def settings_of(config: pytest.Config, options: argparse.Namespace) -> Settings:
    """Return the settings of a run. Raise pytest.UsageError if they are wrong.

    ``options``: the parsed command line. It is an argument, because ``config.option`` has only defaults until the first
    conftest.py files are imported, and does not say so.
    """
    found = {name: _option(config, options, name) for name in OPTIONS}
    settings = _checked(found["couch_backend"], found["couch_url"], found["couch_js_engine"], {})
    if settings.on_real_server and config.getini("couch_intercept"):
        raise pytest.UsageError("ini couch_intercept: connections can be sent to a fake, not to a real server")
    return replace(
        settings,
        prefix=found["couch_prefix"].value,
        allow_config=_flag(config, options, "couch_allow_config"),
        no_report=_flag(config, options, "couch_no_report"),
        trace=found["couch_trace"].value,
        html=found["couch_html"].value,
        inspect=_flag(config, options, "couch_inspect"),
        gates=_checked_gates(config.getini("couch_gates"), "ini couch_gates"),
        env=tuple(config.getini("couch_env")),
        intercept_always=tuple(config.getini("couch_intercept")),
    )


def add_options(parser: pytest.Parser) -> None:
    """Declare the options of the command line and of the ini file."""
    group = parser.getgroup("couchfake", "CouchDB for tests")
    choices = {"couch_backend": BACKENDS, "couch_js_engine": ENGINES}
    for name, text in OPTIONS.items():
        group.addoption(option(name), default=None, choices=choices.get(name), metavar=name[6:].upper(), help=text)
        parser.addini(name, text, default=None)
    for name, text in FLAGS.items():
        group.addoption(option(name), action="store_true", default=None, help=text)
        parser.addini(name, text, type="bool", default=False)
    for name, text in LISTS.items():
        parser.addini(name, text, type="linelist", default=[])
    parser.addini(INSTALL_AS_COUCHDB, "make 'import couchdb' import couchdb_client", type="bool", default=False)


def option(name: str) -> str:
    """Return a setting's name on the command line."""
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return name.upper().replace("COUCH_", "COUCHFAKE_")


def _flag(config: pytest.Config, options: argparse.Namespace, name: str) -> bool:
    if getattr(options, name) is not None:
        return True
    text = os.environ.get(_variable(name))
    if text:
        if text.lower() not in ("1", "0", "true", "false", "yes", "no"):
            raise pytest.UsageError(f"environment {_variable(name)}: {text!r} is not yes or no")
        return text.lower() in ("1", "true", "yes")
    return ini_flag(config, name)


def ini_flag(config: pytest.Config, name: str) -> bool:
    """Return a yes or no of the ini file. Raise pytest.UsageError, with the option's name, for anything else."""
    try:
        return bool(config.getini(name))
    except (ValueError, pytest.UsageError) as error:  # pytest 9 raises the second, without the name
        raise pytest.UsageError(f"ini {name}: {error}") from None


def _option(config: pytest.Config, options: argparse.Namespace, name: str) -> Choice:
    variable = _variable(name)
    if getattr(options, name) is not None:
        return Choice(getattr(options, name), 1, option(name))
    if os.environ.get(variable):
        return Choice(os.environ[variable], 2, variable)
    if config.getini(name):
        return Choice(config.getini(name), 3, name)
    return Choice(None, 4, name)


def with_marker(settings: Settings, given: Mapping[str, Any], where: str = f"@pytest.mark.{MARKER}") -> Settings:
    """Return the settings of one test whose markers say ``given``. Raise pytest.UsageError if they are wrong."""
    unknown = sorted(set(given) - set(MARKER_SETTINGS))
    if unknown:
        raise pytest.UsageError(f"{where}: unknown setting {unknown[0]!r}; there are {', '.join(MARKER_SETTINGS)}")
    _check_types(given, where)
    backend, engine = settings.backend, settings.js_engine
    if "backend" in given:
        backend = Choice(given["backend"], 0, where)
    if "js_engine" in given:
        engine = Choice(given["js_engine"], 0, where)
    fake = {name: given[name] for name in FAKE_SETTINGS if name in given and name != "js_engine"}
    checked = _checked(backend, settings.url, engine, fake)
    intercept = given.get("intercept", ())
    return replace(
        settings,
        backend=checked.backend,
        js_engine=checked.js_engine,
        fake=fake,
        intercept=(intercept,) if isinstance(intercept, str) else tuple(intercept),
        faults=tuple(given.get("faults", ())),
        gates=tuple(given["gates"]) if "gates" in given else settings.gates,
    )


def _check_types(given: Mapping[str, Any], where: str) -> None:
    admins, config, intercept = given.get("admins"), given.get("config"), given.get("intercept", ())
    if admins is not None and not _is_table(admins, str):
        raise pytest.UsageError(f"{where}: admins must be a dict of names and passwords, such as {{'adm': 'pass'}}")
    if config is not None and not (
        isinstance(config, Mapping) and all(_is_table(keys, (str, int, float)) for keys in config.values())
    ):
        raise pytest.UsageError(
            f"{where}: config must be a dict of sections, each a dict of keys and values, such as"
            " {'couchdb': {'max_document_size': '1000'}}"
        )
    clock, uuids = given.get("clock"), given.get("uuids")
    if clock is not None and not callable(clock) and not isinstance(clock, datetime):
        raise pytest.UsageError(
            f"{where}: clock must be a datetime, at which the clock is frozen, or a function, not {clock!r}"
        )
    if uuids is not None and not callable(uuids) and not isinstance(uuids, int):
        raise pytest.UsageError(
            f"{where}: uuids must be a number, a seed, or a function without arguments, not {uuids!r}"
        )
    faults, gates = given.get("faults", ()), given.get("gates", ())
    if not isinstance(faults, (list, tuple)) or not all(_is_table(each, object) and "fault" in each for each in faults):
        raise pytest.UsageError(f"{where}: faults is a list of dicts, such as [{{'fault': 'refuse', 'status': 503}}]")
    if not isinstance(gates, (list, tuple)) or not all(isinstance(each, str) for each in gates):
        raise pytest.UsageError(f"{where}: gates is a list of names, such as ['unindexed_query', 'max_indexed=1000']")
    _checked_gates(gates, f"{where}: gates")
    entries = [intercept] if isinstance(intercept, str) else intercept
    if not isinstance(entries, (list, tuple)) or not all(isinstance(each, str) for each in entries):
        raise pytest.UsageError(f"{where}: intercept is a URL or a list of URLs, such as 'http://couchdb:5984'")


def _checked_gates(gates: Iterable[str], where: str) -> tuple[str, ...]:
    """Return the gates. Raise pytest.UsageError if one does not exist."""
    for gate in gates:
        name, _, number = gate.partition("=")
        if name not in GATES:
            raise pytest.UsageError(f"{where}: there is no gate {gate!r}; {_nearest(name, GATES)}")
        if (name == "max_indexed") != number.isdecimal() or (name != "max_indexed" and "=" in gate):
            form = "max_indexed=N, with a number of documents" if name == "max_indexed" else name
            raise pytest.UsageError(f"{where}: {gate!r} is written {form}")
    return tuple(gates)


def _nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"


def _is_table(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and isinstance(v, kind) for k, v in value.items())


def marker_settings(item: pytest.Item) -> dict[str, Any]:
    """Return what a test's ``couch`` markers say together; the closest counts. Raise pytest.UsageError."""
    given: dict[str, Any] = {}
    for mark in item.iter_markers(MARKER):
        if mark.args:
            raise pytest.UsageError(f"{marker_of(item)}: takes names with values only")
        for name, value in mark.kwargs.items():
            given.setdefault(name, value)
    return given


def marker_of(item: pytest.Item) -> str:
    """Name a test's marker in a message."""
    return f"@pytest.mark.{MARKER} at {item.nodeid}"


def not_on_real_server(settings: Settings, given: Mapping[str, Any]) -> str | None:
    """Say why a test with these settings cannot run on a real server, or return None if it can."""
    impossible = [name for name in FAKES_ONLY if given.get(name) is not None]
    if impossible:
        return f"a real server has no setting {impossible[0]!r}"
    if given.get("admins") and not urlsplit(settings.url.value).username:
        return "admins: the URL of the real server has no login of an admin"
    if given.get("config") and not settings.allow_config:
        return f"config: {option('couch_allow_config')} lets tests change a real server's configuration"
    return None


def database_name(name: str | None = None) -> str:
    """Return a database's name that no other test, worker or run has."""
    return f"{TEST_DATABASE_PREFIX}{name + '-' if name else ''}{uuid.uuid4().hex}"


def _checked(backend: Choice, url: Choice, engine: Choice, fake: Mapping[str, Any]) -> Settings:
    """Return settings that fit together.

    A URL alone chooses the backend ``url``; where both are given the stronger source counts.
    """
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
    message = f"{url.source}: {without_password(str(url.value))!r} is not the URL of a CouchDB (http://host:5984/)"
    try:
        parts = urlsplit(url.value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise pytest.UsageError(message)
