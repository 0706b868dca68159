"""The feed of a database's changes: what a reader requests, passes over the changes, and a change as JSON text.

A normal feed is one pass. Live feeds ("longpoll", "continuous", "eventsource") make another pass whenever the database
has changed, until their limit is reached, their time is up, the database is deleted or the client disconnects.
A reader waits through its ``Client``, so that it is woken when the client disconnects or the server stops. Timeouts
follow the server's clock.

What is to be read is settled under the lock at the beginning of a pass; reading it, asking a filter and rendering
happen outside, so that writers never wait for a reader. The sequence and the remaining limit that a pass ends
with follow the real server, where one process reads changes ahead and another counts those it may pass on.
Source: ``fabric_rpc:changes``, ``fabric_view_changes:keep_sending_changes/8``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from threading import Condition
from typing import Literal

from couchfake.changes.filters import Change, Filter, Style, conflicts
from couchfake.storage import documents
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocOptions, DocumentEntry
from couchfake.storage.revision_tree import Revision
from couchfake.transports.client import Client
from couchfake.transports.monotonic import real_monotonic
from couchfake.values import json
from couchfake.values.clock import Clock, Deadline

Feed = Literal["normal", "longpoll", "continuous", "eventsource"]

NO_LIMIT = 10**15
"""The default limit. It is a number on the real server too: ``seq_interval`` counts down from it."""

BATCH = 256
"""The most rows in a batch."""

FIRST_FILTERED, MOST_FILTERED = 8, 128
"""About how many changes a filter gets at once: few at first, since a limit may be reached soon."""

QUICK = 0.05
"""Seconds in which a batch should be through. Slow filters get smaller ones, so that none runs into its time limit."""


@dataclass(frozen=True)
class ChangesQuery:
    """``since`` is a sequence of the database; a descending reader goes down from it.

    ``limit``: negative for no limit. ``shown``: the additions to documents if ``include_docs`` is set.
    ``seq_interval``: give a sequence on every so many rows only. ``timeout``: seconds without a change after which a
    live feed ends or, with ``heartbeat``, sends a heartbeat. ``visible`` maps a document to what the reader may see of
    it; None shows all. ``clock`` is the server's, which the timeout follows.
    """

    feed: Feed = "normal"
    since: int = 0
    limit: int = NO_LIMIT
    descending: bool = False
    style: Style = "main_only"
    filter: Filter | None = None
    include_docs: bool = False
    shown: DocOptions = field(default_factory=DocOptions)
    seq_interval: int = 1
    timeout: float = 60.0
    heartbeat: bool = False
    visible: Visible | None = None
    clock: Clock = field(default_factory=Clock)


Row = tuple[Change, Sequence[Revision]]
"""A change and those of its revisions that are shown."""


class Scan:
    """The changes after ``since`` (descending: up to it), at most ``limit`` of them.

    When ``rows`` is used up, ``last_seq`` is where the next pass begins, ``pending`` how many changes follow
    and ``remaining`` what remains of the limit. ``update_seq`` is the database's sequence at the beginning.
    """

    def __init__(self, database: Database, query: ChangesQuery, since: int, limit: int) -> None:
        self._style = query.style
        self._filter = query.filter
        self.last_seq = since
        self.remaining = limit
        with database.lock:
            self.update_seq = database.update_seq
            total = database.count_since(since)
            self.pending = database.count_since(0) - total if query.descending else total
            entries = None if query.filter is None else query.filter.lookup(database)
            self._end = None if entries is None or query.descending else self.update_seq
            if entries is not None:
                self._changes = _found(entries, since, query.descending)
            else:
                most = limit if query.filter is None and limit >= 0 else None
                self._changes = _after(database, since, query.descending, most)

    def rows(self) -> Iterator[list[Row]]:
        """The rows in batches; an empty one where a filter let nothing pass for a while."""
        return self._all() if self._filter is None else self._filtered(self._filter)

    def _all(self) -> Iterator[list[Row]]:
        changes, style = self._changes, self._style
        for start in range(0, len(changes), BATCH):
            batch = changes[start : start + BATCH]
            self.last_seq = batch[-1].seq
            self.pending -= len(batch)
            self.remaining -= len(batch)
            if style == "main_only":
                yield [(change, change.leaves[:1]) for change in batch]
            elif style == "all_docs":
                yield [(change, change.leaves) for change in batch]
            else:
                yield [(change, change.shown(style)) for change in batch]

    def _filtered(self, filter: Filter) -> Iterator[list[Row]]:
        pending = self.pending
        shown = None  # the value of ``pending`` at the last row
        for batch in _batches(self._changes):
            rows: list[Row] = []
            for change, revisions in zip(batch, filter.select(batch, self._style)):
                if self.remaining == 0:
                    # One change more is looked at: if it does not pass it counts as read.
                    if not revisions:
                        self.last_seq = change.seq
                        pending -= 1
                    self.pending = pending if shown is None else shown
                    yield rows
                    return
                pending -= 1
                self.last_seq = change.seq
                if revisions:
                    shown = pending
                    self.remaining -= 1
                    rows.append((change, revisions))
            yield rows
        if self.remaining:
            self.last_seq = self.last_seq if self._end is None else self._end
            shown = pending
        self.pending = pending if shown is None else shown


def _after(database: Database, since: int, descending: bool, most: int | None) -> list[Change]:
    # The real server's way down begins one above the sequence it is given.
    by_seq = database.by_seq
    if descending:
        seqs = by_seq.irange(maximum=since + 1, reverse=True)
    else:
        seqs = by_seq.irange(minimum=since, inclusive=(False, True))
    read = islice(seqs, None if most is None else min(most, sys.maxsize))
    return [Change(seq, entry := by_seq[seq], tuple(entry.tree.leaves)) for seq in read]


def _found(entries: list[DocumentEntry], since: int, descending: bool) -> list[Change]:
    changes = [
        Change(entry.seq, entry, tuple(entry.tree.leaves))
        for entry in entries
        if (entry.seq <= since if descending else entry.seq > since)
    ]
    changes.sort(key=lambda change: change.seq, reverse=descending)
    return changes


def _batches(changes: list[Change]) -> Iterator[list[Change]]:
    start, size = 0, FIRST_FILTERED
    while start < len(changes):
        begun = real_monotonic()
        yield changes[start : start + size]
        start += size
        size = min(2 * size, MOST_FILTERED) if real_monotonic() - begun < QUICK else max(1, size // 2)


# ---- passes one after the other

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
            client.wait(changed, end.remaining)
        return True


def wait_for_change(database: Database, update_seq: int, end: Deadline, client: Client, clock: Clock) -> bool:
    """Wait until documents have changed after the sequence ``update_seq``, or the database was deleted (``closed``)."""
    return wait_until(
        database.changed, lambda: database.closed or database.notified_seq > update_seq, end, client, clock
    )


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
        enough = query.descending or (limit > scan.remaining if query.feed == "longpoll" else scan.remaining <= 0)
        if not enough:
            yield Waiting()
            end = query.clock.deadline(query.timeout, is_heartbeat=query.heartbeat)
            changed = wait_for_change(database, scan.update_seq, end, client, query.clock)
            if client.gone:
                return
            enough = database.closed or not (changed or query.heartbeat)
        if enough:
            yield Ended(scan.last_seq, scan.pending)
            return
        yield Heartbeat()
        since, limit = scan.last_seq, scan.remaining


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


# ---- a change as JSON


class RowWriter:
    """Writes the rows of one feed, from the first to the last: which rows have a sequence depends on their number."""

    def __init__(self, database: Database, query: ChangesQuery) -> None:
        self._database = database
        self._query = query
        self._remaining = query.limit
        # Where a filter has read all leaves, the document comes with its conflicts even if there are none.
        reads = query.filter is not None and query.filter.opens_documents
        self._lists_conflicts = reads and query.style == "all_docs" and query.shown.conflicts
        shown = replace(query.shown, conflicts=False) if self._lists_conflicts else query.shown
        self._shown = documents.PLAIN if shown == documents.PLAIN else shown  # which is quicker to show

    def sequences(self, rows: Sequence[Row]) -> list[str]:
        """Return the sequences of the rows as JSON, null for those that ``seq_interval`` omits."""
        packed = self._database.pack_seqs([change.seq for change, _ in rows])
        interval, remaining = self._query.seq_interval, self._remaining
        self._remaining -= len(rows)
        if interval == 1:
            return [f'"{seq}"' for seq in packed]
        return [f'"{seq}"' if (remaining - place) % interval == 0 else "null" for place, seq in enumerate(packed)]

    def write(self, rows: Sequence[Row], sequences: Sequence[str]) -> list[bytes]:
        """Each row's JSON text."""
        quote = json.raw_quote
        end = "" if self._query.include_docs else "}"
        texts = []
        for seq, (change, revisions) in zip(sequences, rows):
            revs = revisions[0].rev if len(revisions) == 1 else '"},{"rev":"'.join([each.rev for each in revisions])
            deleted = ',"deleted":true' if change.leaves[0].deleted else ""
            texts.append(f'{{"seq":{seq},"id":{quote(change.entry.id)},"changes":[{{"rev":"{revs}"}}]{deleted}{end}')
        lines = "\n".join(texts)  # no row contains a line break, and rows are encoded faster together
        encoded = json.utf8(json.with_capital_digits(lines) if "\\" in lines else lines).split(b"\n")
        if not self._query.include_docs:
            return encoded
        return [b'%b,"doc":%b}' % (text, self._document(change)) for text, (change, _) in zip(encoded, rows)]

    def _document(self, change: Change) -> bytes:
        """The winner, whatever revisions the row tells of."""
        winner, shown = change.leaves[0], self._shown
        if self._query.visible is not None:
            winner = self._query.visible(change.entry, winner)
        text = documents.shown_document(change.entry, winner, shown, self._database.revs_limit)
        if self._lists_conflicts:
            text = b'%b,"_conflicts":%b}' % (text[:-1], json.encode(conflicts(change)))
        chosen = self._query.filter
        if chosen is not None and chosen.projection is not None:
            return json.encode(chosen.projection.extract(json.loads(text)))
        return text
