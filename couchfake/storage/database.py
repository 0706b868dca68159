"""One database: its documents, their order by id and by change, and the writing of edits.

All writing happens under ``lock``; ``changed`` wakes the feeds that wait for it. What other rooms add to a write
(validation functions, the rules of ``_users``) is given from outside as ``DocumentHooks``, so that storage knows
nothing of JavaScript or users.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Protocol, cast

from sortedcontainers import SortedDict, SortedList

from couchfake.errors import CouchError, NotFound
from couchfake.storage import documents
from couchfake.storage.activity import Activity
from couchfake.storage.documents import DocumentEntry, LocalDocument, ParsedBodies
from couchfake.storage.edits import Edit
from couchfake.storage.journal import Journal, Transaction
from couchfake.storage.revision_ids import RevisionId
from couchfake.storage.revision_tree import Revision
from couchfake.storage.sequences import PurgeHistory, SequenceFormat
from couchfake.storage.sizes import EMPTY_FILE, LEAF_OVERHEAD, LeafSizes

Visible = Callable[[DocumentEntry, Revision], Revision]
"""What one reader may see of a revision: itself, one that shows less, or a CouchError."""


class DocumentHooks(Protocol):
    """What runs before and after writes and reads. Each may raise a CouchError, which refuses the one edit."""

    def before_doc_update(self, database: Database, edit: Edit, user: Any, new_edits: bool) -> None:
        """Look at, or change, an edit before anything else (hashing of passwords)."""

    def runs_javascript(self, database: Database, edit: Edit, user: Any) -> bool:
        """Return whether ``validate`` may run JavaScript for an edit: then it is called without the database's lock."""

    def validators(self, database: Database) -> Any:
        """Return the validation functions; another object after each change of a design document."""

    def has_validators(self, database: Database) -> bool:
        """Whether any design document has a validate_doc_update function."""

    def validate(self, database: Database, edit: Edit, old: Revision | None, user: Any) -> None:
        """Run the validation functions, or the checks of a design document."""

    def after_doc_read(self, database: Database, entry: DocumentEntry, leaf: Revision, user: Any) -> Revision:
        """Return the revision to show to a user. Raise a CouchError if the user may not see the document."""

    def reader(self, database: Database, user: Any) -> Visible | None:
        """Return ``after_doc_read`` for many documents; None if the user sees them all as they are."""

    def max_partition_size(self) -> int:
        """Return the limit in bytes; 0 or less if there is none."""

    def stem_interactive_updates(self) -> bool:
        """Return whether interactive edits cut histories at the database's ``revs_limit``."""

    def after_doc_update(self, database: Database, edits: list[Edit]) -> None:
        """Note what was written or purged, under the lock. Called again if it was interrupted.

        Take no lock here that anybody holds while taking a database's lock.
        """

    def after_write(self, database: Database) -> None:
        """Do what follows from ``after_doc_update`` without the lock. Called once a write has released it."""


