"""Documents, local ones too: reading, writing, deleting, copying. CouchDB documentation, "Document API"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from couchfake.api import multipart_documents
from couchfake.api.document_queries import (
    DocumentQuery,
    edit_of,
    named_rev,
    read_query,
    require_read_quorum,
    require_readable,
    require_revision,
    require_writable,
    write_copies,
)
from couchfake.chttpd import multipart
from couchfake.chttpd.parameters import quote, unquote_leniently
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, etag_matches, json_response, make_etag, not_modified, raw_json_response
from couchfake.errors import BadRequest, CouchError, NotFound, ServerError
from couchfake.storage import documents as stored
from couchfake.storage.documents import DocumentEntry, LocalDocument
from couchfake.storage.edits import Edit, read_edit
from couchfake.storage.revision_ids import RevisionId, format_rev, parse_rev
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write_one
from couchfake.values import json
from couchfake.values.json import read_json


def require_id(request: Request, docid: str) -> None:
    """Refuse the id ``_local/``. The real server does so before it looks at the method."""
    if docid == "_local/":
        raise BadRequest("Invalid _local document id.")


def require_local_name(request: Request, rest: list[str]) -> None:
    """Refuse a ``/{db}/_local/…`` that does not name one document. The method is looked at afterwards."""
    if not rest:
        raise BadRequest("Invalid _local document id.")
    if len(rest) > 1:
        raise BadRequest("_local documents do not accept attachments.")


# ---- reading


def get(request: Request, docid: str) -> Response:
    """A document, one of its revisions, or several (``open_revs``)."""
    if docid.startswith("_design/") and request.segments[1] != "_design":
        return redirect_to_design_document(request)
    query = read_query(request.parameters)
    require_read_quorum(request)
    if query.open_revs:
        require_readable(request, docid)
        return open_revs(request, docid, query)
    if docid.startswith("_local/"):
        return get_local(request, docid, query)
    entry, leaf = find(request, docid, query)
    limit = request.db.revs_limit
    shown = query.shown
    shown.attachments = shown.attachments or shown.atts_since is not None
    if query.rev is not None and not query.latest:
        # With a revision that was requested by name the server shows nothing about others.
        shown.revs_info = shown.conflicts = shown.deleted_conflicts = shown.local_seq = False
    headers = {}
    if not shown.any_meta or not stored.meta_members(entry, leaf, shown):
        headers["ETag"] = f'"{leaf.rev}"'
        if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), headers["ETag"]):
            return not_modified(headers["ETag"])
    if shown.attachments and leaf.attachments and request.accepts("multipart/related"):
        return multipart_documents.related(entry, leaf, shown, limit, headers)
    return raw_json_response(stored.shown_document(entry, leaf, shown, limit), 200, headers)


def redirect_to_design_document(request: Request) -> Response:
    """Redirect from a design document's id with an escaped slash to the plain path."""
    path, query = request.target
    first, *rest = re.split("_design%2f", f"{path}?{query}" if query else path, flags=re.IGNORECASE)
    return Response(b"", 301, {"Location": f"{request.base_uri}{first}_design/{''.join(rest)}"})


def find(request: Request, docid: str, query: DocumentQuery) -> tuple[DocumentEntry, Revision]:
    """Return the requested revision. Raise NotFound ``missing`` or ``deleted`` if there is none."""
    require_readable(request, docid)
    rev = None if query.latest else query.rev
    found = request.db.open_leaf(docid, rev)
    if found is None or found[1].body is None:
        raise NotFound("missing")
    if rev is None and found[1].deleted and not query.deleted:
        raise NotFound("deleted")
    return found[0], request.node.hooks.after_doc_read(request.db, found[0], found[1], request.user)


def opened_revs(request: Request, docid: str, query: DocumentQuery) -> Iterator[tuple[RevisionId, Revision | None]]:
    """The revisions that ``open_revs`` names, each with its node as the user may see it, or None if it is missing."""
    entry = request.db.entry(docid)
    visible = request.node.hooks.reader(request.db, request.user)
    request.db.activity.reads += 1
    for (_, rev), leaf in sorted(_named_leaves(entry, query).items()):
        yield rev, leaf if leaf is None or entry is None or visible is None else visible(entry, leaf)


def _named_leaves(entry: DocumentEntry | None, query: DocumentQuery) -> dict[tuple[bool, RevisionId], Revision | None]:
    """Each once, by whether it is missing (these come last) and its revision."""
    named: dict[tuple[bool, RevisionId], Revision | None] = {}
    for rev in _all_leaves(entry) if query.open_revs == "all" else query.open_revs:
        assert isinstance(rev, tuple)
        node = entry.tree.find(rev) if entry is not None else None
        if entry is None or node is None:
            named[True, rev] = None
            continue
        for each in entry.tree.leaves_below(node) if query.latest else [node]:
            missing = each.body is None
            named[missing, each.key] = None if missing else each
    return named


def _all_leaves(entry: DocumentEntry | None) -> list[RevisionId]:
    return [] if entry is None else [leaf.key for leaf in entry.leaves()]


def open_revs(request: Request, docid: str, query: DocumentQuery) -> Response:
    """Return several revisions, as JSON if the client accepts nothing else, otherwise as multipart."""
    require_readable(request, docid)
    results = list(opened_revs(request, docid, query))
    if not results and query.open_revs == "all":
        raise NotFound("missing")
    shown = query.shown
    shown.attachments = shown.attachments or shown.atts_since is not None
    shown.revs_info = shown.conflicts = shown.deleted_conflicts = shown.local_seq = False
    entry = request.db.entry(docid)
    if request.accepts("multipart/mixed"):
        return multipart_documents.mixed(entry, results, shown, request.db.revs_limit)
    limit = request.db.revs_limit
    return raw_json_response(b"[" + b",".join(_result(entry, *each, shown, limit) for each in results) + b"]")


