"""Filters that ask functions of design documents: filter functions, and the map functions of views.

Source: CouchDB documentation, "Filter functions"; the server's ``couch_changes`` and ``couch_query_servers``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from couchfake.changes.filters import Change, Style, opened
from couchfake.errors import CouchError, NotFound
from couchfake.mango.projection import Projection
from couchfake.query_server import DesignFunctions, QueryServer
from couchfake.storage.database import Database
from couchfake.storage.documents import DocOptions, DocumentEntry, shown_document
from couchfake.storage.revision_tree import Revision
from couchfake.values import json

SHOWN_REVISIONS = 20
"""How many revisions a document's ``_revisions`` has where a function reads it, unless the configuration says."""


class FunctionFilter:
    """Passes on what ``ask(documents)`` says of each of a number of documents.

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
        asked = [(change, opened(change, style)) for change in changes]
        shown = DocOptions(revs=True, conflicts=style == "main_only")
        texts = [
            shown_document(change.entry, leaf, shown, self._revs_limit) for change, leaves in asked for leaf in leaves
        ]
        try:
            passes = iter(self._ask([json.loads(text) for text in texts]) if texts else ())
        except CouchError as error:
            # On the real server the calling process crashes, with the same error whatever the reason.
            raise CouchError(500, "error", f"{error.error}: {error.reason}") from error
        return [[leaf for leaf in leaves if next(passes)] for _, leaves in asked]


def filter_function(
    query_server: QueryServer,
    database: Database,
    ddoc: str,
    name: str,
    req: Callable[[], Any],
    revs_limit: int = SHOWN_REVISIONS,
) -> FunctionFilter:
    """The filter ``name`` of ``_design/{ddoc}``. ``req()``, asked for once, is the function's second argument.

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
