"""One run of a replication, cut and taken up again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from couchfake.app import CouchFake
from couchfake.auth.permissions import SERVER
from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.replicator.local_endpoint import LocalEndpoint
from couchfake.replicator.request import read_options
from couchfake.replicator.transfer import Cancelled, Options, Transfer, Unreachable, common_ancestry
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write

COUNT = 250


class Weak(LocalEndpoint):
    """A target that something happens to after some batches."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.batches = 0
        self.at_batch: dict[int, Any] = {}

    def write(self, edits: list[Edit]) -> list[CouchError]:
        self.batches += 1
        if self.batches in self.at_batch:
            self.at_batch[self.batches]()
        return super().write(edits)


@pytest.fixture
def fake() -> CouchFake:
    fake = CouchFake()
    for name in ("source", "target"):
        fake.node.create_database(name)
    fill(fake.node.database("source"), range(COUNT))
    return fake


def fill(database: Database, numbers: Sequence[int]) -> None:
    write(database, [Edit(f"doc-{number:04}", {"number": number}) for number in numbers], SERVER)


def options(**more: Any) -> Options:
    return read_options({"worker_batch_size": 50, "checkpoint_interval": 1, **more}, Config())


def transfer(fake: CouchFake, session: str, target: LocalEndpoint, **more: Any) -> Transfer:
    source = LocalEndpoint(fake.node, "source", SERVER)
    return Transfer("id", session, source, target, options(**more), fake.node.clock)


@pytest.fixture
def target(fake: CouchFake) -> Weak:
    return Weak(fake.node, "target", SERVER)


def test_a_cancelled_run_goes_on_from_its_checkpoint(fake: CouchFake, target: Weak) -> None:
    first = transfer(fake, "first", target)
    target.at_batch[3] = first.stop
    with pytest.raises(Cancelled):
        first.run()
    done = fake.node.database("target").doc_count
    assert 0 < done < COUNT
    result = transfer(fake, "second", target).run()
    entry = result["history"][0]
    assert fake.node.database("target").doc_count == COUNT
    assert entry["start_last_seq"] == result["history"][1]["recorded_seq"]
    assert int(str(entry["start_last_seq"]).partition("-")[0]) == done


def test_a_run_whose_target_stops_answering_goes_on_from_its_checkpoint(fake: CouchFake, target: Weak) -> None:
    def vanish() -> None:
        raise Unreachable("gone")

    target.at_batch[4] = vanish
    with pytest.raises(Unreachable):
        transfer(fake, "first", target).run()
    result = transfer(fake, "second", target).run()
    assert fake.node.database("target").doc_count == COUNT
    assert int(str(result["history"][0]["start_last_seq"]).partition("-")[0]) > 0


def test_without_checkpoints_an_interrupted_run_starts_over(fake: CouchFake, target: Weak) -> None:
    first = transfer(fake, "first", target, use_checkpoints=False)
    target.at_batch[3] = first.stop
    with pytest.raises(Cancelled):
        first.run()
    second = transfer(fake, "second", target, use_checkpoints=False)
    assert second.run() == {"use_checkpoints": False}
    assert fake.node.database("target").doc_count == COUNT
    assert second.statistics.counts["missing_checked"] == COUNT


def test_a_target_that_was_emptied_is_filled_again(fake: CouchFake, target: Weak) -> None:
    transfer(fake, "first", target).run()
    fake.node.delete_database("target")
    fake.node.create_database("target")
    transfer(fake, "second", target).run()
    assert fake.node.database("target").doc_count == COUNT


def test_a_continuous_run_rests_while_nothing_happens(fake: CouchFake, target: Weak) -> None:
    """What the filter holds back, and changes of the database itself, must not keep it busy."""
    asked: list[object] = []

    class Watched(LocalEndpoint):
        def changes(self, *arguments: Any) -> Any:
            asked.append(arguments)
            return super().changes(*arguments)

        def wait(self, *arguments: Any) -> None:
            if len(asked) > 100:
                run.stop()
            super().wait(*arguments)

    source = Watched(fake.node, "source", SERVER)
    more = {"continuous": True, "selector": {"number": 3}, "checkpoint_interval": 30000}
    run = Transfer("id", "one", source, target, options(**more), fake.node.clock)
    fake.node.database("source").change_setting(revs_limit=500)

    def until_stopped() -> None:
        with pytest.raises(Cancelled):
            run.run()

    thread = threading.Thread(target=until_stopped)
    thread.start()
    thread.join(0.3)
    run.stop()
    thread.join()
    assert fake.node.database("target").doc_count == 1
    assert len(asked) < 20


def entries(*sessions: str) -> list[dict[str, Any]]:
    """Return a history, the last session first; the sequence of a session is its letter's number."""
    return [{"session_id": each, "recorded_seq": "abcdefg".index(each)} for each in sessions]


@pytest.mark.parametrize(
    ("source", "target", "sequence", "history"),
    [
        ("cba", "cba", 9, "cba"),
        ("cba", "ba", 1, "a"),
        ("ba", "cba", 1, "a"),
        ("dba", "cba", 1, "a"),
        ("fdba", "ecba", 1, "a"),
        ("ca", "ba", 0, ""),
        ("cb", "a", 0, ""),
        ("b", "", 0, ""),
    ],
)
def test_logs_that_differ_agree_up_to_a_session_of_both(source: str, target: str, sequence: int, history: str) -> None:
    logs = [{"session_id": each[:1], "source_last_seq": 9, "history": entries(*each)} for each in (source, target)]
    assert common_ancestry(*logs) == (sequence, entries(*history))


def test_a_log_on_one_side_alone_begins_at_0() -> None:
    log = {"session_id": "a", "source_last_seq": 9, "history": entries("a")}
    assert common_ancestry(log, None) == common_ancestry(None, log) == (0, [])
