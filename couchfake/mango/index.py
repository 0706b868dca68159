"""The rows of an index: one for each document that has all of its fields, the fields' values being the key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from couchfake.mango.definition import IndexDefinition
from couchfake.mango.matcher import Matcher
from couchfake.mango.paths import BAD_PATH, NOT_FOUND, get_path, parse_field
from couchfake.mango.selector import normalise
from couchfake.storage.documents import DocOptions, meta_members
from couchfake.values import json
from couchfake.values.collation import Collator
from couchfake.views.index import Index, TreeDefinition, shared_index
from couchfake.views.reduce import Count

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.documents import DocumentEntry

LOSERS = DocOptions(conflicts=True, deleted_conflicts=True)

Rows = list[tuple[Any, Any]]
KeysOf = Callable[["DocumentEntry"], Rows]


def index_rows(db: Database, definition: IndexDefinition, collator: Collator) -> Index:
    """The index of this definition, which follows the database; design documents that define the same share it."""
    name = "mango", json.dumps(definition.definition), definition.partitioned

    def make() -> Index:
        tree = TreeDefinition(collator.sort_key, [Count()], partitioned=definition.partitioned)
        keys_of = mapper(db, definition, collator)
        return Index(db, [tree], lambda entries: [[keys_of(entry)] for entry in entries])

    return shared_index(db, name, make)


def mapper(db: Database, definition: IndexDefinition, collator: Collator) -> KeysOf:
    """From a document to its rows in the index: one or none."""
    paths: Sequence[tuple[str, ...]] | None = None
    partial_filter = definition.partial_filter
    wanted = Matcher(normalise(partial_filter), collator).match if partial_filter else None
    whole = wanted is not None or any(column.startswith("_") for column in definition.columns)

    def keys_of(entry: DocumentEntry) -> Rows:
        nonlocal paths
        if paths is None:
            paths = [parse_field(column) for column in definition.columns]
        body = entry.winner.body
        document = _whole(db, entry) if whole or body is None else body.value
        if wanted is not None and not wanted(document):
            return []
        key = [get_path(document, path) for path in paths]
        if any(part is NOT_FOUND or part is BAD_PATH for part in key):
            return []
        return [(key, None)]

    return keys_of


def _whole(db: Database, entry: DocumentEntry) -> dict[str, Any]:
    """A document as indexes see it: with the names of the revisions that lost."""
    with db.lock:
        document = db.open_doc(entry)
        document.update(meta_members(entry, entry.winner, LOSERS, 0))
    return document
