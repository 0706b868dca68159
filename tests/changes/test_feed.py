"""Live feeds: what wakes them, what ends them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from couchfake import CouchFake
from couchfake.changes.feed import (
    ChangesQuery,
    Ended,
    Event,
    Heartbeat,
    Rows,
    Waiting,
    read_changes,
    wait_for_change,
    wait_until,
)
from couchfake.changes.filters import DocIds, Selector
from couchfake.storage.database import Database
from couchfake.transports.client import Client
from couchfake.values.clock import Clock
from couchfake.values.collation import Collator

from .conftest import Writer

CONTINUOUS = ChangesQuery(feed="continuous", timeout=30)
LONGPOLL = ChangesQuery(feed="longpoll", timeout=30)
OVER = replace(CONTINUOUS, timeout=0)


def described(events: Iterator[Event]) -> list[str]:
    """Events in short: ids of rows, or what it is."""
    short: list[str] = []
    for event in events:
        if isinstance(event, Rows):
            short += [change.entry.id for change, _ in event.rows]
        else:
            short.append(type(event).__name__.lower())
    return short


def while_it_waits(events: Iterator[Event], action: Callable[[], object]) -> list[str]:
    """Read up to the waiting, act on another thread while the feed waits, read on to the end."""
    begun = []
    for event in events:
        begun.append(event)
        if isinstance(event, Waiting):
            break
    actor = threading.Thread(target=action)
    actor.start()
    rest = described(events)
    actor.join()
    return [*described(iter(begun)), *rest]


def test_a_normal_feed_is_one_pass(db: Database, writer: Writer) -> None:
    writer.put("a")
    writer.put("b")
    events = list(read_changes(db, replace(CONTINUOUS, feed="normal"), Client()))
    assert described(iter(events)) == ["a", "b", "ended"]
    assert events[-1] == Ended(2, 0)


def test_a_longpoll_answers_at_once_where_something_is_new(db: Database, writer: Writer) -> None:
    writer.put("a")
    assert described(read_changes(db, LONGPOLL, Client())) == ["a", "ended"]


def test_a_longpoll_without_news_waits_for_a_write(db: Database, writer: Writer) -> None:
    events = read_changes(db, LONGPOLL, Client())
    assert while_it_waits(events, lambda: writer.put("a")) == ["waiting", "heartbeat", "a", "ended"]


def test_a_longpoll_ends_empty_when_its_time_is_up(db: Database) -> None:
    assert described(read_changes(db, replace(LONGPOLL, timeout=0), Client())) == ["waiting", "ended"]


def test_a_longpoll_goes_on_waiting_while_its_filter_lets_nothing_pass(db: Database, writer: Writer) -> None:
    def write() -> None:
        writer.put("a")
        writer.put("b")

    writer.put("z")
    events = read_changes(db, replace(LONGPOLL, filter=DocIds(["b"])), Client())
    done = while_it_waits(events, write)
    assert [event for event in done if event not in ("waiting", "heartbeat")] == ["b", "ended"]


def test_a_continuous_feed_tells_what_is_there_and_then_what_comes(db: Database, writer: Writer) -> None:
    writer.put("a")
    events = read_changes(db, replace(CONTINUOUS, limit=2), Client())
    assert while_it_waits(events, lambda: writer.put("b")) == ["a", "waiting", "heartbeat", "b", "ended"]


def test_a_continuous_feed_ends_when_nothing_happens_for_its_time(db: Database, writer: Writer) -> None:
    writer.put("a")
    events = list(read_changes(db, OVER, Client()))
    assert described(iter(events)) == ["a", "waiting", "ended"]
    assert events[-1] == Ended(1, 0)


def test_a_feed_with_heartbeats_does_not_end(db: Database) -> None:
    events = read_changes(db, replace(OVER, heartbeat=True), Client())
    assert [next(events) for _ in range(5)] == [Waiting(), Heartbeat(), Waiting(), Heartbeat(), Waiting()]


def test_a_continuous_feed_ends_at_its_limit_without_waiting(db: Database, writer: Writer) -> None:
    for docid in "abc":
        writer.put(docid)
    events = list(read_changes(db, replace(CONTINUOUS, limit=2), Client()))
    assert described(iter(events)) == ["a", "b", "ended"]
    assert events[-1] == Ended(2, 1)
    assert described(read_changes(db, replace(CONTINUOUS, limit=0), Client())) == ["ended"]


def test_a_longpoll_with_a_limit_of_zero_is_never_satisfied(db: Database, writer: Writer) -> None:
    writer.put("a")
    assert described(read_changes(db, replace(LONGPOLL, limit=0, timeout=0), Client())) == ["waiting", "ended"]


def test_a_feed_ends_with_its_database(fake: CouchFake, db: Database, writer: Writer) -> None:
    writer.put("a")
    events = read_changes(db, CONTINUOUS, Client())
    assert while_it_waits(events, lambda: fake.node.delete_database("db")) == ["a", "waiting", "ended"]


def test_a_feed_ends_when_its_client_goes(db: Database) -> None:
    client = Client()
    events = read_changes(db, CONTINUOUS, client)
    assert while_it_waits(events, client.leave) == ["waiting"]


def test_a_feed_whose_client_is_gone_tells_nothing(db: Database, writer: Writer) -> None:
    writer.put("a")
    client = Client()
    client.leave()
    assert described(read_changes(db, LONGPOLL, client)) == []


def test_local_documents_are_not_changes(db: Database, writer: Writer) -> None:
    def write() -> None:
        writer.put("_local/x")
        writer.put("a")

    events = read_changes(db, LONGPOLL, Client())
    assert while_it_waits(events, write) == ["waiting", "heartbeat", "a", "ended"]


def test_a_filter_that_lets_nothing_pass_does_not_keep_a_client_in_the_dark(db: Database, writer: Writer) -> None:
    for number in range(40):
        writer.put(f"{number}")
    nothing = Selector({"a": 1}, None, Collator())
    events = described(read_changes(db, replace(OVER, filter=nothing), Client()))
    assert events.count("heartbeat") > 1
    assert events[-2:] == ["waiting", "ended"]


def test_writers_do_not_wait_for_a_reader(db: Database, writer: Writer) -> None:
    writer.put("a")
    events = read_changes(db, CONTINUOUS, Client())
    next(events)
    other = threading.Thread(target=writer.put, args=("b",))
    other.start()
    other.join(10)
    assert not other.is_alive()


# ---- waiting


CLOCK = Clock()


def test_waiting_ends_at_once_where_the_change_has_already_come(db: Database, writer: Writer) -> None:
    writer.put("a")
    assert wait_for_change(db, 0, CLOCK.deadline(30), Client(), CLOCK)


def test_waiting_ends_without_a_change_when_the_time_is_up(db: Database) -> None:
    assert not wait_for_change(db, 0, CLOCK.deadline(0), Client(), CLOCK)


def test_waiting_ends_with_the_peer(db: Database) -> None:
    client = Client()
    client.leave()
    assert not wait_for_change(db, 0, CLOCK.deadline(None), client, CLOCK)


def test_being_woken_for_nothing_does_not_end_the_waiting() -> None:
    changed = threading.Condition()
    asked: list[int] = []

    def happened() -> bool:
        asked.append(len(asked))
        return len(asked) > 3

    def wake() -> None:
        while len(asked) <= 3:
            with changed:
                changed.notify_all()

    waker = threading.Thread(target=wake)
    waker.start()
    assert wait_until(changed, happened, CLOCK.deadline(30), Client(), CLOCK)
    waker.join()
