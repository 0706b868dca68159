"""What a database was, and how it becomes that again: at a snapshot, or before a change that was cut off."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from copy import copy
from typing import TYPE_CHECKING, Any

from couchfake.storage.documents import DocumentEntry, LocalDocument
from couchfake.storage.revision_tree import Revision, TreeState

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.edits import Edit


# Snapshots
#
# A snapshot costs next to nothing: a ``Journal`` keeps the settings and counts at once, and of the documents only those
# that change afterwards. ``Database.changing`` gives a writer a copy of an entry that a journal has not kept yet, so
# the kept one is never changed again and going back means putting it in its place.
#
# Going back gives a new ``Database`` object around the same documents, and closes the old one. So feeds that hang on
# the old one end, and a request that began before cannot write into what was restored.


# What of a database is replaced, and never changed in place.
_SETTINGS = (
    "update_seq",
    "doc_count",
    "doc_del_count",
    "purged_size",
    "appended",
    "notified_seq",
    "compacted",
    "props",
    "revs_limit",
    "q",
    "security",
)


class Journal:
    """One snapshot's part in one database.

    ``entries`` and ``local_documents``: what the documents were that have changed since, None for those that did not
    exist. ``indexes``: whatever the caller needs to give the restored database its indexes.
    """

    __slots__ = ("activity", "database", "entries", "indexes", "local_documents", "purges", "settings")

    def __init__(self, database: Database, indexes: dict[Hashable, Any]) -> None:
        self.database = database
        self.indexes = indexes
        self.entries: dict[str, DocumentEntry | None] = {}
        self.local_documents: dict[str, LocalDocument | None] = {}
        self.settings = {name: getattr(database, name) for name in _SETTINGS}
        self.activity = database.activity.copy()
        self.purges = database.purges.copy()

    def keep(self, docid: str, entry: DocumentEntry | None) -> None:
        self.entries.setdefault(docid, entry)

    def keep_local(self, docid: str, document: LocalDocument | None) -> None:
        self.local_documents.setdefault(docid, document)


def begin(database: Database, indexes: dict[Hashable, Any]) -> Journal:
    """Keep what the database is now. What it becomes is written down until ``drop``."""
    with database.lock:
        journal = Journal(database, indexes)
        database.journals.append(journal)
        return journal


def restore(journal: Journal) -> tuple[Database, set[str]]:
    """Return the database as it was at ``begin``, without indexes, and the ids of the documents that were restored.

    Those that began later must have been dropped, so that all they kept is in this one.
    """
    database = journal.database
    with database.lock:
        database.closed = True
        database.changed.notify_all()
        changed = set(journal.entries)
        _undo(database, journal)
        restored = copy(database)
        restored.closed = False
        restored.indexes = {}
        restored.activity = journal.activity.copy()
        restored.purges = journal.purges.copy()
        for name, value in journal.settings.items():
            setattr(restored, name, value)
        for each in restored.journals:
            each.database = restored
        return restored, changed


def drop(journal: Journal) -> None:
    """Keep what the database is now: the journal's entries become those of the one before it, if there is one."""
    database = journal.database
    with database.lock:
        place = database.journals.index(journal)
        del database.journals[place]
        if place > 0:
            before = database.journals[place - 1]
            before.entries = {**journal.entries, **before.entries}
            before.local_documents = {**journal.local_documents, **before.local_documents}


def _undo(database: Database, journal: Journal) -> None:
    for docid, entry in journal.entries.items():
        _put_back(database, docid, entry)
    for docid, document in journal.local_documents.items():
        if document is not None:
            database.local_documents[docid] = document
        else:
            database.local_documents.pop(docid, None)
    journal.entries = {}
    journal.local_documents = {}


def _put_back(database: Database, docid: str, entry: DocumentEntry | None) -> None:
    present = database.entries.get(docid)
    database.leaf_sizes.replace(() if present is None else present.leaves(), () if entry is None else entry.leaves())
    if present is not None:
        del database.by_seq[present.seq]
    if entry is not None:
        database.entries[docid] = entry
        database.by_seq[entry.seq] = entry
    else:
        database.entries.pop(docid, None)
    database.place(docid, entry is not None and not entry.deleted)
    if docid.startswith("_design/"):
        (database.ddoc_ids.discard if entry is None else database.ddoc_ids.add)(docid)


# Single changes
#
# An exception can arrive at any line: KeyboardInterrupt, or what a signal handler raises. Before it changes anything, a
# writer notes the state of all it is about to change. If the change is cut off before it is committed, the noted state
# is put back; if it is cut off afterwards, what follows a commit (dropping caches, waking feeds) is done again. Either
# happens at once in the writer that the exception passes through, or, if that is interrupted too, before the next use
# of the database.


_DocumentState = tuple["DocumentEntry | None", "TreeState | None", int, "bool | None"]
"""What a document was: its entry, its tree's state, its sequence and how it was counted."""

_NEW: _DocumentState = (None, None, 0, None)


class Transaction:
    """The state before one change.

    ``edits`` are what ``after_doc_update`` has to be called with once the change is committed. A change that can be
    repeated sets ``redo``: if it is cut off it is done again instead of undone.
    """

    __slots__ = (
        "_database",
        "_documents",
        "_filled",
        "_in_snapshot",
        "_local",
        "_numbers",
        "_purges",
        "committed",
        "edits",
        "note_fill",
        "redo",
        "running",
        "update_seq",
    )

    note_fill: Callable[[Revision], None]
    """Note a revision that is about to get its body."""

    def __init__(self, database: Database, edits: list[Edit]) -> None:
        self.edits = edits
        self._database = database
        self.committed = False
        self.running = True
        self.redo: Callable[[], None] | None = None
        self.update_seq = database.update_seq
        self._numbers = database.numbers()
        self._purges: tuple[int, int] | None = None
        self._documents: dict[str, _DocumentState] = {}
        self._in_snapshot: set[str] = set()
        self._local: dict[str, LocalDocument | None] = {}
        self._filled: list[Revision] = []
        self.note_fill = self._filled.append  # not a method of its own: it is called for every revision written

    def note(self, docid: str, entry: DocumentEntry | None) -> None:
        """Note a document that is about to change; None if it does not exist yet."""
        if docid not in self._documents:
            journals = self._database.journals
            if journals and docid in journals[-1].entries:
                self._in_snapshot.add(docid)
            self._documents[docid] = _NEW if entry is None else (entry, entry.tree.state(), entry.seq, entry.counted)

    def note_local(self, docid: str, document: LocalDocument | None) -> None:
        """Note a local document that is about to change."""
        self._local.setdefault(docid, document)

    def note_purges(self) -> None:
        """Note the purge history, which is about to change."""
        self._purges = self._database.purges.state()

    def undo(self) -> None:
        """Put the noted state back. Can be repeated if it is cut off."""
        database = self._database
        if database.journals:
            for docid in self._documents.keys() - self._in_snapshot:
                database.journals[-1].entries.pop(docid, None)
        for revision in self._filled:
            revision.body, revision.attachments, revision.deleted, revision.seq = None, (), False, 0
        for docid, (entry, state, seq, counted) in self._documents.items():
            if entry is None or state is None:
                database.entries.pop(docid, None)
            else:
                entry.tree.restore(state)
                entry.seq, entry.counted = seq, counted
                database.entries[docid] = entry
        if self._purges is not None:
            database.purges.restore(self._purges)
        database.restore(self._numbers, self._local)
