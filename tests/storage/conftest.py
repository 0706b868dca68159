"""One database without a server around it."""

from __future__ import annotations

from typing import Any

import pytest

from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.storage.attachments import AttachmentSettings
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocumentEntry, ParsedBodies
from couchfake.storage.edits import Edit, read_edit
from couchfake.storage.revision_ids import format_rev, parse_rev
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write

SETTINGS = AttachmentSettings()


class Rules:
    """Rules that let everything pass, save what ``refused`` names by id; they note what they were asked."""

    def __init__(self) -> None:
        self.refused: dict[str, CouchError] = {}
        self.validated: list[tuple[str, str | None]] = []
        self.written: list[list[str]] = []
        self.partition_limit = 0

    def before_doc_update(self, database: Database, edit: Edit, user: Any, new_edits: bool) -> None:
        pass

    def runs_javascript(self, database: Database, edit: Edit, user: Any) -> bool:
        return bool(self.refused)

    def validators(self, database: Database) -> Any:
        return self.refused

    def has_validators(self, database: Database) -> bool:
        return bool(self.refused)

    def validate(self, database: Database, edit: Edit, old: Revision | None, user: Any) -> None:
        self.validated.append((edit.id, None if old is None else old.rev))
        if edit.id in self.refused:
            raise self.refused[edit.id]

    def after_doc_read(self, database: Database, entry: DocumentEntry, leaf: Revision, user: Any) -> Revision:
        return leaf

    def reader(self, database: Database, user: Any) -> Visible | None:
        return None

    def max_partition_size(self) -> int:
        return self.partition_limit

    def stem_interactive_updates(self) -> bool:
        return True

    def after_doc_update(self, database: Database, edits: list[Edit]) -> None:
        self.written.append([edit.id for edit in edits])

    def after_write(self, database: Database) -> None:
        pass


class Store:
    """A database, and short ways to write into it."""

    def __init__(self) -> None:
        self.hooks = Rules()
        self.config = Config({})
        self.db = Database("db", "f" * 32, 0, self.hooks, ParsedBodies())

    def edit(self, document: dict[str, Any]) -> Edit:
        return read_edit(document, self.config, SETTINGS)

    def bulk(self, *documents: dict[str, Any], new_edits: bool = True) -> list[str]:
        """Write in one request; for each the new revision, or the name of the error."""
        outcomes = write(self.db, [self.edit(each) for each in documents], None, new_edits)
        return [each.error if isinstance(each, CouchError) else format_rev(each) for each in outcomes]

    def put(self, docid: str, rev: str | None = None, **members: Any) -> str:
        """Write one document; its new revision, or the name of the error."""
        named = {} if rev is None else {"_rev": rev}
        return self.bulk({"_id": docid, **named, **members})[0]

    def delete(self, docid: str, rev: str) -> str:
        return self.put(docid, rev, _deleted=True)

    def replicate(self, docid: str, pos: int, *ids: str, **members: Any) -> str:
        """A revision as a replicator brings it: its generation and its history, newest first."""
        history = {"start": pos, "ids": list(ids)}
        document = {"_id": docid, "_rev": f"{pos}-{ids[0]}", "_revisions": history, **members}
        return self.bulk(document, new_edits=False)[0]

    def purge(self, docid: str, *revs: str) -> list[str]:
        return [format_rev(rev) for rev in self.db.purge([(docid, [parse_rev(each) for each in revs])])[docid]]

    def entry(self, docid: str) -> DocumentEntry:
        found = self.db.entry(docid)
        assert found is not None
        return found

    def leaves(self, docid: str) -> list[str]:
        """The leaves' revisions, winner first, tombstones with a minus behind."""
        return [leaf.rev + "-" * leaf.deleted for leaf in self.entry(docid).leaves()]

    def history(self, docid: str) -> list[str]:
        """The winner's revisions, newest first."""
        return [node.rev for node in self.entry(docid).winner.lineage()]

    def changes(self, since: int = 0) -> list[tuple[int, str]]:
        return [(entry.seq, entry.id) for entry in self.db.entries_since(since)]

    def counts(self) -> tuple[int, int]:
        """Documents that are there, and deleted ones."""
        return self.db.doc_count, self.db.doc_del_count


@pytest.fixture
def store() -> Store:
    return Store()
