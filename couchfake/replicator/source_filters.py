"""Which changes of a local source are replicated: by id, by selector, by a function of a design document."""

from __future__ import annotations

from couchfake.changes.filters import DesignDocuments, DocIds, Filter, Selector
from couchfake.errors import CouchError, Crash, NotFound
from couchfake.node import Node
from couchfake.replicator.peers import ChangesQuery
from couchfake.storage.database import Database


def source_filter(node: Node, database: Database, query: ChangesQuery) -> Filter | None:
    """The filter that a replication asks for; None for all changes. Errors as ``_replicate`` answers them."""
    if query.doc_ids is not None:
        return DocIds(query.doc_ids)
    if query.selector is not None:
        try:
            return Selector(query.selector, None, node.collator)
        except CouchError as error:
            raise Crash("case_clause", error.reason) from None
    if query.filter is None:
        return None
    if query.filter == "_design":
        return DesignDocuments()
    ddoc_name, slash, name = query.filter.partition("/")
    if not slash or not ddoc_name or not name:
        raise CouchError(500, "error", "Invalid filter. Must match `ddocname/filtername`.")
    return _function(node, database, ddoc_name, name, query)


def _function(node: Node, database: Database, ddoc_name: str, name: str, query: ChangesQuery) -> Filter:
    entry = database.entry(f"_design/{ddoc_name}")
    if entry is None or entry.deleted:
        raise NotFound(f"Couldn't open document `_design/{ddoc_name}` from source database `{database.name}`")
    raise NotFound(f"missing json key: {name}")
