"""Replications by documents of the database ``_replicator``."""

from __future__ import annotations

from typing import Any

import pytest

from couchdb_client import ResourceConflict, ResourceNotFound, Server
from couchdb_client.replications import ReplicationFailed


@pytest.fixture
def source(couch: Server) -> str:
    if "_replicator" not in couch:
        couch.create("_replicator")
    couch.create("source").update([{"_id": f"{number}"} for number in range(5)])
    return couch.resource.url + "source"


def test_a_replication_is_waited_for_with_its_progress(couch: Server, source: str) -> None:
    seen: list[dict[str, Any]] = []
    target = couch.resource.url + "target"
    replication = couch.replications.start(source, target, "copy", create_target=True)
    stats = replication.wait(30, on_progress=seen.append)
    assert stats["docs_written"] == 5
    assert len(couch["target"]) == 5
    assert seen
    assert seen[-1].get("docs_written", 5) == 5
    assert replication.state == "completed"
    assert repr(replication) == "<Replication 'copy'>"
    assert replication.wait() == stats
    with pytest.raises(ResourceConflict):
        couch.replications.start(source, target, "copy")


def test_a_replication_that_failed_for_good_says_why(wire: Any, server: Server) -> None:
    for _ in range(2):
        wire.says(b'{"_id":"copy","_rev":"2-b","_replication_state":"failed","_replication_state_reason":"no such db"}')
    with pytest.raises(ReplicationFailed, match="no such db"):
        server.replications["copy"].wait()


def test_a_continuous_replication_has_no_end_but_can_be_cancelled(couch: Server, source: str) -> None:
    couch.create("target")
    replication = couch.replications.start(source, couch.resource.url + "target", continuous=True)
    with pytest.raises(ValueError, match="never complete"):
        replication.wait()
    assert replication.id in [each.id for each in couch.replications]
    replication.cancel()
    with pytest.raises(ResourceNotFound):
        replication.wait()


def test_waiting_ends_after_the_time_that_was_allowed(wire: Any, server: Server) -> None:
    for _ in range(50):
        wire.says(b'{"_id":"copy","_rev":"1-a","last_seq":0}')
    with pytest.raises(TimeoutError, match="'copy' is not complete after 0 seconds"):
        server.replications["copy"].wait(0)


def test_a_replication_that_the_scheduler_does_not_know_yet_is_initializing(wire: Any, server: Server) -> None:
    missing = b'{"error":"not_found","reason":"missing"}'
    wire.says(missing, 404)
    wire.says(b'{"_id":"copy","_rev":"1-a"}')
    assert server.replications["copy"].state == "initializing"
    wire.says(missing, 404)
    assert server.replications["copy"].progress == {}
