"""Shows, lists and updates of a design document, and the request object that functions receive.

``function_request`` makes the object ``req`` of shows, lists, updates, filters and rewrites.
Source: CouchDB documentation, "Design Documents: Show, List, Update" and "Request object";
``chttpd_external:json_req_obj/3``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from couchfake.api.all_docs import Listing
from couchfake.api.databases import database_info
from couchfake.api.document_queries import require_writable
from couchfake.api.views import find_ddoc, open_view
from couchfake.auth.permissions import require_server_admin
from couchfake.chttpd.parameters import Parameters, quote, unquote
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, etag_matches, make_etag, not_modified
from couchfake.errors import CouchError, Crash, NotFound, ServerError
from couchfake.node import Node
from couchfake.query_server import DesignFunctions, FunctionResponse, ListResponse, parse_response, set_header
from couchfake.settings import CSP_SHOWLIST_ENABLE, CSP_SHOWLIST_HEADER_VALUE, QUERY_REVS_LIMIT
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocOptions, DocumentEntry, shown_document
from couchfake.storage.edits import read_edit
from couchfake.storage.revision_ids import format_rev
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write_one
from couchfake.values import json
from couchfake.values.json import read_json
from couchfake.views.options import ViewOptions, check_all_docs, of_body, of_query
from couchfake.views.query import View, map_texts

# ---- shows


def show(request: Request, ddoc: str, rest: list[str]) -> Response:
    """``/{db}/_design/{ddoc}/_show/{function}`` and a document's id, with any method."""
    entry = find_ddoc(request.db, ddoc)
    if not rest:
        raise CouchError(404, "show_error", "Invalid path.")
    name, docid = rest[0], "/".join(rest[1:]) or None
    functions = functions_of(request.node, request.db, entry)
    functions.source("shows", name)
    found = _document(request, docid)
    etag = _show_etag(request, entry, found)
    if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), etag):
        return not_modified(etag)
    response = functions.show(name, function_document(request, found), function_request(request, docid))
    return _respond(request, parse_response(set_header(set_header(response, "ETag", etag), "Vary", "Accept")))


def _show_etag(request: Request, ddoc: DocumentEntry, found: tuple[DocumentEntry, Revision] | None) -> str:
    user = request.user
    return make_etag(
        [
            ddoc.winner.rev,
            None if found is None else found[1].rev,
            request.environ.get("HTTP_ACCEPT"),
            user.name,
            list(user.roles),
        ]
    )


# ---- updates


def update(request: Request, ddoc: str, rest: list[str]) -> Response:
    """``/{db}/_design/{ddoc}/_update/{function}`` and a document's id, with any method but GET."""
    entry = find_ddoc(request.db, ddoc)
    if not rest:
        raise CouchError(404, "update_error", "Invalid path.")
    name, docid = rest[0], "/".join(rest[1:]) or None
    functions = functions_of(request.node, request.db, entry)
    functions.source("updates", name)
    found = _document(request, docid)
    new, response = functions.update(name, function_document(request, found), function_request(request, docid))
    if new is None:
        return _respond(request, parse_response({"code": 200, **response}))
    edit = read_edit(new, request.node.config, request.node.attachment_settings())
    require_writable(request, edit.id)
    rev = format_rev(write_one(request.db, edit, request.user))
    response = set_header(response, "X-Couch-Update-NewRev", rev)
    return _respond(request, parse_response({"code": 201, **set_header(response, "X-Couch-Id", quote(edit.id))}))


# ---- lists


