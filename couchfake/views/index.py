"""An index: trees of rows that follow a database.

``Index.update`` maps the documents that changed since the last time, once each, and puts their rows into all of its
trees. It gives a ``Snapshot``, which never changes: who reads one is not disturbed by updates, and an update that
fails (a map function with a fatal error, a reduce that refuses a value) leaves the index as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from couchfake.values.collation import raw_sort_key, text_key
from couchfake.views.keys import ONLY, Collate, position
from couchfake.views.nodes import Reducer, Row
from couchfake.views.tree import RowTree

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.documents import DocumentEntry

BATCH = 250
"""Documents that are read under the database's lock, and mapped, at a time."""

Emitted: TypeAlias = Sequence[tuple[Any, Any]]
"""The (key, value) rows of one document in one tree."""

Mapper: TypeAlias = "Callable[[Sequence[DocumentEntry]], Sequence[Sequence[Emitted]]]"
"""From documents whose winners are not deleted to, for each of them, for each tree, its rows."""


@dataclass(frozen=True)
class TreeDefinition:
    """How one tree is kept: the order of its keys and the reducers whose partial values it holds.

    In a ``partitioned`` tree rows stand by partition first (the document id up to its colon).
    """

    collate: Collate
    reducers: Sequence[Reducer] = ()
    partitioned: bool = False

    def prefix(self, docid: str) -> bytes:
        """What the positions of a document's rows begin with: its partition's name, or nothing."""
        return self.partition_prefix(docid.partition(":")[0]) if self.partitioned else b""

    def partition_prefix(self, partition: str) -> bytes:
        """What the positions of all rows of a partition begin with."""
        return self.collate(partition)


class Snapshot(NamedTuple):
    """What an index held at one moment: its trees in the order of its definitions, and how far it had followed."""

    trees: tuple[RowTree, ...]
    update_seq: int
    purge_seq: int


class Index:
    """Trees of one database's rows. ``snapshot`` is what is there now, ``update`` brings it up to date first."""

    def __init__(
        self, db: Database, definitions: Sequence[TreeDefinition], mapper: Mapper, *, include_design: bool = False
    ) -> None:
        self.definitions = tuple(definitions)
        self.snapshot = Snapshot(tuple(RowTree(definition.reducers) for definition in definitions), 0, db.purge_seq)
        self._db = db
        self._mapper = mapper
        self._include_design = include_design
        self._positions: dict[str, list[list[bytes]]] = {}
        self._updating = Lock()

    @property
    def updating(self) -> bool:
        """Whether some thread is bringing the index up to date at this moment."""
        return self._updating.locked()

    def pending(self) -> int:
        """How many documents have changed since the index followed the database."""
        return self._db.count_since(self.snapshot.update_seq)

    def update(self) -> Snapshot:
        """Follow the database to where it is now. What the mapper and the reducers raise comes out of here."""
        snapshot = self.snapshot
        if snapshot.update_seq == self._db.update_seq and snapshot.purge_seq == self._db.purge_seq:
            return snapshot
        with self._updating:
            changes = _Changes(len(self.definitions))
            self._follow_purges(changes)
            self._follow_updates(changes)
            trees = tuple(
                tree.apply(removed, added)
                for tree, removed, added in zip(self.snapshot.trees, changes.removed, changes.added, strict=True)
            )
            for docid, positions in changes.positions.items():
                if positions is None:
                    self._positions.pop(docid, None)
                else:
                    self._positions[docid] = positions
            self.snapshot = Snapshot(trees, changes.update_seq, changes.purge_seq)
            return self.snapshot

    def _follow_purges(self, changes: _Changes) -> None:
        with self._db.lock:
            changes.purge_seq = self._db.purge_seq
            docids = {docid for _, docid, _ in self._db.purges_since(self.snapshot.purge_seq)}
            found = {docid: self._db.entry(docid) for docid in docids}
        for docid, entry in found.items():
            if entry is None:
                self._replace(changes, docid, None)
        self._map(changes, [entry for entry in found.values() if entry is not None])

    def _follow_updates(self, changes: _Changes) -> None:
        target, seq = self._db.update_seq, self.snapshot.update_seq
        while seq < target:
            with self._db.lock:
                entries = list(islice(self._db.entries_since(seq), BATCH))
                seq = entries[-1].seq if len(entries) == BATCH else self._db.update_seq
            self._map(changes, entries)
        changes.update_seq = seq

    def _map(self, changes: _Changes, entries: Sequence[DocumentEntry]) -> None:
        mapped = []
        for entry in entries:
            if entry.id.startswith("_design/") and not self._include_design:
                continue
            if entry.deleted:
                self._replace(changes, entry.id, None)
            else:
                mapped.append(entry)
        if mapped:
            for entry, emitted in zip(mapped, self._mapper(mapped), strict=True):
                self._replace(changes, entry.id, emitted)

    def _replace(self, changes: _Changes, docid: str, emitted: Sequence[Emitted] | None) -> None:
        """Take a document's rows out of all trees and put others in."""
        if docid not in changes.positions:
            for removed, positions in zip(changes.removed, self._positions.get(docid, ()), strict=False):
                removed += positions
        else:  # met twice in this update: what the first time added does not count
            for added, positions in zip(changes.added, changes.positions[docid] or (), strict=False):
                for gone in positions:
                    del added[gone]
        changes.positions[docid] = None
        if emitted is not None:
            placed = [dict(_placed(d, docid, rows)) for d, rows in zip(self.definitions, emitted, strict=True)]
            for added, rows in zip(changes.added, placed, strict=True):
                added.update(rows)
            changes.positions[docid] = [list(rows) for rows in placed] if any(placed) else None


