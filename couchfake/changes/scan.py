"""What a reader of changes asks, and one pass over the changes that are there.

What is to be read is settled under the lock at the beginning; reading it, asking a filter and rendering happen
outside, so that writers never wait for a reader. The sequence and the number of changes left that a pass ends with
follow the real server, where one process reads changes ahead and another counts those it may pass on.
Source: ``fabric_rpc:changes``, ``fabric_view_changes``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from couchfake.changes.filters import Change, Filter, Style
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocOptions, DocumentEntry
from couchfake.storage.revision_tree import Revision
from couchfake.transports.monotonic import real_monotonic
from couchfake.values.clock import Clock

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
    and ``left`` what remains of the limit. ``seen`` is the database's sequence at the beginning.
    """

    def __init__(self, database: Database, query: ChangesQuery, since: int, limit: int) -> None:
        self._style = query.style
        self._filter = query.filter
        self.last_seq = since
        self.left = limit
        with database.lock:
            self.seen = database.update_seq
            total = database.count_since(since)
            self.pending = database.count_since(0) - total if query.descending else total
            entries = None if query.filter is None else query.filter.lookup(database)
            self._end = None if entries is None or query.descending else self.seen
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
            self.left -= len(batch)
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
                if self.left == 0:
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
                    self.left -= 1
                    rows.append((change, revisions))
            yield rows
        if self.left:
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
