"""Views: ``_view``, ``_view/{name}/queries``, ``_info``, ``_view_cleanup``, ``_compact/{ddoc}``.

CouchDB documentation, "/{db}/_design/{ddoc}/_view/{view}", "/{db}/_design/{ddoc}" and "/{db}/_view_cleanup".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from couchfake.chttpd.request import STALE_VIEW, Request
from couchfake.chttpd.responses import Response, in_chunks, json_body, json_response
from couchfake.errors import BadRequest, NotFound, ServerError
from couchfake.mango.index import MANGO_INDEXES, defined_keys, index_rows, indexes_in
from couchfake.node import Node
from couchfake.query_server import ReduceOverflow
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocumentEntry
from couchfake.values import json
from couchfake.views.database_indexes import VIEW_INDEXES, ViewGroup, drop_undefined, group_of, signatures
from couchfake.views.index import Index
from couchfake.views.javascript import ViewServices
from couchfake.views.options import ViewOptions, of_body, of_one_query, of_query
from couchfake.views.query import View, map_texts


def require_ddoc(request: Request, ddoc: str, **_: Any) -> None:
    """Refuse a design document that is missing or deleted. The real server does so before it looks at the method."""
    find_ddoc(request.db, ddoc)


def view(request: Request, ddoc: str, name: str) -> Response:
    """``GET`` and ``POST /{db}/_design/{ddoc}/_view/{view}``"""
    entry = find_ddoc(request.db, ddoc)
    options = _read_options(request)
    request.node.stats.add("couchdb.httpd.view_reads")
    found = open_view(request, entry, name)
    options = found.check(options, request.node.config)
    return respond(answer(request.db, found, options, request.node.hooks.reader(request.db, request.user)))


def _read_options(request: Request) -> ViewOptions:
    """The parameters of a query. A POST has them in its body as well; those of the URL win."""
    base = None
    if request.verb == "POST":
        request.require_json_type()
        body = request.json_object()
        if "queries" in body:
            _require_array("queries", body)
            raise BadRequest("The `queries` parameter is no longer supported at this endpoint")
        if "keys" in body:
            _require_array("keys", body)
        base = of_body(body)
    return of_query(request.parameters.pairs, base)


def queries(request: Request, ddoc: str, name: str) -> Response:
    """``POST /{db}/_design/{ddoc}/_view/{view}/queries``: several queries."""
    entry = find_ddoc(request.db, ddoc)
    request.require_json_type()
    body = request.json_object()
    if "queries" not in body:
        raise BadRequest("POST body must include `queries` parameter.")
    _require_array("queries", body)
    base = of_query(request.parameters.pairs)
    request.node.stats.add("couchdb.httpd.view_reads")
    found = open_view(request, entry, name)
    checked = []
    for members in body["queries"]:
        if not isinstance(members, dict):
            raise ServerError("function_clause")
        checked.append(found.check(of_one_query(members, base), request.node.config))
    visible = request.node.hooks.reader(request.db, request.user)
    return respond(results_text([answer(request.db, found, options, visible) for options in checked]))


def _require_array(name: str, body: Mapping[str, Any]) -> None:
    if not isinstance(body[name], list):
        raise BadRequest(f"`{name}` member must be an array.")


# ---- design documents and their indexes


def find_ddoc(db: Database, name: str) -> DocumentEntry:
    """A live design document by its name without ``_design/``, or NotFound (``missing``, ``deleted``)."""
    entry = db.entry("_design/" + name)
    if entry is None:
        raise NotFound("missing")
    if entry.deleted:
        raise NotFound("deleted")
    return entry


def open_view(request: Request, entry: DocumentEntry, name: str) -> View:
    """A view of a design document, or NotFound. What defines a Mango index is a view too, and counts its rows.

    Forbidden where the user may not read the design document (those of ``_users`` are for admins).
    """
    node, db = request.node, request.db
    node.hooks.after_doc_read(db, entry, entry.winner, request.user)
    group = group_of(db, entry)
    found = group.find(name)
    if found is None:
        raise NotFound("missing_named_view")
    if group.language == "query":
        for definition in indexes_in(entry.id, _body(entry), db.partitioned):
            if definition.name == name:
                return View(index_rows(db, definition, node.collator), 0, 0, group.autoupdate)
        raise NotFound("missing_named_view")
    is_stale = STALE_VIEW in request.environ
    return View(index_of(node, db, group, entry.id), *found, group.autoupdate, is_stale)


def _body(entry: DocumentEntry) -> dict[str, Any]:
    body = entry.winner.body
    return {} if body is None else body.value


def index_of(node: Node, db: Database, group: ViewGroup, ddoc_id: str) -> Index:
    return ViewServices(node.collator, node.query_server, node.config).index(db, group, ddoc_id)


def info(request: Request, ddoc: str) -> Response:
    """``GET /{db}/_design/{ddoc}/_info``: the state of the index."""
    db = request.db
    entry = find_ddoc(db, ddoc)
    group = group_of(db, entry)
    index = index_of(request.node, db, replace(group, trees=()) if group.language == "query" else group, entry.id)
    snapshot = index.update_in_background() if group.autoupdate and group.trees else index.snapshot
    pending = index.pending()
    size = index.size()
    shown = {
        "updates_pending": {"minimum": pending, "preferred": pending, "total": pending},
        "waiting_commit": False,
        "waiting_clients": 0,
        "updater_running": index.updating,
        "update_seq": snapshot.update_seq,
        "sizes": {"file": size, "external": size, "active": size},
        "signature": group.signature,
        "purge_seq": snapshot.purge_seq,
        "language": group.language,
        "compact_running": False,
        "collator_versions": [request.node.collator.version],
    }
    return json_response({"name": ddoc, "view_index": shown})


def cleanup(request: Request) -> Response:
    """``POST /{db}/_view_cleanup``: drop the indexes that no design document has any more."""
    db = request.db
    with db.lock:
        drop_undefined(db, VIEW_INDEXES, signatures(db))
        drop_undefined(db, MANGO_INDEXES, defined_keys(db))
    return json_response({"ok": True}, 202)


def compact(request: Request, ddoc: str) -> Response:
    """``POST /{db}/_compact/{ddoc}``: an index in memory has nothing to compact."""
    request.require_json_type()
    find_ddoc(request.db, ddoc)
    return json_response({"ok": True}, 202)


# How answers of views look: JSON text with a row in each line, sent as it grows where it is long


_AT_ONCE = 1000
"""Rows whose texts are joined at once."""


def answer(db: Database, view: View, options: ViewOptions, visible: Visible | None = None) -> Iterator[str]:
    """The text of one query's answer, in pieces. All that can go wrong does so before the first of them."""
    snapshot = view.snapshot(options)
    query = view.query(snapshot, options)
    meta = [f'"update_seq":{json.quote(db.pack_seq(snapshot.tree_seqs[view.tree]))}'] if options.update_seq else []
    if view.reduces(options):
        assert view.reducer is not None
        return rows_text(meta, [reduced_text(*row) for row in query.reduced(view.reducer)])
    found = query.rows()
    meta = [f'"total_rows":{found.total_rows}', f'"offset":{found.offset}', *meta]
    return rows_text(meta, map_texts(db, found.rows, options, visible))


def rows_text(meta: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    """``{"total_rows":2,…,"rows":[`` and so on, in pieces of many rows."""
    rows = iter(rows)
    separator = "{" + "".join(f"{member}," for member in meta) + '"rows":[\r\n'
    while batch := list(islice(rows, _AT_ONCE)):
        yield separator + ",\r\n".join(batch)
        separator = ",\r\n"
    yield ("" if separator == ",\r\n" else separator) + "\r\n]}"


def results_text(answers: Iterable[Iterable[str]]) -> Iterator[str]:
    """The answers of several queries in one."""
    yield '{"results":['
    separator = "\r\n"
    for each in answers:
        yield separator
        yield from each
        separator = ",\r\n"
    yield "\r\n]}"


def respond(pieces: Iterator[str]) -> Response:
    """Return the pieces as a response, which is whole if it is short."""
    return json_body(in_chunks(map(json.utf8, chain(pieces, ["\n"]))))


def reduced_text(key: Any, value: Any) -> str:
    """A row of a reduce query."""
    if isinstance(value, ReduceOverflow):
        return json.dumps({"key": None, "error": value.error, "reason": value.reason})
    return json.dumps({"key": key, "value": value})