def list_view(request: Request, ddoc: str, rest: list[str]) -> Response:
    """``/{db}/_design/{ddoc}/_list/{function}/{view}``, or ``/{function}/{other ddoc}/{view}``."""
    entry = find_ddoc(request.db, ddoc)
    if len(rest) not in (2, 3):
        raise CouchError(404, "list_error", "Invalid path.")
    body = None
    if request.verb == "POST":
        request.require_json_type()
        body = request.json_object()
    functions = functions_of(request.node, request.db, entry)
    functions.source("lists", rest[0])
    if len(rest) == 3:
        try:
            entry = find_ddoc(request.db, rest[1])
        except NotFound as error:
            raise Crash("badmatch", f"{{not_found,{error.reason}}}") from error
    base = ViewOptions() if body is None else of_body(body, ViewOptions())
    options = of_query(request.parameters.pairs, base)
    if rest[-1] == "_all_docs":
        head, rows = _documents(request, options)
    else:
        view = open_view(request, entry, rest[-1])
        options = view.check(options, request.node.config, listed=True)
        head, rows = _rows(request.db, view, options, request.node.hooks.reader(request.db, request.user))
    req = function_request(request, None, body)
    return _respond_to_list(request, functions.list(rest[0], head, req, rows))


def _documents(request: Request, options: ViewOptions) -> tuple[dict[str, Any], Iterable[str]]:
    """Return the head and rows of ``_all_docs`` for a list. Rows of missing documents have a form of their own."""
    check_all_docs(options)
    visible = request.node.hooks.reader(request.db, request.user)
    if visible is not None:
        require_server_admin(request.user)
    listing = Listing(request.db, "_all_docs", options, options.all_keys, visible)
    return json.loads(b"{%b}" % listing.meta.rstrip(b",")), map(_document_row, listing.rows())


def _document_row(text: bytes) -> str:
    if not text.endswith(b'"error":"not_found"}'):
        return text.decode()
    return json.dumps({"id": "error", "key": json.loads(text)["key"], "value": "not_found"})


def _rows(
    db: Database, view: View, options: ViewOptions, visible: Visible | None
) -> tuple[dict[str, Any], Iterable[str]]:
    """Return the head of a query for a list, and the JSON texts of its rows."""
    snapshot = view.snapshot(options)
    try:
        query = view.query(snapshot, options)
    except CouchError as error:  # a range that runs backwards, with which lists crash
        raise ServerError("function_clause") from error
    meta = {"update_seq": db.pack_seq(snapshot.update_seq)} if options.update_seq else {}
    if view.reduces(options):
        assert view.reducer is not None
        return meta, [json.dumps({"key": key, "value": value}) for key, value in query.reduced(view.reducer)]
    found = query.rows()
    head = {"total_rows": found.total_rows, "offset": found.offset, **meta}
    return head, map_texts(db, found.rows, options, visible)


def _respond_to_list(request: Request, answer: ListResponse) -> Response:
    if not answer.started:
        return Response(b"", 200)
    headers = _with_policy(request, answer.headers)
    return Response(b"".join(answer.chunks), answer.code, headers)


# ---- shared by all


def functions_of(node: Node, db: Database, entry: DocumentEntry) -> DesignFunctions:
    """Return the functions of a design document's winner."""
    text = shown_document(entry, entry.winner, DocOptions(), db.revs_limit)
    return node.query_server.design_functions(text, database=db.uuid)


def _document(request: Request, docid: str | None) -> tuple[DocumentEntry, Revision] | None:
    """Return the document that a path names; None if it names no document, or one that is missing or deleted."""
    found = None if docid is None else request.db.open_leaf(docid, None)
    if found is None or found[1].body is None or found[1].deleted:
        return None
    entry, leaf = found
    return entry, request.node.hooks.after_doc_read(request.db, entry, leaf, request.user)


def function_document(request: Request, found: tuple[DocumentEntry, Revision] | None) -> Any:
    """Return a document as functions get it: with ``_revisions`` of limited length, ``_conflicts``, stubs."""
    if found is None:
        return None
    limit = min(request.node.config[QUERY_REVS_LIMIT], request.db.revs_limit)
    return json.loads(shown_document(*found, DocOptions(revs=True, conflicts=True), limit))


def _respond(request: Request, answer: FunctionResponse) -> Response:
    if answer.has_json:
        headers = [("Cache-Control", "must-revalidate"), *plain_headers(answer.headers)]
        return Response(answer.content(), answer.code, headers)
    return Response(answer.body, answer.code, _with_policy(request, answer.headers))


