"""An index: trees of rows that follow a database.

``Index.update`` maps the documents that changed since the last time, once each, and puts their rows into all of its
trees. It gives a ``Snapshot``, which never changes: who reads one is not disturbed by updates, and an update that
fails (a map function with a fatal error, a reduce that refuses a value) leaves the index as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from couchfake.errors import CouchError
from couchfake.values.collation import raw_sort_key, text_key
from couchfake.views.keys import ONLY, Collate, ordinal
from couchfake.views.tree import Reducer, Row, RowTree

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.documents import DocumentEntry

BATCH = 250
"""Documents that are read under the database's lock, and mapped, at a time."""

Emitted: TypeAlias = Sequence[Sequence[Any]]
"""The rows of one document in one tree: pairs of a key and a value."""

Mapper: TypeAlias = "Callable[[Sequence[DocumentEntry]], Sequence[Sequence[Emitted]]]"
"""From documents whose winners are not deleted to, for each of them, for each tree, its rows."""


@dataclass(frozen=True)
class TreeDefinition:
    """How one tree is kept: the order of its keys and the reducers whose partial values it holds.

    In a ``partitioned`` tree rows are ordered by partition first (the document id up to its colon).
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
    """The state of an index: its trees in the order of its definitions, and how far it has followed the database.

    ``tree_seqs`` has for each tree the update after which it last changed, which is the ``update_seq`` of views.
    """

    trees: tuple[RowTree, ...]
    update_seq: int
    purge_seq: int
    tree_seqs: tuple[int, ...]


@dataclass(frozen=True)
class Draft:
    """Rows that an index can begin with instead of none: right but for those of the documents in ``stale``.

    ``origin``: what the database was restored from.
    """

    rows: Snapshot
    stale: frozenset[str]
    origin: object


@dataclass(frozen=True)
class SavedIndex:
    """An index as it was at one moment; ``resume`` makes another one of it, as often as wanted."""

    index: Index
    snapshot: Snapshot
    positions: Layers
    draft: Draft | None

    def resume(self, db: Database) -> Index:
        """Return an index with the saved rows. ``db``: the database as it was when the index was saved."""
        resumed = copy(self.index)
        resumed._db = db
        resumed.snapshot = self.snapshot
        resumed._positions = Positions(self.positions)
        resumed._draft = self.draft
        resumed._updating = Lock()
        return resumed


class Index:
    """Trees of one database's rows. ``snapshot`` is what is there now, ``update`` brings it up to date first."""

    def __init__(
        self, db: Database, definitions: Sequence[TreeDefinition], mapper: Mapper, *, include_design: bool = False
    ) -> None:
        self.definitions = tuple(definitions)
        self._draft: Draft | None = None
        self._db = db
        self.snapshot = self._empty(self._db)
        self._mapper = mapper
        self._include_design = include_design
        self._positions = Positions()
        self._updating = Lock()
        self._whole = True  # whether the positions are those of the snapshot

    def _empty(self, db: Database) -> Snapshot:
        trees = tuple(RowTree(definition.reducers) for definition in self.definitions)
        return Snapshot(trees, 0, db.purge_seq, (0,) * len(trees))

    @property
    def updating(self) -> bool:
        """Return whether some thread is bringing the index up to date at this moment."""
        return self._updating.locked()

    def pending(self) -> int:
        """How many documents have changed since the index followed the database."""
        return self._db.count_since(self.snapshot.update_seq)

    def size(self) -> int:
        """About how many bytes the rows take."""
        return sum(tree.size() for tree in self.snapshot.trees)

    @property
    def built(self) -> bool:
        """Whether there are rows to keep."""
        return self.snapshot.update_seq > 0 or self._draft is not None

    @property
    def used(self) -> bool:
        """Whether the index has been brought up to date since its database was restored."""
        return self._draft is None

    def save(self) -> SavedIndex:
        """Keep the rows that are there now. Waits for the end of an update; do not hold the database's lock."""
        with self._updating:
            return SavedIndex(self, self.snapshot, self._positions.freeze(), self._draft)

    def drafted(self, db: Database, changed: Collection[str], origin: object) -> Index | None:
        """Return an index that was never built, for a database that was restored to before this one was built.

        Its first update begins with the rows of this index, and maps only the documents that have ``changed`` between
        then and now. None while an update is going on.
        """
        if not self._updating.acquire(blocking=False):
            return None
        try:
            draft = self._draft or Draft(self.snapshot, frozenset(), None)
            if draft.origin is not origin:
                draft = Draft(draft.rows, draft.stale | frozenset(changed), origin)
            update_seq, purge_seq = min(draft.rows.update_seq, db.update_seq), min(draft.rows.purge_seq, db.purge_seq)
            draft = replace(draft, rows=draft.rows._replace(update_seq=update_seq, purge_seq=purge_seq))
            return SavedIndex(self, self._empty(db), self._positions.freeze(), draft).resume(db)
        finally:
            self._updating.release()

    def update(self) -> Snapshot:
        """Follow the database to where it is now. What the mapper and the reducers raise comes out of here."""
        snapshot = self.snapshot
        if snapshot.update_seq == self._db.update_seq and snapshot.purge_seq == self._db.purge_seq:
            return snapshot
        with self._updating:
            if not self._whole:  # an exception cut off the last update
                self.snapshot, self._positions, self._draft = self._empty(self._db), Positions(), None
                self._whole = True
            draft = self._draft
            before = self.snapshot if draft is None else draft.rows
            changes = _Changes(before, frozenset() if draft is None else draft.stale)
            self._follow(changes)
            self._db.activity.indexed += len(changes.placed)
            trees = tuple(self._changed(n, tree, changes.placed) for n, tree in enumerate(before.trees))
            if draft is None:
                seqs = tuple(
                    seq if tree is old else changes.update_seq
                    for tree, old, seq in zip(trees, before.trees, before.tree_seqs, strict=True)
                )
            else:  # as if all had been built now
                seqs = tuple(changes.update_seq if len(tree) else 0 for tree in trees)
            self._whole = False
            for docid, placed in changes.placed.items():
                self._positions.put(docid, None if placed is None else tuple([positions for positions, _ in placed]))
            self.snapshot = Snapshot(trees, changes.update_seq, changes.purge_seq, seqs)
            self._draft = None
            self._whole = True
            return self.snapshot

    def update_in_background(self) -> Snapshot:
        """Return what the real server's background indexer leaves, as if it had run since the last request.

        An update that fails, or that another thread is at, leaves the index as it is.
        """
        if not self.updating:
            with suppress(CouchError):
                self.update()
        return self.snapshot

    def map_batches(self, batches: Iterable[Sequence[DocumentEntry]]) -> Iterator[Sequence[Sequence[Emitted]]]:
        """Map the documents of one update, batch by batch in order; taking the next batch ahead is fine."""
        return map(self._mapper, batches)

    def _follow(self, changes: _Changes) -> None:
        taken: deque[tuple[list[str], list[DocumentEntry]]] = deque()
        for emitted in self.map_batches(self._batches(changes, taken)):
            gone, entries = taken.popleft()
            changes.placed.update(dict.fromkeys(gone))
            for entry, of_document in zip(entries, emitted, strict=True):
                changes.placed[entry.id] = self._placed(entry.id, of_document)
        for gone, _ in taken:
            changes.placed.update(dict.fromkeys(gone))

    def _placed(self, docid: str, emitted: Sequence[Emitted]) -> list[_Placed] | None:
        if not any(emitted):
            return None
        tail = text_key(docid)
        return [
            _placed(definition, docid, tail, rows) for definition, rows in zip(self.definitions, emitted, strict=True)
        ]

    def _batches(
        self, changes: _Changes, taken: deque[tuple[list[str], list[DocumentEntry]]]
    ) -> Iterator[list[DocumentEntry]]:
        """What is to be mapped. ``taken`` has it too, with the ids of documents that have no rows any more."""
        gone: list[str] = []
        for batch in chain([self._purged(gone, changes)], self._updated(changes)):
            live = []
            for entry in batch:
                if entry.id.startswith("_design/") and not self._include_design:
                    continue
                if entry.deleted:
                    gone.append(entry.id)
                else:
                    live.append(entry)
            if live:
                taken.append((gone, live))
                gone = []
                yield live
        taken.append((gone, []))

    def _purged(self, gone: list[str], changes: _Changes) -> list[DocumentEntry]:
        """The documents that lost revisions or are stale, and are still there; those that are not are ``gone``."""
        with self._db.lock:
            changes.purge_seq = self._db.purge_seq
            docids = {docid for _, docid, _ in self._db.purges_since(changes.before.purge_seq)} | changes.stale
            found = {docid: self._db.entry(docid) for docid in docids}
        gone += (docid for docid, entry in found.items() if entry is None)
        return [entry for entry in found.values() if entry is not None]

    def _updated(self, changes: _Changes) -> Iterator[list[DocumentEntry]]:
        target, seq = self._db.update_seq, changes.before.update_seq
        while seq < target:
            with self._db.lock:
                entries = list(islice(self._db.entries_since(seq), BATCH))
                seq = entries[-1].seq if len(entries) == BATCH else self._db.update_seq
            yield entries
        changes.update_seq = seq

    def _changed(self, n: int, tree: RowTree, changes: Mapping[str, list[_Placed] | None]) -> RowTree:
        """The ``n``th tree with the rows of the changed documents in place of those they had."""
        removed: list[bytes] = []
        positions: list[bytes] = []
        rows: list[Row] = []
        for docid, placed in changes.items():
            before = self._positions.get(docid)
            if before is not None:
                if placed is not None and placed[n][0] == before[n] and tree.holds(*placed[n]):
                    continue  # a tree in which nothing changes keeps its sequence
                removed += before[n]
            if placed is not None:
                positions += placed[n][0]
                rows += placed[n][1]
        return tree.apply(removed, positions, rows)


