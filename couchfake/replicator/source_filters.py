"""Which of a local source's documents pass: by id, by selector, by a function of a design document."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from couchfake.auth.context import UserContext
from couchfake.node import Node
from couchfake.replicator.peers import ChangesQuery
from couchfake.storage.database import Database
from couchfake.storage.documents import DocumentEntry

Passes = Callable[[Sequence[DocumentEntry]], list[bool]]


def source_filter(node: Node, database: Database, query: ChangesQuery, user: UserContext) -> Passes:
    if query.doc_ids is not None:
        wanted = set(query.doc_ids)
        return lambda entries: [entry.id in wanted for entry in entries]
    return lambda entries: [True for _ in entries]
