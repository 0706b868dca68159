"""Mango: ``_find``, ``_explain``, ``_index``. CouchDB documentation, "/{db}/_find" and "/{db}/_index"."""

from __future__ import annotations

from typing import Any

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response, raw_json_response
from couchfake.errors import Conflict, CouchError, Crash, NotFound, QueryParseError
from couchfake.mango import cursor
from couchfake.mango.errors import unknown_error
from couchfake.mango.index import IndexDefinition, design_id, indexes_of, new_index, with_index, without_index
from couchfake.mango.options import FindOptions, parse_bulk_delete, parse_find, parse_index
from couchfake.mango.planner import Plan, plan
from couchfake.mango.planner import explain as explanation
from couchfake.settings import INDEX_SCAN_WARNING_THRESHOLD, MANGO_DEFAULT_LIMIT
from couchfake.storage.database import Outcome
from couchfake.storage.edits import Edit, check_docid
from couchfake.storage.writing import write
from couchfake.values import json

# ---- _find, _explain


def find(request: Request, rest: list[str]) -> Response:
    """``POST /{db}/_find``: the documents that match a selector, a page at a time."""
    options = _find_options(request)
    chosen = _plan(request, options, explain=False)
    if options.partition and not request.db.partitioned and chosen.ranges is not None:
        raise QueryParseError("`partition` parameter is not supported on this db")
    _require_readable(request, chosen)
    config = request.node.config
    threshold = config[INDEX_SCAN_WARNING_THRESHOLD]
    visible = request.node.hooks.reader(request.db, request.user)
    found = cursor.find(request.db, chosen, request.node.collator, threshold, visible)
    request.node.stats.add("mango.docs_examined", found.examined)
    request.node.stats.add("mango.quorum_docs_examined", found.quorum_examined)
    if chosen.index is not None and chosen.index.special:
        request.node.stats.add("mango.unindexed_queries")
    members = b"".join(b',\r\n"%b": %b' % (name.encode(), json.encode(value)) for name, value in found.members.items())
    docs = b"\r\n" + b",\r\n".join(found.docs) if found.docs else b""
    end = b"}\r\n" if "warning" in found.members else b"}"
    return raw_json_response(b'{"docs":[%b\r\n]%b%b' % (docs, members, end))


def _require_readable(request: Request, chosen: Plan) -> None:
    """Refuse a user who may not read the index's design document (in ``_users``)."""
    entry = request.db.entry(chosen.index.ddoc) if chosen.index is not None and chosen.index.ddoc else None
    if entry is not None:
        request.node.hooks.after_doc_read(request.db, entry, entry.winner, request.user)


def explain(request: Request, rest: list[str]) -> Response:
    """``POST /{db}/_explain``: how ``_find`` would run."""
    options = _find_options(request)
    chosen = _plan(request, options, explain=True)
    return json_response(explanation(request.db.name, request.db.partitioned, chosen))


def _find_options(request: Request) -> FindOptions:
    request.require_json_type()
    body = request.json_object()
    partition = request.parameters.get("partition")
    if partition is not None:
        if "partition" in body:  # even where both agree
            raise unknown_error("mango_httpd", "bad_partition", body["partition"])
        body = {"partition": partition, **body}
    return parse_find(body, request.node.config[MANGO_DEFAULT_LIMIT])


def _plan(request: Request, options: FindOptions, *, explain: bool) -> Plan:
    db = request.db
    indexes = indexes_of(db)
    return plan(options, indexes, request.node.collator.sort_key, partitioned=db.partitioned, explain=explain)


# ---- _index


def list_indexes(request: Request) -> Response:
    """``GET /{db}/_index``: all indexes, or with ``limit`` and ``skip`` some."""
    shown = [index.to_json() for index in indexes_of(request.db)]
    total = len(shown)
    limit = _count(request, "limit", total, at_least=1)
    skip = _count(request, "skip", 0, at_least=0)
    return json_response({"total_rows": total, "indexes": shown[skip : skip + limit]})


def _count(request: Request, name: str, default: int, at_least: int) -> int:
    text = request.parameters.get(name)
    if text is None:
        return default
    try:
        count = int(text)
    except ValueError:
        count = at_least - 1
    if count < at_least:
        raise Crash("invalid_list_index_params", "Index parameter ranges: limit > 1, skip > 0")
    return count


def create_index(request: Request) -> Response:
    """``POST /{db}/_index``: put an index into a design document, creating it if there is none."""
    request.require_json_type()
    index = new_index(parse_index(request.json_object()))
    check_docid(index.ddoc)
    body, rev = _ddoc(request, index.ddoc)
    changed = with_index(body, index)
    result = "exists"
    if changed is not None:
        result = "created"
        outcome = _save(request, Edit(index.ddoc, changed, rev=rev))
        if isinstance(outcome, CouchError):
            raise _not_saved(outcome)
    return json_response({"result": result, "id": index.ddoc, "name": index.name})


def _not_saved(error: CouchError) -> CouchError:
    reason = f"Unknown error while saving the design document: {error.error}"
    if isinstance(error, Conflict):
        reason = "Encountered a conflict while saving the design document."
    return Crash("error_saving_ddoc", reason)


def _ddoc(request: Request, ddoc: str) -> tuple[dict[str, Any] | None, Any]:
    """A live design document's body and revision."""
    entry = request.db.entry(ddoc)
    if entry is None or entry.deleted or entry.winner.body is None:
        return None, None
    return entry.winner.body.value, entry.winner.key


def _save(request: Request, edit: Edit) -> Outcome:
    [outcome] = write(request.db, [edit], request.user)
    return outcome


def bulk_delete(request: Request) -> Response:
    """``POST /{db}/_index/_bulk_delete``: remove the index of each of some design documents."""
    request.require_json_type()
    docids = parse_bulk_delete(request.json_object())
    indexes = indexes_of(request.db)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for ddoc in map(design_id, docids):
        if _delete(request, [index for index in indexes if index.ddoc == ddoc]):
            done.insert(0, {"id": ddoc, "ok": True})
        else:
            failed.insert(0, {"id": ddoc, "error": "not_found"})
    return json_response({"success": done, "fail": failed})


def delete_index(request: Request, ddoc: str, type: str, name: str) -> Response:
    """``DELETE /{db}/_index/{ddoc}/{type}/{name}``: remove an index, and an empty design document."""
    place = design_id(ddoc), type, name
    indexes = indexes_of(request.db)
    if not _delete(request, [index for index in indexes if (index.ddoc, index.type, index.name) == place]):
        raise NotFound("missing")
    return json_response({"ok": True})


def _delete(request: Request, indexes: list[IndexDefinition]) -> bool:
    """Remove one index. A refusal to write the design document is ignored, as the server ignores it."""
    if not indexes:
        return False
    if len(indexes) > 1:
        raise Crash("case_clause", "a design document with several indexes")
    ddoc = str(indexes[0].ddoc)
    body, rev = _ddoc(request, ddoc)
    remaining = without_index(body, indexes[0].name) if body else None
    _save(request, Edit(ddoc, remaining or {}, deleted=remaining is None, rev=rev))
    return True


def no_index(request: Request, rest: list[str]) -> Response:
    """Other paths below ``/{db}/_index``."""
    raise NotFound("missing")
