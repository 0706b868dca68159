"""Every setting that is not only stored changes an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from couchfake.settings import SETTINGS

from . import probes_of_databases, probes_of_logins, probes_of_requests
from .probing import Probe, Sections, Server

PROBES = [*probes_of_requests.PROBES, *probes_of_logins.PROBES, *probes_of_databases.PROBES]


@pytest.fixture
def started() -> Iterator[list[Server]]:
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.fake.close()


def start(given: Sections, started: list[Server]) -> Server:
    started.append(Server(given))
    return started[-1]


@pytest.mark.parametrize("probe", PROBES, ids=str)
def test_changing_a_setting_changes_an_answer(probe: Probe, started: list[Server]) -> None:
    assert probe.observe(start(probe.given, started)) == probe.default
    server = start(probe.given, started)
    server.set(probe.setting, probe.value)
    assert probe.observe(server) == probe.changed != probe.default


def test_every_setting_has_one_probe() -> None:
    probed = [str(probe) for probe in PROBES]
    assert sorted(probed) == sorted(f"{each.section}/{each.key}" for each in SETTINGS)
