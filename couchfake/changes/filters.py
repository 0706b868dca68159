"""Which changes a reader receives.

A filter gets batches of changes and returns the revisions of each that pass; none means that the
change is passed over. Two of the built-in filters know the documents that they want by name: these are looked up
instead of going through all changes, which also shows in the progress that is reported.
Source: CouchDB documentation, "Changes Feeds: Filtering" and "Filter functions", and the server's ``couch_changes``
and ``couch_query_servers``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from couchfake.errors import BadRequest, CouchError, NotFound
from couchfake.mango.matcher import Matcher
from couchfake.mango.selector import Projection, normalise, parse_fields
from couchfake.query_server import DesignFunctions, QueryServer
from couchfake.storage import documents
from couchfake.storage.database import Database
from couchfake.storage.documents import DocOptions, DocumentEntry, shown_document
from couchfake.storage.revision_tree import Revision
from couchfake.values import json
from couchfake.values.collation import Collator

Style = Literal["main_only", "all_docs"] | str
"""Whether a change names the winning revision, or all leaves. With another word, no change can be shown."""

LOOKED_UP = 100
"""The most documents that ``DocIds`` looks up, where the configuration says nothing else."""


class Change(NamedTuple):
    """A document at the place of its latest change; ``leaves`` as they were then, winner first."""

    seq: int
    entry: DocumentEntry
    leaves: tuple[Revision, ...]

    def shown(self, style: Style) -> tuple[Revision, ...]:
        """Return the leaves that the change names if no filter drops them."""
        if style == "main_only":
            return self.leaves[:1]
        if style != "all_docs":
            raise CouchError(500, "unknown_error", "function_clause")
        return self.leaves


class Filter(Protocol):
    """``projection``: where it is set, documents are shown with these members only. ``opens_documents``: it reads
    them, and so do the members that are shown of them follow other rules (see ``feed``)."""

    projection: Projection | None
    opens_documents: bool

    def lookup(self, database: Database) -> list[DocumentEntry] | None:
        """All documents that may pass, or None if every change has to be looked at. The lock must be held."""

    def select(self, changes: Sequence[Change], style: Style) -> Iterable[Sequence[Revision]]:
        """For each change the revisions that pass. Raises CouchError where a function of a design document fails."""


class DocIds:
    """``_doc_ids``: the documents of a list of ids. ``looked_up``: up to so many are looked up by their ids."""

    projection: Projection | None = None
    opens_documents = False

    def __init__(self, ids: Sequence[str], looked_up: int = LOOKED_UP) -> None:
        self._ids = ids
        self._wanted = frozenset(ids)
        self._looked_up = looked_up

    def lookup(self, database: Database) -> list[DocumentEntry] | None:
        if len(self._ids) > self._looked_up:
            return None
        found = (database.entry(docid) for docid in self._ids)
        return [entry for entry in found if entry is not None]

    def select(self, changes: Sequence[Change], style: Style) -> Iterable[Sequence[Revision]]:
        wanted = self._wanted
        return [change.shown(style) if change.entry.id in wanted else () for change in changes]


class DesignDocuments:
    """``_design``: design documents, deleted ones too."""

    projection: Projection | None = None
    opens_documents = False

    def lookup(self, database: Database) -> list[DocumentEntry] | None:
        return [database.entries[docid] for docid in database.ddoc_ids]

    def select(self, changes: Sequence[Change], style: Style) -> Iterable[Sequence[Revision]]:
        return [change.shown(style) if change.entry.id.startswith("_design") else () for change in changes]


class Selector:
    """``_selector``: the documents that match a selector, shown with the requested ``fields``."""

    opens_documents = True

    def __init__(self, selector: Any, fields: Any, collator: Collator) -> None:
        """Raise BadRequest for an invalid selector or list of fields."""
        if not isinstance(selector, dict):
            raise BadRequest("Selector error: expected a JSON object")
        if fields is not None and not isinstance(fields, list):
            raise BadRequest("Selector error: fields must be JSON array")
        try:
            self._matches = Matcher(normalise(selector), collator).match
            names = None if fields is None else parse_fields(fields)
        except CouchError as error:
            if error.status == 400:
                raise BadRequest(error.reason) from None
            raise
        self.projection = None if names is None else Projection(names)

    def lookup(self, database: Database) -> list[DocumentEntry] | None:
        return None

    def select(self, changes: Sequence[Change], style: Style) -> Iterable[Sequence[Revision]]:
        for change in changes:
            yield [leaf for leaf in opened(change, style) if self._matches(read(change, leaf, style))]


def opened(change: Change, style: Style) -> list[Revision]:
    """Return the leaves that a filter of documents looks at: those that have a body."""
    if style not in ("main_only", "all_docs"):
        raise CouchError(500, "case_clause", style)
    return [leaf for leaf in change.shown(style) if leaf.body is not None]


def conflicts(change: Change) -> list[str]:
    """The live leaves beside the winner."""
    return [leaf.rev for leaf in change.leaves[1:] if not leaf.deleted]


def read(change: Change, leaf: Revision, style: Style) -> dict[str, Any]:
    """A revision as such a filter reads it: with its conflicts if one revision represents the document."""
    document = documents.document(change.entry.id, leaf)
    if style == "main_only" and len(change.leaves) > 1:
        revs = conflicts(change)
        if revs:
            document["_conflicts"] = revs
    return document


# Functions of design documents: filter functions, and the map functions of views.

SHOWN_REVISIONS = 20
"""How many revisions a document's ``_revisions`` has where a function reads it, unless the configuration says."""


