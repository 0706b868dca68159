"""One database: its documents, their order by id and by change, and the writing of edits.

All writing happens under ``lock``; ``changed`` wakes the feeds that wait for it. What other rooms add to a write
(validation functions, the rules of ``_users``) is given from outside as ``DocumentHooks``, so that storage knows
nothing of JavaScript or users.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from sortedcontainers import SortedDict, SortedList

from couchfake.errors import CouchError, NotFound
from couchfake.storage import documents
from couchfake.storage.activity import Activity
from couchfake.storage.bodies import ParsedBodies
from couchfake.storage.documents import DocumentEntry, LocalDocument
from couchfake.storage.edits import Edit
from couchfake.storage.journal import Journal
from couchfake.storage.purges import PurgeHistory
from couchfake.storage.revision_ids import RevisionId
from couchfake.storage.revision_tree import Revision
from couchfake.storage.sequences import SequenceFormat

Visible = Callable[[DocumentEntry, Revision], Revision]
"""What one reader may see of a revision: itself, one that shows less, or a CouchError."""


class DocumentHooks(Protocol):
    """What stands between an edit and the database. All may raise a CouchError, which refuses the one edit."""

    def before_write(self, database: Database, edit: Edit, user: Any, new_edits: bool) -> None:
        """Look at, or change, an edit before anything else (hashing of passwords)."""

    def has_validators(self, database: Database) -> bool:
        """Whether any design document has a validate_doc_update function."""

    def validate(self, database: Database, edit: Edit, old: Revision | None, user: Any) -> None:
        """Run the validation functions, or the checks of a design document."""

    def after_read(self, database: Database, entry: DocumentEntry, leaf: Revision, user: Any) -> Revision:
        """Asked before a document is shown: the revision to show, or a CouchError."""

    def reader(self, database: Database, user: Any) -> Visible | None:
        """``after_read`` for many documents; None where the user sees them all as they are."""

    def max_partition_size(self) -> int:
        """In bytes; 0 or less where partitions may grow without limit."""

    def after_write(self, database: Database, edits: list[Edit]) -> None:
        """Told of what was written, under the lock (design documents: caches to drop)."""


class Database:
    """See the module. ``seq``s are integers here; ``pack_seq`` makes them texts."""

    def __init__(
        self,
        name: str,
        uuid: str,
        created: float,
        rules: DocumentHooks,
        parsed: ParsedBodies,
        props: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.uuid = uuid
        self.created = created
        self.rules = rules
        self.parsed = parsed
        self.props = dict(props or {})
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.closed = False
        self.entries: dict[str, DocumentEntry] = {}
        self.ddoc_ids: set[str] = set()  # deleted ones too
        self.live_ids: SortedList[str] = SortedList()
        self.by_seq: SortedDict[int, DocumentEntry] = SortedDict()
        self.local_documents: SortedDict[str, LocalDocument] = SortedDict()
        self.update_seq = 0
        self.doc_count = 0
        self.doc_del_count = 0
        self.size = 0  # bytes of the leaves' bodies and attachments, kept up to date by all that changes leaves
        self.compacted: float | None = None  # when it was asked for, until somebody was told
        self.purges = PurgeHistory()
        self.activity = Activity()
        self.revs_limit = 1000
        self.q = 1  # the shards that the database was made with, by name only
        self.security: dict[str, Any] = {}
        self.indexes: dict[Hashable, Any] = {}
        self.journals: list[Journal] = []  # of the snapshots that hold this database, the newest last
        self._sequences = SequenceFormat(uuid)

    @property
    def partitioned(self) -> bool:
        return bool(self.props.get("partitioned"))

    @property
    def purge_seq(self) -> int:
        return self.purges.seq

    def pack_seq(self, seq: int) -> str:
        return self._sequences.pack(seq)

    def pack_seqs(self, seqs: Sequence[int]) -> list[str]:
        return self._sequences.pack_many(seqs)

    def unpack_seq(self, text: str) -> int:
        return self._sequences.unpack(text)

    # ---- reading

    def entry(self, docid: str) -> DocumentEntry | None:
        """Any document but a local one, deleted ones too."""
        return self.entries.get(docid)

    def entries_since(self, seq: int) -> Iterator[DocumentEntry]:
        """Each document once, in the order of its latest change, from after ``seq``. Costs what it answers."""
        for each in self.by_seq.irange(minimum=seq, inclusive=(False, True)):
            yield self.by_seq[each]

    def count_since(self, seq: int) -> int:
        """How many documents have changed after ``seq``."""
        return len(self.by_seq) - self.by_seq.bisect_right(seq)

    def ddocs(self) -> list[DocumentEntry]:
        """The live design documents, by id."""
        return [self.entries[docid] for docid in self.live_ids.irange("_design/", "_design0", (True, False))]

    def open_doc(self, entry: DocumentEntry, leaf: Revision | None = None) -> dict[str, Any]:
        """A revision (the winner) as JSON: a new dict, whose nested values must not be changed."""
        return documents.document(entry.id, leaf or entry.winner)

    def purges_since(self, purge_seq: int) -> list[tuple[int, str, list[str]]]:
        return self.purges.since(purge_seq)

    # ---- writing

    def close(self) -> None:
        """The database was deleted: wake everybody who waits for its changes."""
        with self.lock:
            self.closed = True
            self.changed.notify_all()

    def require_open(self) -> None:
        """Raise NotFound if the database was deleted, or belongs to a state that a snapshot has replaced."""
        if self.closed:
            raise NotFound("Database does not exist.")

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
        """Set ``security`` or ``revs_limit``; both are changes of the database, and take a sequence."""
        with self.lock:
            self.require_open()
            for name, value in settings.items():
                setattr(self, name, value)
            self.update_seq += 1

    def changing(self, docid: str) -> DocumentEntry | None:
        """Return the entry of a document that is about to change, to be stored with ``add_entry``.

        It is a copy where a snapshot holds the entry that is there.
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
        """Count a document as deleted, as live, or (None) no longer."""
        if entry.counted is not deleted:
            for state, step in ((entry.counted, -1), (deleted, 1)):
                if state is True:
                    self.doc_del_count += step
                elif state is False:
                    self.doc_count += step
            entry.counted = deleted

    def purge(self, requests: Iterable[tuple[str, list[RevisionId]]]) -> dict[str, list[RevisionId]]:
        """Remove leaves as if they had never been. Answers, for each id, the revisions that were removed.

        Each leaf that is left of a document takes a sequence; a request that leaves none takes one all the same, so
        that indexes see that there was something to forget.
        """
        purged: dict[str, list[RevisionId]] = {}
        with self.lock:
            self.require_open()
            self.activity.purges += 1
            before = self.update_seq
            for docid, revs in requests:
                entry = self.changing(docid)
                purged[docid] = self._purge_leaves(entry, revs) if entry is not None else []
                self.purges.add(docid, revs)
                if purged[docid] and docid.startswith("_design/"):
                    self.rules.after_write(self, [Edit(docid, {})])
            if self.update_seq == before:
                self.update_seq += 1
            self.changed.notify_all()
        return purged

    def _purge_leaves(self, entry: DocumentEntry, revs: list[RevisionId]) -> list[RevisionId]:
        leaves, size = len(entry.leaves()), entry.size()
        gone = entry.tree.remove_leaves(revs)
        if not gone:
            return gone
        self.add_entry(entry)
        self.size -= size
        if len(gone) < leaves:
            self.size += entry.size()
        if len(gone) < leaves:
            self.update_seq += leaves - len(gone) - 1
            self.touch(entry)
        else:
            del self.by_seq[entry.seq]
            del self.entries[entry.id]
            if entry.id.startswith("_design/"):
                self.ddoc_ids.discard(entry.id)
            self.place(entry.id, live=False)
            self.count(entry, None)
        return gone

    def compact(self) -> None:
        """Forget the bodies of all revisions that are no leaves."""
        with self.lock:
            self.require_open()
            for entry in list(self.entries.values()):
                compacted = self.changing(entry.id) if entry.tree.has_inner_bodies() else None
                if compacted is not None:
                    compacted.tree.forget_bodies()
                    self.add_entry(compacted)
                    self.by_seq[compacted.seq] = compacted

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
