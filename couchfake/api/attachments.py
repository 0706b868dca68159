"""Attachments on their own. CouchDB documentation, "Document API: Attachments"."""

from __future__ import annotations

from typing import Any

from couchfake.api import documents
from couchfake.api.document_queries import (
    DocumentQuery,
    named_rev,
    read_query,
    require_read_quorum,
    require_writable,
    require_write_quorum,
    write_copies,
)
from couchfake.chttpd.multipart import new_boundary
from couchfake.chttpd.parameters import quote
from couchfake.chttpd.request import Request, accepted_encodings, byteranges, content_range, ranges_of
from couchfake.chttpd.responses import (
    Response,
    body_response,
    etag_matches,
    json_response,
    not_modified,
    stream_response,
)
from couchfake.errors import (
    BadContentType,
    BadRequest,
    CouchError,
    Crash,
    NotFound,
    ServerError,
)
from couchfake.settings import CSP_ATTACHMENTS_ENABLE, CSP_ATTACHMENTS_HEADER_VALUE
from couchfake.storage import attachments as stored_attachments
from couchfake.storage import documents as stored
from couchfake.storage.attachments import Attachment
from couchfake.storage.edits import Edit, size_in_bytes
from couchfake.storage.revision_ids import RevisionId, format_rev, parse_rev
from couchfake.storage.revision_tree import Revision


def require_ddoc(request: Request, ddoc: str, name: list[str]) -> None:
    """Look up the design document first if the name looks like one of its functions; then comes the method."""
    if name[:1] and name[0].startswith("_"):
        documents.find(request, "_design/" + ddoc, DocumentQuery())


# ---- reading


def get(request: Request, docid: str, name: str) -> Response:
    """Return an attachment: gzipped if it is stored so and the client accepts it, in ranges if it is not."""
    if docid.startswith("_design/") and request.segments[1] != "_design":
        return documents.redirect_to_design_document(request)
    query = read_query(request.parameters)
    require_read_quorum(request)
    attachment = _existing(_opened(request, docid, query), name)
    encodings = _accepted(request)
    etag = f'"{attachment.md5_base64}"'
    headers = _headers(request, attachment, etag)
    if attachment.encoding != "identity" and attachment.encoding in encodings:
        headers["Content-Encoding"] = attachment.encoding
    if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), etag):
        return not_modified(etag)
    if attachment.encoding == "identity":
        return _as_asked(request, attachment, headers)
    if "Content-Encoding" in headers:
        return _whole(request, headers, attachment.encoded_length, attachment)
    if not attachment.length_is_known:
        return stream_response(iter((attachment.decoded(),)), headers.pop("Content-Type"), 200, headers)
    return _whole(request, headers, attachment.length, attachment)


def _opened(request: Request, docid: str, query: DocumentQuery) -> Revision:
    """Return the revision whose attachment is requested; with ``latest``, the leaf below the named one."""
    if query.rev is None:
        return documents.find(request, docid, query)[1]
    request.db.activity.reads += 1
    entry = request.db.entry(docid)
    node = entry.tree.find(query.rev) if entry is not None else None
    if node is not None and entry is not None and query.latest:
        node = entry.tree.leaves_below(node)[0]
    if entry is None or node is None or node.body is None:
        raise NotFound("missing")
    return request.node.hooks.after_doc_read(request.db, entry, node, request.user)


def _existing(leaf: Revision, name: str) -> Attachment:
    found = stored_attachments.find(leaf.attachments, name)
    if found is None:
        raise NotFound("Document is missing attachment")
    return found


def _accepted(request: Request) -> set[str]:
    try:
        encodings = accepted_encodings(request.environ.get("HTTP_ACCEPT_ENCODING"))
    except ValueError:
        raise BadRequest("") from None
    if not encodings:
        raise Crash("unacceptable_encoding", None)
    return encodings


def _headers(request: Request, attachment: Attachment, etag: str) -> dict[str, str]:
    headers = {
        "ETag": etag,
        "Cache-Control": "must-revalidate",
        "Content-Type": _header_text(attachment.content_type),
        "Accept-Ranges": "bytes" if attachment.encoding == "identity" else "none",
    }
    config = request.node.config
    if config[CSP_ATTACHMENTS_ENABLE]:
        headers["Content-Security-Policy"] = config[CSP_ATTACHMENTS_HEADER_VALUE]
    return headers


def _header_text(content_type: Any) -> str:
    """A content type in a header, its UTF-8 as WSGI wants it. The server crashes on anything but a string."""
    if not isinstance(content_type, str):
        raise ServerError("badarg")
    if "\r" in content_type or "\n" in content_type:  # would end the header
        raise ServerError("badarg")
    return content_type.encode("utf-8").decode("latin-1")


