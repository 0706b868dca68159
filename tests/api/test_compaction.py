"""Compaction, which a real server does in the background."""

from __future__ import annotations

import pytest

from couchfake.app import CouchFake

from .conftest import Client


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def client(now: list[float]) -> Client:
    client = Client(CouchFake(clock=lambda: now[0]))
    client.json("PUT", "/db", status=201)
    return client


def compact(client: Client) -> None:
    client.json("POST", "/db/_compact", {}, 202)


def runs(client: Client) -> bool:
    running = client.json("GET", "/db")["compact_running"]
    assert isinstance(running, bool)
    return running


def test_who_asks_at_once_hears_that_compaction_runs_and_then_that_it_is_done(client: Client) -> None:
    assert not runs(client)
    compact(client)
    assert [runs(client), runs(client)] == [True, False]


def test_compaction_does_not_take_long(client: Client, now: list[float]) -> None:
    compact(client)
    now[0] += 2
    assert not runs(client)
