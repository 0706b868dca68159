"""pytest, run with the plugin within pytest."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import couchdb_client  # noqa: F401  these are imported here once, for the runs within this process
from couchfake import CouchFake

Run = Callable[..., pytest.RunResult]
ROOT = Path(__file__).parents[2]
PLUGIN = ["-p", "conftest_plugin"]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest with the plugin on files that ``pytester`` made."""
    for name in ("BACKEND", "URL", "JS_ENGINE", "PREFIX", "ALLOW_CONFIG"):
        monkeypatch.delenv(f"COUCHFAKE_{name}", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # loading others takes longer than the tests

    def runs(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest(*PLUGIN, "-p", "no:cacheprovider", *arguments)

    return runs


@pytest.fixture
def real() -> Iterator[CouchFake]:
    """A server on a socket in the place of a real one, with a database that no fixture made."""
    with CouchFake(admins={"adm": "pa:s/s"}) as server:
        with server.session() as session:
            session.auth = ("adm", "pa:s/s")
            session.put("http://couchfake.invalid/somebodys").raise_for_status()
        yield server


def login_url(server: CouchFake) -> str:
    return server.url.replace("//", "//adm:pa%3As%2Fs@")


def databases(server: CouchFake) -> list[str]:
    """The server's databases, without its own."""
    with server.session() as session:
        session.auth = ("adm", "pa:s/s")
        names: list[str] = session.get("http://couchfake.invalid/_all_dbs").json()
    return [name for name in names if not name.startswith("_")]


def is_installed() -> bool:
    """Whether pytest finds the plugin by its entry point."""
    points = importlib.metadata.entry_points(group="pytest11")
    return any(point.name == "couchfake" for point in points)
