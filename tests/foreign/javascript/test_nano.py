"""nano, CouchDB's own client for Node.js."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from couchfake import CouchFake

pytestmark = pytest.mark.foreign

Part = Callable[[str], Any]


@pytest.fixture
def part(run: Callable[..., Any]) -> Iterator[Part]:
    """Runs a part of ``programs/nano.js`` against a fresh server with an administrator."""
    with CouchFake(admins={"adm": "pass"}) as fake:
        yield lambda name: run("nano.js", fake.url.replace("://", "://adm:pass@"), name)


def test_a_session_makes_nano_an_administrator(part: Part) -> None:
    assert part("session") == {
        "before": [401, "unauthorized", "You are not a server admin."],
        "userCtx": {"name": "adm", "roles": ["_admin"]},
        "twice": [412, "file_exists", "The database could not be created, the file already exists."],
        "list": ["_replicator", "_users", "alice"],
        "gone": [404, "not_found", "Database does not exist."],
    }


def test_nano_writes_reads_and_deletes_documents(part: Part) -> None:
    assert part("documents") == {
        "conflict": [409, "conflict", "Document update conflict."],
        "etag": True,
        "history": ["available", "available"],
        "bulk": ["ok", "ok", "conflict"],
        "fetched": [1, "not_found"],
        "destroyed": True,
    }


def test_nano_sends_and_receives_attachments_whole_as_streams_and_as_multipart(part: Part) -> None:
    assert part("attachments") == {
        "one": True,
        "two": 350000,
        "lengths": {"x.txt": 9, "y": 300000},
        "whole": True,
    }


def test_nano_asks_views_design_functions_and_indexes(part: Part) -> None:
    assert part("queries") == {
        "view": ["a", "b"],
        "grouped": [{"key": 1, "value": 1}, {"key": 2, "value": 1}],
        "show": "hello 1",
        "list": "ab",
        "update": "bumped",
        "streamed": 2,
        "docs": [{"_id": "b", "n": 2}, {"_id": "a", "n": 11}],
    }


def test_the_changes_reader_gets_old_changes_in_batches_and_new_ones_as_they_come(part: Part) -> None:
    assert part("changes") == [*(f"doc{n}" for n in range(10)), "late"]


def test_nano_asks_partitions(part: Part) -> None:
    assert part("partitions") == {"count": 2, "listed": ["x:1", "x:2"], "found": ["x:2"]}


def test_nano_has_the_server_replicate(part: Part) -> None:
    assert part("replication") == {"ok": True, "state": "completed", "counts": [2, 2]}
