from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.auth.permissions import SERVER
from couchfake.changes.feed import ChangesQuery, Scan
from couchfake.node import Node
from couchfake.storage.database import Database
from couchfake.storage.edits import read_edit
from couchfake.storage.revision_ids import format_rev
from couchfake.storage.writing import write, write_one


class Writer:
    """Documents into a database, without HTTP."""

    def __init__(self, node: Node, database: Database) -> None:
        self.node = node
        self.db = database

    def put(self, docid: str, **members: Any) -> str:
        """A new revision upon the winner; its rev."""
        entry = self.db.entry(docid)
        document = {"_id": docid, **members}
        if entry is not None and not entry.deleted:
            document["_rev"] = entry.winner.rev
        return format_rev(write_one(self.db, self._edit(document), SERVER))

    def delete(self, docid: str) -> str:
        return self.put(docid, _deleted=True)

    def leaves(self, docid: str, *revs: str, **members: Any) -> None:
        """Leaves that conflict, as a replicator brings them; those marked with a minus are tombstones."""
        documents = [
            {"_id": docid, "_rev": rev.strip("-"), **members, **({"_deleted": True} if rev.endswith("-") else {})}
            for rev in revs
        ]
        write(self.db, [self._edit(document) for document in documents], SERVER, new_edits=False)

    def _edit(self, document: dict[str, Any]) -> Any:
        return read_edit(document, self.node.config, self.node.attachment_settings())


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    fake = CouchFake()
    yield fake
    fake.stop()


@pytest.fixture
def db(fake: CouchFake) -> Database:
    return fake.node.create_database("db")


@pytest.fixture
def writer(fake: CouchFake, db: Database) -> Writer:
    return Writer(fake.node, db)


def scanned(database: Database, query: ChangesQuery) -> tuple[list[tuple[int, str]], int, int]:
    """What one pass tells: the sequences and ids of its rows, the last sequence, the changes that are left."""
    scan = Scan(database, query, query.since, query.limit)
    rows = [(change.seq, change.entry.id) for batch in scan.rows() for change, _ in batch]
    return rows, scan.last_seq, scan.pending