class FunctionFilter:
    """Passes on what ``ask(documents)`` answers for each of a number of documents.

    ``revs_limit``: the length of the documents' ``_revisions``.
    """

    projection: Projection | None = None
    opens_documents = True

    def __init__(self, ask: Callable[[list[Any]], list[bool]], revs_limit: int = SHOWN_REVISIONS) -> None:
        self._ask = ask
        self._revs_limit = revs_limit

    def lookup(self, database: Database) -> list[DocumentEntry] | None:
        return None

    def select(self, changes: Sequence[Change], style: Style) -> Iterable[Sequence[Revision]]:
        pairs = [(change, opened(change, style)) for change in changes]
        shown = DocOptions(revs=True, conflicts=style == "main_only")
        texts = [
            shown_document(change.entry, leaf, shown, self._revs_limit) for change, leaves in pairs for leaf in leaves
        ]
        try:
            passes = iter(self._ask([json.loads(text) for text in texts]) if texts else ())
        except CouchError as error:
            # On the real server the calling process crashes, with the same error whatever the reason.
            raise CouchError(500, "error", f"{error.error}: {error.reason}") from error
        return [[leaf for leaf in leaves if next(passes)] for _, leaves in pairs]


def filter_function(
    query_server: QueryServer,
    database: Database,
    ddoc: str,
    name: str,
    req: Callable[[], Any],
    revs_limit: int = SHOWN_REVISIONS,
) -> FunctionFilter:
    """The filter ``name`` of ``_design/{ddoc}``. ``req()``, called once, returns the function's second argument.

    Errors: NotFound where there is no such function; 500 ``error``, out of ``select``, where it throws.
    """
    functions = _functions(query_server, database, ddoc)
    functions.source("filters", name)
    made: list[Any] = []

    def ask(documents: list[Any]) -> list[bool]:
        if not made:
            made.append(req())
        return functions.filter_docs(name, documents, made[0])

    return FunctionFilter(ask, min(revs_limit, database.revs_limit))


def view_filter(
    query_server: QueryServer, database: Database, ddoc: str, name: str, revs_limit: int = SHOWN_REVISIONS
) -> FunctionFilter:
    """The documents for which the view ``name`` of ``_design/{ddoc}`` emits anything. Errors as above."""
    functions = _functions(query_server, database, ddoc)
    functions.source("views", name)
    limit = min(revs_limit, database.revs_limit)
    return FunctionFilter(lambda documents: functions.filter_view(name, documents), limit)


def _functions(query_server: QueryServer, database: Database, ddoc: str) -> DesignFunctions:
    entry = database.entry("_design/" + ddoc)
    if entry is None or entry.deleted:
        raise NotFound("missing" if entry is None else "deleted")
    text = shown_document(entry, entry.winner, DocOptions(), database.revs_limit)
    return query_server.design_functions(text, database=database.uuid)
