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


def test_filters_choose_what_pouchdb_pulls_and_nothing_comes_twice(fake: CouchFake, run: Callable[..., Any]) -> None:
    url = fake.url + "db"
    requests.put(url, timeout=10).raise_for_status()
    assert run("filtered.js", url) == {
        "selector": {"ids": ["b2", "b3"], "written": [2, 0]},
        "doc_ids": {"ids": ["a1", "b3"], "written": [2, 0]},
        "filter": {"ids": ["a1", "a2", "a3"], "written": [3, 0]},
        "view": {"ids": ["a1", "b1"], "written": [2, 0]},
        "here": {"ids": ["a3", "b3"], "written": [2, 0]},
    }


def test_a_document_that_validation_refuses_is_denied_and_the_others_arrive(
    fake: CouchFake, run: Callable[..., Any]
) -> None:
    url = fake.url + "db"
    requests.put(url, timeout=10).raise_for_status()
    assert run("denied.js", url) == {
        "denied": [{"id": "b", "name": "forbidden", "message": "no bad ones"}],
        "failures": 1,
        "ids": ["_design/guard", "a", "c"],
    }


def test_what_pouchdb_pushes_goes_on_from_server_to_server_and_comes_back(
    fake: CouchFake, start: Callable[..., Any], leaves: Leaves
) -> None:
    with CouchFake() as other:
        url, elsewhere = fake.url + "db", other.url + "copy"
        for made in (url, elsewhere):
            requests.put(made, timeout=10).raise_for_status()
        program = start("replicate_once.js", url)
        pushed = program.hear()
        assert pushed == leaves(url)

        copied = requests.post(fake.url + "_replicate", json={"source": url, "target": elsewhere}, timeout=30).json()
        assert (copied["ok"], copied["history"][0]["doc_write_failures"]) == (True, 0)
        assert pushed == leaves(elsewhere)

        requests.put(
            f"{elsewhere}/three", json={"_rev": pushed["three"]["winner"], "n": 2}, timeout=10
        ).raise_for_status()
        requests.delete(f"{elsewhere}/many-7?rev={pushed['many-7']['winner']}", timeout=10).raise_for_status()
        requests.post(
            other.url + "_replicate", json={"source": elsewhere, "target": url}, timeout=30
        ).raise_for_status()
        program.say("changed")
        assert program.hear() == leaves(elsewhere) == leaves(url) != pushed
        program.end()
