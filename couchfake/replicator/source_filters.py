"""Which changes of a local source are replicated: by id, by selector, by a function of a design document."""

from __future__ import annotations

from typing import Any

from couchfake.auth.context import UserContext
from couchfake.changes.filters import DesignDocuments, DocIds, Filter, Selector, filter_function, view_filter
from couchfake.errors import CouchError, Crash, NotFound
from couchfake.node.node import Node
from couchfake.replicator.endpoints import SourceFilter
from couchfake.storage.database import Database


def source_filter(node: Node, database: Database, query: SourceFilter, user: UserContext) -> Filter | None:
    """Return the filter of a replication, None for all changes. Errors are those of ``_replicate``."""
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
    if query.filter == "_view":
        ddoc, _, view = str(query.query_params.get("view", "")).partition("/")
        return view_filter(node.query_server, database, ddoc, view)
    return _function(node, database, query, user)


def _function(node: Node, database: Database, query: SourceFilter, user: UserContext) -> Filter:
    ddoc, slash, name = (query.filter or "").partition("/")
    if not slash or not ddoc or not name:
        raise CouchError(500, "error", "Invalid filter. Must match `ddocname/filtername`.")
    entry = database.entry(f"_design/{ddoc}")
    if entry is None or entry.deleted:
        raise NotFound(f"Couldn't open document `_design/{ddoc}` from source database `{database.name}`")
    return filter_function(node.query_server, database, ddoc, name, lambda: _req(node, database, query, user))


def _req(node: Node, database: Database, query: SourceFilter, user: UserContext) -> dict[str, Any]:
    """The request object of the filter function: the real server's replicator asks by HTTP, for ``_changes``."""
    parameters = {"feed": "normal", "style": "all_docs", "filter": query.filter, **query.query_params}
    path = [database.name, "_changes"]
    return {
        "info": {"db_name": database.name, "update_seq": database.pack_seq(database.update_seq)},
        "uuid": node.uuids(),
        "id": None,
        "method": "GET",
        "requested_path": path,
        "path": path,
        "raw_path": "/" + "/".join(path),
        "query": parameters,
        "headers": {"Accept": "application/json"},
        "body": "undefined",
        "peer": "127.0.0.1",
        "form": {},
        "cookie": {},
        "userCtx": user.as_json(database.name),
        "secObj": database.security,
    }
