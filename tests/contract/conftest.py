"""The same tests on every CouchDB there is: the fake in process, the fake over a socket, and a real server where the
plugin has the URL of one (``--couch-url``, ``COUCHFAKE_URL``)."""

from __future__ import annotations

import pytest

from conftest_plugin.settings import settings_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    backends = ["in-process", "socket"]
    if settings_of(metafunc.config, metafunc.config.option).url.value:
        backends.append("url")
    marked = [pytest.param(each, marks=pytest.mark.couch(backend=each)) for each in backends]
    metafunc.parametrize("backend", marked, indirect=True)


@pytest.fixture(autouse=True)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
