"""Local documents: not replicated, not in views and changes. CouchDB documentation, "Local (non-replicating)"."""

from __future__ import annotations

from couchfake.api.document_queries import DocumentQuery
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, etag_matches, json_response, make_etag, not_modified
from couchfake.errors import NotFound
from couchfake.storage.documents import LocalDocument
from couchfake.storage.edits import Edit


def find(request: Request, docid: str) -> LocalDocument:
    found = request.db.local(docid)
    if found is None:
        raise NotFound("missing")
    return found


def get(request: Request, docid: str, query: DocumentQuery) -> Response:
    """A local document has one revision; a request that names any revision finds it missing."""
    if query.rev is not None:
        raise NotFound("missing")
    found = find(request, docid)
    tag = make_etag((0, str(found.rev), found.body))
    if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), tag):
        return not_modified(tag)
    return json_response(found.document(query.shown.revs), 200, {"ETag": tag})


def etag(edit: Edit, rev: str) -> str:
    """The ETag of a local document that was just written."""
    return make_etag((0, rev.partition("-")[2], edit.body))