_Placed: TypeAlias = tuple[tuple[bytes, ...], tuple[Row, ...]]
"""The positions and rows of one document in one tree. The garbage collector untracks such tuples, but never a list."""


class _Changes:
    """What one update has gathered: for each document its rows in each tree, None where it has none (any more).

    ``before``: the rows it begins with; ``stale``: documents to be mapped regardless of their sequence.
    """

    def __init__(self, before: Snapshot, stale: frozenset[str]) -> None:
        self.before = before
        self.stale = stale
        self.placed: dict[str, list[_Placed] | None] = {}
        self.update_seq = 0
        self.purge_seq = 0


def _placed(definition: TreeDefinition, docid: str, tail: bytes, emitted: Emitted) -> _Placed:
    """Positions for what a document emitted; ``tail`` is their part that comes from its id."""
    collate = definition.collate
    keys = [collate(key) for key, _ in emitted]
    if definition.partitioned:
        prefix = definition.prefix(docid)
        keys = [prefix + key for key in keys]
    if len(set(keys)) < len(keys):
        return _placed_apart(docid, tail, keys, emitted)
    tail += ONLY
    return tuple([key + tail for key in keys]), tuple([(key, docid, value) for key, value in emitted])


def _placed_apart(docid: str, tail: bytes, keys: list[bytes], emitted: Emitted) -> _Placed:
    """The same where keys of one document are equal: among those, by key and then value in Erlang's order."""
    equal: dict[bytes, list[Any]] = {}
    for at, row in zip(keys, emitted, strict=True):
        equal.setdefault(at, []).append(row)
    positions: list[bytes] = []
    rows: list[Row] = []
    for at, group in equal.items():
        stem = at + tail
        if len(group) == 1:
            positions.append(stem + ONLY)
        else:
            group, suffixes = _in_erlang_order(group)
            positions += [stem + suffix for suffix in suffixes]
        rows += [(key, docid, value) for key, value in group]
    return tuple(positions), tuple(rows)


