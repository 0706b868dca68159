"""Snapshots of a whole server, and going back to them.

A snapshot costs what the server has of settings and databases, not of documents; going back costs what was written
since. Snapshots nest like savepoints of a transaction: going back to one ends those that were taken after it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from couchfake.node import Node
from couchfake.storage import journal
from couchfake.storage.journal import Journal
from couchfake.views.database_indexes import resume_indexes, save_indexes
from couchfake.views.index import Index


class SnapshotEnded(RuntimeError):
    """A snapshot cannot be restored: it was discarded, an earlier one was restored, or the server was reset."""


class Snapshot:
    """The state of a server at one moment. Made by ``CouchFake.snapshot``.

    A snapshot is discarded automatically when nothing refers to it.
    """

    def __init__(self, stack: SnapshotStack) -> None:
        self._stack = stack

    def restore(self) -> None:
        """Return the server to the state of the snapshot. May be called any number of times.

        Documents, databases, settings, users and ids are restored. Replications and open feeds end, sessions that were
        opened since become invalid, and snapshots that were taken since can no longer be restored. A request that
        is running in another thread is undone, or gets a 404. Raise SnapshotEnded if the snapshot cannot be restored.
        """
        self._stack.restore(self)

    def discard(self) -> None:
        """Drop the snapshot, and keep what was written since. Other snapshots stay valid."""
        self._stack.discard(self)


class SnapshotStack:
    """The snapshots of one server, the oldest first. ``parts``: what each of them saves. Safe for threads."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = list(parts)
        self._lock = threading.RLock()
        self._taken: list[tuple[weakref.ref[Snapshot], list[Saved]]] = []

    def take(self) -> Snapshot:
        with self._lock:
            self._discard_forgotten()
            snapshot = Snapshot(self)
            self._taken.append((weakref.ref(snapshot), [save() for save in self.parts]))
            return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        with self._lock:
            place = self._place(snapshot)
            for _, parts in reversed(self._taken[place + 1 :]):
                _discard(parts)
            del self._taken[place + 1 :]
            for part in self._taken[place][1]:
                part.restore()

    def discard(self, snapshot: Snapshot) -> None:
        with self._lock:
            if any(taken() is snapshot for taken, _ in self._taken):
                _, parts = self._taken.pop(self._place(snapshot))
                _discard(parts)

    def end(self) -> None:
        """Discard all snapshots."""
        with self._lock:
            while self._taken:
                _discard(self._taken.pop()[1])

    @contextmanager
    def rollback(self) -> Iterator[Snapshot]:
        """Take a snapshot, and restore it at the end of the block, also after an exception."""
        snapshot = self.take()
        try:
            yield snapshot
        finally:
            self.restore(snapshot)
            self.discard(snapshot)

    def _place(self, snapshot: Snapshot) -> int:
        for place, (taken, _) in enumerate(self._taken):
            if taken() is snapshot:
                return place
        raise SnapshotEnded("This snapshot is no longer valid: it was discarded, or an earlier one was restored")

    def _discard_forgotten(self) -> None:
        for place in reversed(range(len(self._taken))):
            taken, parts = self._taken[place]
            if taken() is None:
                del self._taken[place]
                _discard(parts)


def _discard(parts: Sequence[Saved]) -> None:
    for part in parts:
        part.discard()


# What a snapshot saves, part by part.
#
# A part is a function that saves the state of something and returns a ``Saved``. ``parts_of`` lists the parts of a node
# in the order in which they are restored. A room with state of its own adds its part here, or where the parts of the
# server are put together.


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Saved:
    """The saved state of one part.

    ``restore`` may be called any number of times. ``discard`` is called once, when no ``restore`` will follow.
    """

    restore: Callable[[], None]
    discard: Callable[[], None] = _nothing


Part = Callable[[], Saved]


def parts_of(node: Node) -> list[Part]:
    """The parts of a server. Replications end before the databases go back, and begin afterwards."""
    return [
        lambda: Saved(node.replications.stop),
        lambda: _save_databases(node),
        lambda: Saved(node.save()),
        lambda: Saved(node.config.save()),
        lambda: Saved(node.hooks.save()),
        lambda: Saved(node.uuids.save()),
        lambda: Saved(node.authenticator.lockout.save()),
        lambda: _save_sessions(node),
        lambda: Saved(node.stats.save()),
        lambda: Saved(node.replications.save()),
    ]


def _save_sessions(node: Node) -> Saved:
    sessions = node.authenticator.opened_sessions
    mark = sessions.begin()
    return Saved(lambda: sessions.end_since(mark), sessions.drop)


def _save_databases(node: Node) -> Saved:
    with node.lock:
        present = dict(node.databases)
    # Before the documents, so that no index is ahead of its database; without a lock, since an update needs it to end.
    indexes = {name: save_indexes(database) for name, database in present.items()}
    journals: dict[str, Journal] = {}
    with node.lock:
        for name, database in node.databases.items():
            with database.lock:
                kept = indexes[name] if present.get(name) is database else {}
                others = {key: each for key, each in database.indexes.items() if not isinstance(each, Index)}
                journals[name] = journal.begin(database, {**others, **kept})

    def restore() -> None:
        with node.lock:
            for name, present in list(node.databases.items()):
                if name not in journals or journals[name].database is not present:
                    del node.databases[name]
                    present.close()
            for name, kept in journals.items():
                indexes_now = dict(kept.database.indexes)
                database, changed = journal.restore(kept)
                resume_indexes(database, kept.indexes, indexes_now, changed, kept)
                node.databases[name] = database

    def discard() -> None:
        for each in journals.values():
            journal.drop(each)

    return Saved(restore, discard)
