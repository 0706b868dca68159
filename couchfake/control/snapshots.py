"""Snapshots of a whole server, and going back to them.

A snapshot costs what the server has of settings and databases, not of documents; going back costs what was written
since. Snapshots nest like savepoints of a transaction: going back to one ends those that were taken after it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from couchfake.control.parts import Part, Saved


class SnapshotEnded(RuntimeError):
    """A snapshot cannot be restored: it was discarded, an earlier one was restored, or the server was reset."""


class Snapshot:
    """The state of a server at one moment. Made by ``CouchFake.snapshot``.

    A snapshot that nobody refers to any more is discarded by itself.
    """

    def __init__(self, stack: SnapshotStack) -> None:
        self._stack = stack

    def restore(self) -> None:
        """Make the server what it was at the moment of the snapshot. May be called any number of times.

        Documents, databases, settings, users and identifiers go back, replications end, open feeds end, sessions that
        were opened since are logged out, and snapshots that were taken since cannot be restored any more. A request
        that is being answered in another thread either has happened before, and is undone, or meets a database that
        does not exist (404). Raise SnapshotEnded if the snapshot cannot be restored.
        """
        self._stack.restore(self)

    def discard(self) -> None:
        """Forget the snapshot: what was written since stays. Later and earlier snapshots stay valid."""
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