def _in_erlang_order(group: list[Any]) -> tuple[list[Any], list[bytes]]:
    """Rows whose keys collate as equal, in order, and the ends of their positions."""
    first_key, first_value = group[0]
    if all(type(key) is str and key == first_key and value is first_value for key, value in group):
        return group, [ordinal(0, n) for n in range(len(group))]
    entries = sorted(((raw_sort_key(key), raw_sort_key(value), n) for n, (key, value) in enumerate(group)))
    suffixes: list[bytes] = []
    nth_key, nth_value, before = 0, -1, entries[0][0]
    for raw_key, _, _ in entries:
        nth_key, nth_value = (nth_key, nth_value + 1) if raw_key == before else (nth_key + 1, 0)
        before = raw_key
        suffixes.append(ordinal(nth_key, nth_value))
    return [group[n] for _, _, n in entries], suffixes


# Where the rows of each document are in the trees of an index.
#
# The positions are in layers of which only the uppermost is written, so a state is kept by reference: ``freeze`` costs
# what was written since the last time, not what the index holds.

DocumentPositions: TypeAlias = tuple[tuple[bytes, ...], ...]
"""For each tree of an index, the positions of one document's rows."""

Layers: TypeAlias = "tuple[dict[str, DocumentPositions | None], ...]"
"""Frozen positions, the newest first. None is for a document that no longer has rows."""


class Positions:
    """The positions of each document's rows, on top of frozen ones."""

    __slots__ = ("_layers",)

    def __init__(self, frozen: Layers = ()) -> None:
        self._layers: Layers = ({}, *frozen)

    def get(self, docid: str) -> DocumentPositions | None:
        for layer in self._layers:
            if docid in layer:
                return layer[docid]
        return None

    def put(self, docid: str, positions: DocumentPositions | None) -> None:
        """Set the positions of a document; None if it has no rows."""
        if positions is None and len(self._layers) == 1:
            self._layers[0].pop(docid, None)
        else:
            self._layers[0][docid] = positions

    def freeze(self) -> Layers:
        """Return what is there now. Later changes do not reach it."""
        if self._layers[0]:
            self._layers = ({}, *_merged(list(self._layers)))
        return self._layers[1:]


def _merged(layers: list[dict[str, DocumentPositions | None]]) -> Layers:
    """Join the upper layers for as long as one is not much smaller than the next, so that there are never many."""
    while len(layers) > 1 and 2 * len(layers[0]) >= len(layers[1]):
        joined = {**layers[1], **layers[0]}
        if len(layers) == 2:
            joined = {docid: positions for docid, positions in joined.items() if positions is not None}
        layers[:2] = [joined]
    return tuple(layers)