def _as_asked(request: Request, attachment: Attachment, headers: dict[str, str]) -> Response:
    """An attachment that is stored as it is: whole, a range of it, or several as multipart."""
    ranges = ranges_of(request.environ.get("HTTP_RANGE"), attachment.length)
    if ranges is None:
        return _whole(request, headers, attachment.length, attachment)
    if len(ranges) == 1:
        [(first, last)] = ranges
        headers["Content-Range"] = content_range((first, last), attachment.length)
        return body_response(attachment.data[first : last + 1], headers.pop("Content-Type"), 206, headers)
    boundary = new_boundary()
    pieces = byteranges(attachment.data, str(attachment.content_type), ranges, boundary)
    return stream_response(pieces, f'multipart/byteranges; boundary="{boundary}"', 206)


def _whole(request: Request, headers: dict[str, str], length: int, attachment: Attachment) -> Response:
    """All of it, as stored or decoded; of a gzipped one a range is refused where it is empty, and else ignored."""
    if attachment.encoding != "identity":
        ranges_of(request.environ.get("HTTP_RANGE"), length)
    if request.method == "HEAD":  # nothing need be decoded for it
        return Response([], 200, {**headers, "Content-Length": str(length)})
    data = attachment.data if "Content-Encoding" in headers else attachment.decoded()
    return body_response(data, headers.pop("Content-Type"), 200, headers)


# ---- writing


def put(request: Request, docid: str, name: str) -> Response:
    """Upload an attachment: a new document, or a new revision of the named one."""
    _check_name(name)
    encoding = _encoding(request)
    edit = _edit(request, docid, None)
    require_write_quorum(request)
    settings = request.node.attachment_settings()
    data = request.upload
    stored_attachments.validate_size(name, len(data), settings)
    attachment = stored_attachments.store(
        name, _content_type(request), data, settings, encoding=encoding, revpos=edit.start + 1
    )
    edit.attachments = stored_attachments.put_first(edit.attachments, attachment)
    # The database's name is not escaped here as in the Location of a document.
    location = f"{request.base_uri}/{request.db.name}/{quote(docid)}/{quote(name)}"
    return _written(request, edit, 201, {"Location": location})


def delete(request: Request, docid: str, name: str) -> Response:
    """Remove an attachment: a new revision of its document without it."""
    _check_name(name)
    edit = _edit(request, docid, name)
    edit.attachments = stored_attachments.without(edit.attachments, name)
    return _written(request, edit, 200, {})


def _check_name(name: str) -> None:
    stored_attachments.validate_name(name)
    if size_in_bytes(name) is None:
        raise BadRequest("Attachment name is not UTF-8 encoded")


def _encoding(request: Request) -> stored_attachments.Encoding:
    coding = request.environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if coding == "gzip":
        return "gzip"
    if coding == "identity":
        return "identity"
    raise BadContentType("Only gzip and identity content-encodings are supported")


def _content_type(request: Request) -> str:
    text: str | None = request.environ.get("CONTENT_TYPE")
    if text is None:
        return stored_attachments.DEFAULT_CONTENT_TYPE
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _edit(request: Request, docid: str, existing: str | None) -> Edit:
    """The next revision of the one that the request names, or the first of a document; ``existing`` must be there."""
    text = request.parameters.get("rev")
    rev = named_rev(request, None if text is None else parse_rev(text))
    if rev is None:
        if existing is not None:
            _existing(documents.find(request, docid, DocumentQuery())[1], existing)
        require_writable(request, docid)
        return Edit(docid, {})
    leaf = _named(request, docid, rev)
    if existing is not None:
        _existing(leaf, existing)
    edit = Edit(docid, stored.body_of(leaf), leaf.deleted, rev)
    edit.attachments = leaf.attachments
    return edit


def _named(request: Request, docid: str, rev: RevisionId) -> Revision:
    """The revision that is to be changed. That it is unknown is said otherwise here than when it is read."""
    try:
        return _opened(request, docid, DocumentQuery(rev=rev))
    except NotFound:
        raise CouchError(409, "not_found", "missing_rev") from None


def _written(request: Request, edit: Edit, status: int, headers: dict[str, str]) -> Response:
    status_of_upload, rev = write_copies(request, edit, status)
    # It is not reported that a removal reached one copy only.
    status = status if request.verb == "DELETE" else status_of_upload
    return json_response({"ok": True, "id": edit.id, "rev": format_rev(rev)}, status, headers)
