"""Feeds as events, and waiting for a change.

A normal feed is one pass. Live feeds ("longpoll", "continuous", "eventsource") make another pass whenever the database
has changed, until their limit is reached, their time is up, the database is deleted or the client disconnects.
A reader waits through its ``Client``, so that it is woken when the client disconnects or the server stops. Timeouts
follow the server's clock.
Source: ``fabric_view_changes:keep_sending_changes/8``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Condition

from couchfake.changes.scan import ChangesQuery, Row, Scan
from couchfake.storage.database import Database
from couchfake.transports.client import Client
from couchfake.transports.monotonic import real_monotonic
from couchfake.values.clock import Clock, Deadline

SLOW_FILTER = 5.0
"""Seconds after which a normal feed gives a sign of life while its filter lets nothing pass."""


def wait_until(changed: Condition, happened: Callable[[], bool], end: Deadline, client: Client, clock: Clock) -> bool:
    """Wait until ``happened()``, which is called under the lock of ``changed``, first and whenever it is notified.

    Return False if the deadline passed or the client disconnected before.
    """
    with clock.waking(changed), changed:
        while not happened():
            if client.gone or end.passed:
                return False
            client.wait(changed, end.left)
        return True


def wait_for_change(database: Database, seen: int, end: Deadline, client: Client, clock: Clock) -> bool:
    """Wait until documents have changed after the sequence ``seen``, or the database was deleted (``closed``)."""
    return wait_until(database.changed, lambda: database.closed or database.notified_seq > seen, end, client, clock)


@dataclass(frozen=True)
class Rows:
    """Changes, in order."""

    rows: list[Row]


@dataclass(frozen=True)
class Waiting:
    """No more changes for now: anything buffered should be sent."""


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life: the timeout of a feed with heartbeats is over, or, as on the real server, it was woken."""


@dataclass(frozen=True)
class Ended:
    """The feed has ended by itself; ``pending`` changes follow its last sequence."""

    last_seq: int
    pending: int


Event = Rows | Waiting | Heartbeat | Ended


def read_changes(database: Database, query: ChangesQuery, client: Client) -> Iterator[Event]:
    """The events of a feed of any kind. Nothing more comes, and no ``Ended``, once the client is gone."""
    return _normal(database, query, client) if query.feed == "normal" else _live(database, query, client)


def _normal(database: Database, query: ChangesQuery, client: Client) -> Iterator[Event]:
    scan = Scan(database, query, query.since, query.limit)
    yield from _pass(scan, client, SLOW_FILTER)
    if not client.gone:
        yield Ended(scan.last_seq, scan.pending)


def _live(database: Database, query: ChangesQuery, client: Client) -> Iterator[Event]:
    since, limit = query.since, query.limit
    while not client.gone:
        scan = Scan(database, query, since, limit)
        yield from _pass(scan, client, query.timeout)
        if client.gone:
            return
        enough = query.descending or (limit > scan.left if query.feed == "longpoll" else scan.left <= 0)
        if not enough:
            yield Waiting()
            end = query.clock.deadline(query.timeout, is_heartbeat=query.heartbeat)
            changed = wait_for_change(database, scan.seen, end, client, query.clock)
            if client.gone:
                return
            enough = database.closed or not (changed or query.heartbeat)
        if enough:
            yield Ended(scan.last_seq, scan.pending)
            return
        yield Heartbeat()
        since, limit = scan.last_seq, scan.left


def _pass(scan: Scan, client: Client, timeout: float) -> Iterator[Event]:
    sent = real_monotonic()
    for rows in scan.rows():
        if client.gone:
            return
        if rows:
            yield Rows(rows)
            sent = real_monotonic()
        elif real_monotonic() - sent >= timeout:
            yield Heartbeat()
            sent = real_monotonic()