def _result(
    entry: DocumentEntry | None, rev: RevisionId, leaf: Revision | None, shown: stored.DocOptions, limit: int
) -> bytes:
    if entry is None or leaf is None:
        return json.encode({"missing": format_rev(rev)})
    return b'{"ok":' + stored.shown_document(entry, leaf, shown, limit) + b"}"


# ---- writing


def location(request: Request, docid: str) -> str:
    return f"{request.base_uri}/{quote(request.db.name)}/{quote(docid)}"


def written(request: Request, edit: Edit, new_edits: bool, headers: dict[str, str]) -> Response:
    """Write, and answer with the new revision."""
    status, written_rev = write_copies(request, edit, 200 if edit.deleted else 201, new_edits)
    rev = format_rev(written_rev)
    etag = local_etag(edit, rev) if edit.id.startswith("_local/") else f'"{rev}"'
    answer = {"ok": True, "id": edit.id, "rev": rev}
    return json_response(answer, status, {**headers, "ETag": etag})


def put(request: Request, docid: str) -> Response:
    """Make or change a document, as JSON or with its attachments as multipart/related."""
    query = read_query(request.parameters)
    require_writable(request, docid)
    content_type = request.environ.get("CONTENT_TYPE", "")
    if content_type.startswith("multipart/related;"):
        text, parts = multipart.read_related(content_type, request.upload)
        edit = edit_of(request, docid, read_json(text), parts)
    else:
        edit = edit_of(request, docid, request.json())
    require_revision(edit, query.new_edits)
    if request.parameters.get("batch") == "ok" and not content_type.startswith("multipart/related;"):
        return batched(request, edit)
    return written(request, edit, query.new_edits, {"Location": location(request, docid)})


def batched(request: Request, edit: Edit) -> Response:
    """Write with ``batch=ok``: the answer is sent before the outcome is known, so refusals are not reported."""
    try:
        write_one(request.db, edit, request.user)
    except CouchError:
        pass
    return json_response({"ok": True, "id": edit.id}, 202)


def delete(request: Request, docid: str) -> Response:
    """Delete: a new revision with nothing in it."""
    if docid.startswith("_local/"):
        find_local(request, docid)
    else:
        find(request, docid, DocumentQuery())
    text = request.parameters.get("rev")
    deletion: dict[str, Any] = {"_deleted": True} if text is None else {"_rev": text, "_deleted": True}
    return written(request, edit_of(request, docid, deletion), True, {})


def post(request: Request) -> Response:
    """``POST /{db}``: write a document; the server chooses the id if it has none."""
    request.require_json_type()
    node = request.node
    edit = read_edit(request.json(), node.config, node.attachment_settings())
    if not edit.id:
        edit.id, edit.start, edit.ids = node.uuids(), 0, []
    require_writable(request, edit.id)
    if request.parameters.get("batch") == "ok":
        return batched(request, edit)
    status, rev = write_copies(request, edit, 201)
    answer = {"ok": True, "id": edit.id, "rev": format_rev(rev)}
    return json_response(answer, status, {"Location": location(request, edit.id)})


def copy(request: Request, docid: str) -> Response:
    """COPY a document to the id of the Destination header."""
    text = request.parameters.get("rev")
    rev = named_rev(request, None if text is None else parse_rev(text))
    target, target_rev = copy_destination(request.environ.get("HTTP_DESTINATION"))
    require_writable(request, target)
    edit = Edit(target, {}, rev=target_rev)
    if docid.startswith("_local/"):
        if rev is not None:
            raise NotFound("missing")
        edit.body = find_local(request, docid).body
    else:
        _, leaf = find(request, docid, DocumentQuery(rev=rev))
        edit.body, edit.deleted, edit.attachments = stored.body_of(leaf), leaf.deleted, leaf.attachments
    new_rev = format_rev(write_one(request.db, edit, request.user))
    headers = {"Location": location(request, target), "ETag": f'"{new_rev}"'}
    return json_response({"ok": True, "id": target, "rev": new_rev}, 201, headers)


def copy_destination(header: str | None) -> tuple[str, RevisionId | None]:
    """Parse ``id`` or ``id?rev=1-…``, the id escaped. The name of the parameter does not matter."""
    if header is None:
        raise BadRequest("Destination header is mandatory for COPY.")
    if re.match(r"^[^:/?]+://", header):
        raise BadRequest("Destination URL must be relative.")
    docid, *query = header.split("?")
    if not query:
        return unquote_leniently(docid), None
    parameter = query[0].split("=")
    if len(query) > 1 or len(parameter) != 2:
        raise ServerError("badmatch")
    return unquote_leniently(docid), parse_rev(parameter[1])


# Local documents: not replicated, not in views and changes
#
# CouchDB documentation, "Local (non-replicating) Documents".


def find_local(request: Request, docid: str) -> LocalDocument:
    found = request.db.local(docid)
    if found is None:
        raise NotFound("missing")
    return found


def get_local(request: Request, docid: str, query: DocumentQuery) -> Response:
    """A local document has one revision; a request that names any revision finds it missing."""
    if query.rev is not None:
        raise NotFound("missing")
    found = find_local(request, docid)
    tag = make_etag((0, str(found.rev), found.body))
    if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), tag):
        return not_modified(tag)
    return json_response(found.document(query.shown.revs), 200, {"ETag": tag})


def local_etag(edit: Edit, rev: str) -> str:
    """The ETag of a local document that was just written."""
    return make_etag((0, rev.partition("-")[2], edit.body))
