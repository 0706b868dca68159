from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from couchfake.config import Config
from couchfake.query_server import ENGINE_NAMES, KNOWN_GAPS, QueryServer

js2py_runs_here = importlib.util.find_spec("js2py") is not None


@pytest.fixture(scope="session", params=ENGINE_NAMES)
def engine_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "js2py" and not js2py_runs_here:
        pytest.skip("js2py is not installed")
    return name


@pytest.fixture
def gap(request: pytest.FixtureRequest, engine_name: str) -> Callable[[str], None]:
    """``gap("es6")`` marks the rest of a test as an expected failure where the engine has that gap."""

    def mark(name: str) -> None:
        assert any(name in gaps for gaps in KNOWN_GAPS.values()), f"no engine has a gap called {name}"
        if name in KNOWN_GAPS[engine_name]:
            request.applymarker(pytest.mark.xfail(reason=KNOWN_GAPS[engine_name][name], strict=True))

    return mark


class Log(list[tuple[str, str]]):
    """What the server logged, as (level, message)."""

    def texts(self, level: str) -> list[str]:
        return [text for each, text in self if each == level]


class LiveSettings(dict[tuple[str, str], str]):
    """Sets what a test puts into it in a configuration, until it is cleared."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def __setitem__(self, place: tuple[str, str], value: str) -> None:
        self._config.set(*place, value, persist=False)

    def clear(self) -> None:
        self._config.reload()


@pytest.fixture(scope="session")
def shared_log() -> Log:
    return Log()


@pytest.fixture(scope="session")
def config() -> Config:
    return Config()


@pytest.fixture(scope="session")
def settings(config: Config) -> dict[tuple[str, str], str]:
    return LiveSettings(config)


@pytest.fixture(scope="session")
def shared_server(engine_name: str, shared_log: Log, config: Config) -> Iterator[QueryServer]:
    server = QueryServer(
        engine_name,
        config=config,
        log=lambda level, message: shared_log.append((level, message)),
    )
    yield server
    server.close()


@pytest.fixture
def log(shared_log: Log) -> Log:
    shared_log.clear()
    return shared_log


@pytest.fixture
def server(shared_server: QueryServer, log: Log, settings: dict[tuple[str, str], str]) -> Iterator[QueryServer]:
    """A query server of each engine in turn; ``settings`` holds what its configuration says."""
    yield shared_server
    settings.clear()


Map = Callable[..., list[list[Any]]]


@pytest.fixture
def map_docs(server: QueryServer) -> Map:
    """``map_docs(source, doc, ...)``: the rows of all documents, one after the other; ``lib`` is ``views.lib``."""

    def rows(source: str, *docs: str, lib: Any = None) -> list[list[Any]]:
        session = server.compile_map([("v", source)], lib, ddoc_id="_design/d")
        try:
            return [list(row) for of_doc in session.map_docs(docs or ['{"_id":"a"}']) for row in of_doc[0]]
        finally:
            session.close()

    return rows
