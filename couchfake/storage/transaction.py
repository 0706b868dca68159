"""What a change of a database has touched, so that a change that was cut off can be undone or completed.

An exception can arrive at any line: KeyboardInterrupt, or what a signal handler raises. Before it changes anything, a
writer notes the state of all it is about to change. If the change is cut off before it is committed, the noted state
is put back; if it is cut off afterwards, what follows a commit (dropping caches, waking feeds) is done again. Either
happens at once in the writer that the exception passes through, or, if that is interrupted too, before the next use
of the database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from couchfake.storage.documents import DocumentEntry, LocalDocument
from couchfake.storage.revision_tree import Revision, TreeState

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.edits import Edit


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