def _with_policy(request: Request, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers with the Content-Security-Policy of pages that functions make."""
    config = request.node.config
    named = any(name.lower() == "content-security-policy" for name, _ in headers)
    if config[CSP_SHOWLIST_ENABLE] and not named:
        policy = config[CSP_SHOWLIST_HEADER_VALUE]
        headers = [*headers, ("Content-Security-Policy", policy)]
    return plain_headers(headers)


def plain_headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers as WSGI has them: UTF-8 bytes decoded as Latin-1, without line ends."""
    return [(_plain(name), _plain(value)) for name, value in headers]


def _plain(text: str) -> str:
    return " ".join(text.splitlines()).encode("utf-8").decode("latin-1")


# ---- the request object

_JSON_PARAMETERS = ("startkey", "endkey", "key", "descending")
_HIDDEN_HEADERS = ("Authorization", "Cookie")
_NOT_IN_REWRITES = ("info", "uuid", "id", "form")


def function_request(request: Request, docid: str | None = None, body: Any = None) -> dict[str, Any]:
    """Return the object for a function of a design document, its members in the real server's order.

    ``docid`` is the document that the path names, whether it exists or not. ``body`` replaces the text that was sent.
    """
    sent = _text_of_body(request)
    return {
        "info": database_info(request.db),
        "uuid": request.node.uuids(),
        "id": docid,
        "method": request.verb,
        "requested_path": requested_path(request),
        "path": [_text(part) for part in request.segments],
        "raw_path": _raw_path(request),
        "query": query_members(request.parameters),
        "headers": headers_of(request.environ),
        "body": sent if body is None else body,
        "peer": request.environ.get("REMOTE_ADDR", "127.0.0.1"),
        "form": _form(request, sent),
        "cookie": {},
        "userCtx": request.user.as_json(request.db.name),
        "secObj": request.db.security,
    }


def rewrite_request(request: Request) -> dict[str, Any]:
    """Return the smaller object that a rewrite function receives."""
    return {name: value for name, value in function_request(request).items() if name not in _NOT_IN_REWRITES}


def query_members(parameters: Parameters) -> dict[str, Any]:
    """Return parameters by name, the last of each name, with those of views parsed as JSON. Errors: BadRequest."""
    members: dict[str, Any] = {}
    for name, text in parameters.pairs:
        members[_text(name)] = read_json(text) if name in _JSON_PARAMETERS else _text(text)
    return members


def headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return headers by name, in capitalised words and alphabetical order, without credentials."""
    headers = {}
    for name in environ:
        if name.startswith("HTTP_"):
            name_shown = _header_name(name[5:])
        elif name in ("CONTENT_TYPE", "CONTENT_LENGTH") and environ[name]:
            name_shown = _header_name(name)
        else:
            continue
        if name_shown not in _HIDDEN_HEADERS:
            headers[name_shown] = _text(str(environ[name]).encode("latin-1", "replace").decode("utf-8", "replace"))
    return dict(sorted(headers.items(), key=lambda item: item[0].lower()))


def requested_path(request: Request) -> list[str]:
    """Return the parts of the path before a virtual host or a proxy changed it; the query stays on the last part."""
    environ = request.environ
    path = environ.get("HTTP_X_COUCHDB_VHOST_PATH") or environ.get("HTTP_X_COUCHDB_REQUESTED_PATH")
    return [_text(unquote(part)) for part in (path or _raw_path(request)).split("/") if part]


def _raw_path(request: Request) -> str:
    path, query = request.target
    return f"{path}?{query}" if query else path


def _header_name(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("_"))


def _text_of_body(request: Request) -> str:
    if not request.has_body:
        return "undefined"
    return request.received.decode("utf-8", "replace")


def _form(request: Request, body: str) -> dict[str, str]:
    content_type = request.environ.get("CONTENT_TYPE", "")
    if request.verb not in ("POST", "PUT") or not content_type.startswith("application/x-www-form-urlencoded"):
        return {}
    return {_text(name): _text(value) for name, value in Parameters(body).pairs}


def _text(text: str) -> str:
    """Return text of a request, with bytes that are not UTF-8 replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