class Database:
    """See the module. ``seq``s are integers here; ``pack_seq`` makes them strings."""

    def __init__(
        self,
        name: str,
        uuid: str,
        created: float,
        hooks: DocumentHooks,
        parsed: ParsedBodies,
        props: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.uuid = uuid
        self.created = created
        self.hooks = hooks
        self.parsed = parsed
        self.props = dict(props or {})
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        self._transaction: Transaction | None = None
        self.closed = False
        self.entries: dict[str, DocumentEntry] = {}
        self.ddoc_ids: set[str] = set()  # deleted ones too
        self.live_ids: SortedList[str] = SortedList()
        self.by_seq: SortedDict[int, DocumentEntry] = SortedDict()
        self.local_documents: SortedDict[str, LocalDocument] = SortedDict()
        self.update_seq = 0
        self.notified_seq = 0  # the sequence of the last change that feeds were woken for
        self.doc_count = 0
        self.doc_del_count = 0
        self.leaf_sizes = LeafSizes()
        self.purged_size = 0  # bytes of purged leaves, which count until compaction
        self.appended = 0  # bytes that the file has grown by since it was made or compacted
        self.compacted: float | None = None  # the time of a compaction that no answer has shown as running yet
        self.purges = PurgeHistory()
        self.activity = Activity()
        self.revs_limit = 1000
        self.q = 1  # the shards that the database was made with, by name only
        self.security: dict[str, Any] = {}
        self.indexes: dict[Hashable, Any] = {}
        self.journals: list[Journal] = []  # of the snapshots that hold this database, the newest last

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """The lock that all changes are made under. A change that was cut off is undone or completed first."""
        if self._transaction is not None:
            with self._lock:
                self._settle()
        return self._lock

    def begin(self, edits: list[Edit]) -> Transaction:
        """Begin a change, of which all or nothing will be done. The lock must be held.

        Note in the transaction what is about to change, then call ``commit``, or ``abort`` for any exception::

            transaction = database.begin(edits)
            try:
                ...
                database.commit(transaction)
            except BaseException:
                database.abort(transaction)
                raise
        """
        unfinished = self._transaction
        if unfinished is not None and not unfinished.committed:
            self.abort(unfinished)
        transaction = self._transaction = Transaction(self, edits)
        return transaction

    def commit(self, transaction: Transaction) -> None:
        """End a change: call ``after_doc_update`` with the transaction's edits and wake feeds if it took a sequence."""
        transaction.committed = True
        if self.update_seq != transaction.update_seq:
            try:
                if transaction.edits:
                    self.hooks.after_doc_update(self, transaction.edits)
            except Exception:
                self._transaction = None
                raise
            self.notified_seq = self.update_seq
            self.changed.notify_all()
        self._transaction = None

    def abort(self, transaction: Transaction) -> None:
        """Undo a change that was cut off, or complete it if it was committed or can be done again."""
        transaction.running = False
        self._settle()

    def _settle(self) -> None:
        transaction = self._transaction
        if transaction is None or transaction.running:
            return
        if transaction.redo is not None:
            transaction.redo()
        elif not transaction.committed:
            transaction.undo()
            self._transaction = None
            return
        self.commit(transaction)

    @property
    def partitioned(self) -> bool:
        return bool(self.props.get("partitioned"))

    @property
    def purged_infos_limit(self) -> int:
        return self.purges.limit

    @purged_infos_limit.setter
    def purged_infos_limit(self, limit: int) -> None:
        self.purges.limit = limit

    @property
    def purge_seq(self) -> int:
        return self.purges.seq

    @cached_property
    def _sequences(self) -> SequenceFormat:
        return SequenceFormat(self.uuid)

    def pack_seq(self, seq: int) -> str:
        return self._sequences.pack(seq)

    def pack_seqs(self, seqs: Sequence[int]) -> list[str]:
        return self._sequences.pack_many(seqs)

    def unpack_seq(self, text: str) -> int:
        return self._sequences.unpack(text)

    def start_seq(self, since: str, descending: bool = False) -> int:
        """Return the sequence that a feed begins after. A descending feed begins at the end, whatever ``since`` is."""
        if descending or since == "now":
            return self.update_seq
        return 0 if since == "0" else self.unpack_seq(since)

    # ---- reading

    def entry(self, docid: str) -> DocumentEntry | None:
        """Any document but a local one, deleted ones too."""
        return self.entries.get(docid)

    def entries_since(self, seq: int) -> Iterator[DocumentEntry]:
        """Yield each document once, in the order of its latest change, from after ``seq``. The lock must be held."""
        for each in self.by_seq.irange(minimum=seq, inclusive=(False, True)):
            yield self.by_seq[each]

    def count_since(self, seq: int) -> int:
        """Return how many documents have changed after ``seq``."""
        with self.lock:
            return len(self.by_seq) - self.by_seq.bisect_right(seq)

    def ddocs(self) -> list[DocumentEntry]:
        """Return the live design documents, by id."""
        with self.lock:
            return [self.entries[docid] for docid in self.live_ids.irange("_design/", "_design0", (True, False))]

    def open_doc(self, entry: DocumentEntry, leaf: Revision | None = None) -> dict[str, Any]:
        """A revision (the winner) as JSON: a new dict, whose nested values must not be changed."""
        return documents.document(entry.id, leaf or entry.winner)

    def purges_since(self, purge_seq: int) -> list[tuple[int, str, list[str]]]:
        return self.purges.since(purge_seq)

    # ---- writing

    def require_open(self) -> None:
        """Raise NotFound if the database was deleted, or belongs to a state that a snapshot has replaced."""
        if self.closed:
            raise NotFound("Database does not exist.")

    def close(self) -> None:
        """Mark the database as deleted and wake all feeds that wait for its changes."""
        with self.lock:
            self.closed = True
            self.changed.notify_all()

    def local(self, docid: str) -> LocalDocument | None:
        return self.local_documents.get(docid)

    def put_local(self, docid: str, document: LocalDocument | None) -> None:
        """Store a local document; None removes it."""
        if self.journals:
            self.journals[-1].keep_local(docid, self.local_documents.get(docid))
        if document is None:
            self.local_documents.pop(docid, None)
        else:
            self.local_documents[docid] = document

    def change_setting(self, **settings: Any) -> None:
        """Set ``security``, ``revs_limit`` or ``purged_infos_limit``. Each takes a sequence but wakes no feed."""
        with self.lock:
            self.require_open()
            update_seq, former = self.update_seq, {name: getattr(self, name) for name in settings}
            try:
                for name, value in settings.items():
                    setattr(self, name, value)
                self.update_seq += 1
            except BaseException:
                self.update_seq = update_seq
                for name, value in former.items():
                    setattr(self, name, value)
                raise

    def numbers(self) -> tuple[int, int, int]:
        """Return the counters that a transaction restores."""
        return self.update_seq, self.purged_size, self.appended

    def restore(self, numbers: tuple[int, int, int], local: Mapping[str, LocalDocument | None]) -> None:
        """Put counters and local documents back, and derive the rest from the entries again."""
        self.update_seq, self.purged_size, self.appended = numbers
        entries = list(self.entries.values())
        self.leaf_sizes = LeafSizes(leaf for entry in entries for leaf in entry.leaves())
        self.by_seq = SortedDict({entry.seq: entry for entry in entries})
        self.live_ids = SortedList(entry.id for entry in entries if not entry.deleted)
        self.ddoc_ids = {entry.id for entry in entries if entry.id.startswith("_design/")}
        self.doc_count = sum(entry.counted is False for entry in entries)
        self.doc_del_count = sum(entry.counted is True for entry in entries)
        # The order of a SortedDict may be broken, the dict that it is may not.
        documents = dict(dict.items(cast("dict[str, LocalDocument]", self.local_documents)))
        documents |= {docid: document for docid, document in local.items() if document is not None}
        gone = {docid for docid, document in local.items() if document is None}
        self.local_documents = SortedDict({each: found for each, found in documents.items() if each not in gone})

    def changing(self, docid: str) -> DocumentEntry | None:
        """Return the entry of a document that is about to change, to be stored with ``add_entry``.

        It is a copy if a snapshot has the present entry.
        """
        entry = self.entries.get(docid)
        if entry is None or not self.journals or docid in self.journals[-1].entries:
            return entry
        return entry.copy()

    def add_entry(self, entry: DocumentEntry) -> None:
        if self.journals:
            self.journals[-1].keep(entry.id, self.entries.get(entry.id))
        self.entries[entry.id] = entry
        if entry.id.startswith("_design/"):
            self.ddoc_ids.add(entry.id)

    def touch(self, entry: DocumentEntry) -> None:
        """Give a changed document its new sequence and its place among the live ones."""
        self.update_seq += 1
        if entry.seq:
            del self.by_seq[entry.seq]
        entry.seq = self.update_seq
        self.by_seq[entry.seq] = entry
        self.place(entry.id, live=not entry.deleted)

    def place(self, docid: str, live: bool) -> None:
        if live and docid not in self.live_ids:
            self.live_ids.add(docid)
        elif not live:
            self.live_ids.discard(docid)

    def count(self, entry: DocumentEntry, deleted: bool | None) -> None:
        """Count a document as deleted, as live, or not at all (None)."""
        before = entry.counted
        if before is deleted:
            return
        if before is not None:
            self._count(before, -1)
        if deleted is not None:
            self._count(deleted, 1)
        entry.counted = deleted

    def _count(self, deleted: bool, step: int) -> None:
        if deleted:
            self.doc_del_count += step
        else:
            self.doc_count += step

    @property
    def external_size(self) -> int:
        """The bytes of the leaves' bodies and attachments. The lock must be held."""
        return self.leaf_sizes.total() + self.purged_size

    def sizes(self) -> dict[str, int]:
        """Return the sizes of the database in bytes: ``file``, ``external`` and ``active``. The lock must be held."""
        active = self._active_size()
        return {"file": EMPTY_FILE + max(self.appended, active), "external": self.external_size, "active": active}

    def _active_size(self) -> int:
        return self.external_size + LEAF_OVERHEAD * len(self.entries)

    def purge(self, requests: Iterable[tuple[str, list[RevisionId]]]) -> dict[str, list[RevisionId]]:
        """Remove leaves as if they had never been written. Return, for each id, the revisions that were removed.

        Each remaining leaf of a document takes a sequence. Requests that leave no leaf take one together, so
        that indexes notice; no request takes none.
        """
        with self.lock:
            self.require_open()
            self.activity.purges += 1
            transaction = self.begin([])
            try:
                purged = self._purge(list(requests), transaction)
                self.commit(transaction)
            except BaseException:
                self.abort(transaction)
                raise
        return purged

    def _purge(
        self, requests: list[tuple[str, list[RevisionId]]], transaction: Transaction
    ) -> dict[str, list[RevisionId]]:
        purged: dict[str, list[RevisionId]] = {}
        transaction.note_purges()
        for docid, revs in requests:
            transaction.note(docid, self.entries.get(docid))
            entry = self.changing(docid)
            purged[docid] = self._purge_leaves(entry, revs) if entry is not None else []
            self.purges.add(docid, revs)
            if purged[docid] and docid.startswith("_design/"):
                transaction.edits.append(Edit(docid, {}))
        if requests and self.update_seq == transaction.update_seq:
            self.update_seq += 1
        return purged

    def _purge_leaves(self, entry: DocumentEntry, revs: list[RevisionId]) -> list[RevisionId]:
        leaves = entry.leaves()
        gone = entry.tree.remove_leaves(revs)
        if not gone:
            return gone
        self.add_entry(entry)
        purged = [leaf for leaf in leaves if leaf.key in gone]
        self.leaf_sizes.replace(purged, ())
        self.purged_size += sum(leaf.size() for leaf in purged)
        if len(gone) < len(leaves):
            self.update_seq += len(leaves) - len(gone) - 1
            self.touch(entry)
        else:
            del self.by_seq[entry.seq]
            del self.entries[entry.id]
            self.ddoc_ids.discard(entry.id)
            self.place(entry.id, live=False)
            self.count(entry, None)
        return gone

    def compact(self) -> None:
        """Forget the bodies of all revisions that are not leaves, purged leaves, and purges beyond the limit."""
        with self.lock:
            self.require_open()
            transaction = self.begin([])
            transaction.redo = self._compact
            try:
                self._compact()
                self.commit(transaction)
            except BaseException:
                self.abort(transaction)
                raise

    def _compact(self) -> None:
        for entry in list(self.entries.values()):
            compacted = self.changing(entry.id) if entry.tree.has_inner_bodies() else None
            if compacted is not None:
                compacted.tree.forget_bodies()
                self.add_entry(compacted)
            self.by_seq[entry.seq] = self.entries[entry.id]
        self.purged_size = 0
        self.appended = self._active_size()
        self.purges.trim()

    def open_leaf(self, docid: str, rev: RevisionId | None = None) -> tuple[DocumentEntry, Revision] | None:
        """The document and the named revision, or its winner."""
        self.activity.reads += 1
        entry = self.entries.get(docid)
        if entry is None:
            return None
        node = entry.winner if rev is None else entry.tree.find(rev)
        return None if node is None else (entry, node)


Outcome = RevisionId | CouchError
"""What became of one edit: its new revision, or why it was refused."""
