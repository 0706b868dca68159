"""``--couch-inspect``: the inspector for the servers of failed tests.

A server is copied at the moment of the failure, before the test's clean-up and the next test change it. The
copy has no admins, so that nobody needs a password that only the test knows.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from couchfake import CouchFake

LEFT_OUT = ("_replicator",)
"""Databases that are not copied: their documents would start replications."""


class Inspected(NamedTuple):
    """A copy of a failed test's server, and the name that the inspector shows."""

    name: str
    fake: CouchFake


def copy_of(fake: CouchFake) -> CouchFake:
    """Return a server with the same databases, requests, logs and settings, but without admins and required logins.

    Raise SeedError if a document cannot be copied.
    """
    from couchfake import CouchFake

    made = CouchFake(js_engine=fake.node.query_server.engine_name)
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, "dump")
        fake.dump(dump)
        for name in LEFT_OUT:
            shutil.rmtree(dump / name, ignore_errors=True)
        made.load(dump)
    for section, keys in fake.ask("GET", "/_node/_local/_config").items():
        for key, value in keys.items():
            if section != "admins" and not key.startswith("require_valid_user"):
                made.node.config.set(section, key, value)
    made.requests.copy_from(fake.requests)
    made.function_log.copy_from(fake.function_log)
    return made


def serve(kept: Iterable[Inspected]) -> list[tuple[str, str]]:
    """Start the servers, each with its inspector, and return their names and URLs."""
    servers = list(kept)
    pages = [(each.name, each.fake.start()) for each in servers]
    for each in servers:
        each.fake.serve_control(name=each.name, others=pages if len(pages) > 1 else ())
    return pages


def serve_until_interrupted(config: pytest.Config, kept: Iterable[Inspected]) -> None:
    """Serve the inspectors until Ctrl-C."""
    servers = list(kept)
    try:
        _announce(config, serve(servers))
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        for each in servers:
            each.fake.close()


def _announce(config: pytest.Config, pages: Iterable[tuple[str, str]]) -> None:
    reporter: Any = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        return
    for name, url in pages:
        reporter.write_line(f"couchfake: {name}: {url}_couchfake/")
    reporter.write_line("couchfake: serving until Ctrl-C")
    reporter.flush()


def serve_at_prompt(config: pytest.Config, backends: Iterable[Any], test: str) -> None:
    """Serve the inspectors of the running test's servers, in their state at this moment."""
    reporter: Any = config.pluginmanager.getplugin("terminalreporter")
    for backend in backends:
        fake = getattr(backend, "fake", None)
        if fake is None or reporter is None:
            continue
        fake.serve_control(name=test)
        login = f" (log in as {backend.admin.name})" if backend.admin is not None else ""
        reporter.write_line(f"couchfake: {test}: {fake.start()}_couchfake/{login}")
