"""PouchDB keeps a database in its memory in step with one of the fake's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from couchfake import CouchFake

pytestmark = pytest.mark.foreign

Leaves = Callable[[str], dict[str, Any]]


def test_a_live_synchronisation_survives_a_restart_and_ends_with_both_sides_equal(
    fake: CouchFake, start: Callable[..., Any], leaves: Leaves
) -> None:
    url = fake.url + "db"
    port = int(fake.url.rstrip("/").rpartition(":")[2])
    requests.put(url, timeout=10).raise_for_status()
    program = start("live_sync.js", url)

    synced = program.hear()["synced"]
    assert synced == leaves(url)
    assert len(synced["both live"]["leaves"]) == 2
    assert synced["both live"]["winner"] == "2-" + "b" * 32
    assert synced["one deleted"]["winner"] == "2-" + "b" * 32
    assert synced["longer"]["winner"] == "3-" + "a" * 32
    assert sorted(synced["both deleted"]["leaves"]) == ["2-" + "a" * 32, "2-" + "b" * 32]

    fake.stop()
    program.say("cut")
    assert program.hear() == {"written": True}
    assert fake.start(port) == fake.url
    program.say("back")

    ended = program.hear()
    program.end()
    assert ended["leaves"] == leaves(url)
    assert "written while the server was away" in ended["leaves"]
    assert (ended["push"], ended["pull"]) == (True, True)
    assert ended["events"] == ["active", "change", "complete", "paused"]
