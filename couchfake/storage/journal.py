"""What a database was when a snapshot was taken, and how it becomes that again.

A snapshot costs next to nothing: a ``Journal`` keeps the settings and counts at once, and of the documents only those
that change afterwards. ``Database.changing`` gives a writer a copy of an entry that a journal has not kept yet, so the
kept one is never changed again and going back means putting it in its place.

Going back gives a new ``Database`` object around the same documents, and closes the old one. So feeds that hang on the
old one end, and a request that began before cannot write into what was restored.
"""

from __future__ import annotations

from collections.abc import Hashable
from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.documents import DocumentEntry, LocalDocument

# What of a database is replaced, and never changed in place.
_SETTINGS = (
    "update_seq",
    "doc_count",
    "doc_del_count",
    "external_size",
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
