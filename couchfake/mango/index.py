"""The rows of an index: one for each document that has all of its fields, the fields' values being the key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from couchfake.mango.definition import IndexDefinition, indexes_of
from couchfake.mango.matcher import Matcher
from couchfake.mango.paths import BAD_PATH, NOT_FOUND, get_path, parse_field
from couchfake.mango.selector import normalise
from couchfake.storage.documents import DocOptions, meta_members
from couchfake.storage.places import Place
from couchfake.values import json
from couchfake.values.collation import Collator
from couchfake.views.database_indexes import shared_index
from couchfake.views.index import Index, TreeDefinition
from couchfake.views.reduce import Count

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.documents import DocumentEntry

MANGO_INDEXES: Place[tuple[str, bool], Index] = Place("Mango indexes, by definition and whether partitioned")

LOSERS = DocOptions(conflicts=True, deleted_conflicts=True)

Rows = list[tuple[Any, Any]]
KeysOf = Callable[["DocumentEntry"], Rows]


def index_rows(db: Database, definition: IndexDefinition, collator: Collator) -> Index:
    """Return the index of this definition, which follows the database. Those that define the same share it."""

    def make() -> Index:
        tree = TreeDefinition(collator.sort_key, [Count()], partitioned=definition.partitioned)
        keys_of = mapper(db, definition, collator)
        return Index(db, [tree], lambda entries: [[keys_of(entry)] for entry in entries])

    return shared_index(db, MANGO_INDEXES, _key(definition), make, lambda: defined_keys(db))


def defined_keys(db: Database) -> set[tuple[str, bool]]:
    """Return the keys in ``MANGO_INDEXES`` of all indexes that design documents define."""
    return {_key(definition) for definition in indexes_of(db)}


def _key(definition: IndexDefinition) -> tuple[str, bool]:
    return json.dumps(definition.definition), definition.partitioned


def mapper(db: Database, definition: IndexDefinition, collator: Collator) -> KeysOf:
    """Return the function from a document to its rows in the index: one, or no row."""
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
    """Return a document as indexes see it: with its conflicting revisions."""
    with db.lock:
        document = db.open_doc(entry)
        document.update(meta_members(entry, entry.winner, LOSERS))
    return document