class _Changes:
    """What one update has gathered: for each tree positions that go and rows that come, and where the rows stand."""

    def __init__(self, trees: int) -> None:
        self.removed: list[list[bytes]] = [[] for _ in range(trees)]
        self.added: list[dict[bytes, Row]] = [{} for _ in range(trees)]
        self.positions: dict[str, list[list[bytes]] | None] = {}
        self.update_seq = 0
        self.purge_seq = 0


def _placed(definition: TreeDefinition, docid: str, emitted: Emitted) -> Iterable[tuple[bytes, Row]]:
    """The rows of one document with their positions."""
    if not emitted:
        return ()
    prefix, tail, collate = definition.prefix(docid), text_key(docid) + ONLY, definition.collate
    keys = [prefix + collate(key) for key, _ in emitted]
    if len(set(keys)) == len(keys):
        return [(at + tail, (key, docid, value)) for at, (key, value) in zip(keys, emitted, strict=True)]
    return _placed_apart(docid, keys, emitted)


def _placed_apart(docid: str, keys: list[bytes], emitted: Emitted) -> Iterable[tuple[bytes, Row]]:
    """The same where keys of one document are equal: among those, by key and then value in Erlang's order."""
    entries = [
        (at, raw_sort_key(key), raw_sort_key(value), key, value) for at, (key, value) in zip(keys, emitted, strict=True)
    ]
    entries.sort(key=lambda entry: entry[:3])
    nth_key = nth_value = 0
    before = None
    for at, raw_key, _, key, value in entries:
        if before == (at, raw_key):
            nth_value += 1
        else:
            nth_key, nth_value = (nth_key + 1 if before is not None and before[0] == at else 0), 0
        before = (at, raw_key)
        yield position(at, docid, nth_key, nth_value), (key, docid, value)


_Shared = TypeVar("_Shared")


def shared_index(db: Database, name: Hashable, make: Callable[[], _Shared]) -> _Shared:
    """The object that the database keeps under this name, made where it is the first to be asked for."""
    with db.lock:
        if name not in db.indexes:
            db.indexes[name] = make()
        found: _Shared = db.indexes[name]
        return found
