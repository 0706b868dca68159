"""Indexes: how design documents define them, and their rows.

An index is a view of a design document whose ``language`` is ``query``: its ``map`` is the definition, ``fields`` with
their directions and a partial filter, where a JavaScript view has a function. Here such views are read, made and
removed; nothing is written to a database.

Source: CouchDB documentation, "/{db}/_index", and the server's ``mango_idx``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couchfake.errors import CouchError, Crash
from couchfake.mango.errors import bad_request
from couchfake.mango.matcher import Matcher
from couchfake.mango.options import Auto, IndexOptions, Sort, parse_definition
from couchfake.mango.selector import BAD_PATH, NOT_FOUND, Selector, get_path, normalise, parse_field
from couchfake.storage.documents import DocOptions, meta_members
from couchfake.values import json
from couchfake.values.collation import Collator
from couchfake.values.erlang import VERSION, external, external_atom, external_list, external_tuple, write_term
from couchfake.views.database_indexes import Place, shared_index
from couchfake.views.index import Index, TreeDefinition
from couchfake.views.reduce import Count

if TYPE_CHECKING:
    from couchfake.storage.database import Database
    from couchfake.storage.documents import DocumentEntry

ALL_DOCS_COLUMN = "_id"


@dataclass(frozen=True, eq=False)
class IndexDefinition:
    """One index. ``ddoc`` is None for the index over all documents, which every database has.

    ``definition`` is the view's ``map`` member. ``autoupdate``: the index is updated in the background.
    """

    ddoc: str | None
    name: str
    definition: dict[str, Any]
    partitioned: bool = False
    autoupdate: bool = True

    @property
    def special(self) -> bool:
        return self.ddoc is None

    @property
    def type(self) -> str:
        return "special" if self.special else "json"

    @property
    def columns(self) -> list[str]:
        """The indexed fields. A hand-written definition may lack them, and breaks every query."""
        if self.special:
            return [ALL_DOCS_COLUMN]
        if "fields" not in self.definition:
            raise Crash("badmatch", "false")
        return list(self.definition["fields"])

    @property
    def partial_filter(self) -> Selector | None:
        """Which documents the index holds; None for all. ``selector`` is how old indexes spell it."""
        return self.definition.get("partial_filter_selector", self.definition.get("selector")) or None

    @property
    def place(self) -> tuple[bool, str, str]:
        """The order of indexes in listings, and the identity of an index."""
        return self.ddoc is not None, self.ddoc or "", self.name

    def covers(self, fields: Iterable[Any] | None) -> bool:
        """Return whether the index holds all of these fields (None: whole documents)."""
        columns = {ALL_DOCS_COLUMN, *self.columns}  # a field may be an object, which no index has
        return (
            not self.special
            and fields is not None
            and all(isinstance(field, str) and field in columns for field in fields)
        )

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"ddoc": self.ddoc, "name": self.name, "type": self.type}
        if not self.special:
            shown["partitioned"] = self.partitioned
        shown["def"] = _shown_definition(self.definition)
        return shown


ALL_DOCS = IndexDefinition(None, "_all_docs", {"fields": {ALL_DOCS_COLUMN: "asc"}})


def _shown_definition(definition: dict[str, Any]) -> dict[str, Any]:
    shown = {}
    for name, value in definition.items():
        if name == "fields":
            shown[name] = [{field: direction} for field, direction in value.items()]
        elif name != "partial_filter_selector" or value != {}:
            shown[name] = value
    return shown


# ---- reading


def indexes_of(db: Database) -> list[IndexDefinition]:
    """Return all indexes of a database, the one over all documents first, then by design document and name."""
    found = [ALL_DOCS]
    for entry in db.ddocs():
        body = entry.winner.body
        if body is not None and b'"query"' in body.json:
            found += indexes_in(entry.id, body.value, db.partitioned)
    return sorted(found, key=lambda index: index.place)


def indexes_in(ddoc: str, body: dict[str, Any], partitioned_db: bool) -> list[IndexDefinition]:
    """Return the indexes of one design document. Views without a valid definition are skipped."""
    views = body.get("views")
    if body.get("language") != "query" or not isinstance(views, dict):
        return []
    options = body.get("options")
    partitioned = options.get("partitioned") if isinstance(options, dict) else None
    if not isinstance(partitioned, bool):
        partitioned = partitioned_db
    autoupdate = body.get("autoupdate") is not False
    return [
        IndexDefinition(ddoc, name, view["map"], partitioned, autoupdate)
        for name, view in views.items()
        if _is_definition(view)
    ]


def _is_definition(view: Any) -> bool:
    if not isinstance(view, dict) or not isinstance(view.get("options"), dict):
        return False
    definition = view.get("map")
    return isinstance(definition, dict) and isinstance(definition.get("fields", {}), dict)


# ---- making


@dataclass(frozen=True)
class NewIndex:
    """A requested index: its design document, its name, what is stored."""

    ddoc: str
    name: str
    fields: Sort
    partial_filter: Selector
    partitioned: bool | None
    options: dict[str, Any]

    def view(self) -> dict[str, Any]:
        definition = {"fields": dict(self.fields), "partial_filter_selector": self.partial_filter}
        return {"map": definition, "reduce": "_count", "options": self.options}


def new_index(options: IndexOptions) -> NewIndex:
    """Check the type and the definition, and generate names that are missing."""
    if options.type in ("text", "nouveau"):
        raise CouchError(503, "required index service unavailable", options.type)
    if options.type != "json":
        raise bad_request("invalid_index", f"Invalid type for index: {options.type}")
    name = options.name or generated_name(options)
    ddoc = options.ddoc or generated_name(options)
    fields, partial_filter = parse_definition(options.index)
    return NewIndex(
        ddoc if ddoc.startswith("_design/") else f"_design/{ddoc}",
        name,
        fields,
        partial_filter,
        options.partitioned,
        {"def": options.index},
    )


def generated_name(options: IndexOptions) -> str:
    """Return the SHA-1 of the definition and all options as an Erlang term."""
    given = {"def" if name == "index" else name: value for name, value in options.given.items()}
    pairs = [external_tuple(external_atom(name), _option_term(given[name])) for name in sorted(given)]
    term = external_tuple(external(options.index), external_list(pairs))
    return hashlib.sha1(VERSION + term).hexdigest()


def _option_term(value: Any) -> bytes:
    return external_atom(value.atom) if isinstance(value, Auto) else external(value)


def query_ddoc(body: dict[str, Any] | None) -> dict[str, Any]:
    """Return the body of the design document for a new index. ``body`` is None if there is no live one."""
    if body is None:
        return {"language": "query"}
    if body.get("language") != "query":
        language = f"{{{write_term('language')},{write_term(body['language'])}}}" if "language" in body else "false"
        raise bad_request("invalid_ddoc_lang", f"Existing design doc has an invalid language: {language}")
    return body


def with_index(body: dict[str, Any] | None, index: NewIndex) -> dict[str, Any] | None:
    """Return the design document with the index in it, or None if it has the same index already."""
    ddoc = dict(query_ddoc(body))
    views = ddoc.get("views")
    ddoc["views"] = {**(views if isinstance(views, dict) else {}), index.name: index.view()}
    options = ddoc.get("options")
    if (options.get("partitioned") if isinstance(options, dict) else None) != index.partitioned:
        if body is not None:
            reason = "Requested partitioned option does not match existing value on design document"
            raise bad_request("invalid_partitioned_option", f"{reason} {index.ddoc}")
        ddoc["options"] = {"partitioned": index.partitioned}
    return None if body is not None and json.dumps(ddoc) == json.dumps(body) else ddoc


def without_index(body: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return the design document without the index, or None if nothing else remains."""
    ddoc = dict(query_ddoc(body))
    views = {other: view for other, view in ddoc["views"].items() if other != name}
    if views:
        ddoc["views"] = views
    else:
        del ddoc["views"]
    return None if ddoc == {"language": "query"} else ddoc


def design_id(ddoc: str) -> str:
    return ddoc if ddoc.startswith("_design/") else f"_design/{ddoc}"


# The rows of an index: one for each document that has all of its fields, the fields' values being the key.

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
