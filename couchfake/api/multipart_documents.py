"""Documents together with their attachments in one multipart body, both ways."""

from __future__ import annotations

import re
from collections.abc import Iterable

from couchfake.api.document_queries import edit_of, require_writable, write_copies
from couchfake.chttpd import multipart
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response, stream_response
from couchfake.errors import BadRequest, Crash, ServerError
from couchfake.storage import attachments as stored_attachments
from couchfake.storage import documents as stored
from couchfake.storage.attachments import Attachment, AttachmentInput, AttachmentSettings
from couchfake.storage.documents import DocOptions, DocumentEntry
from couchfake.storage.edits import Edit
from couchfake.storage.revision_ids import RevisionId, format_rev, parse_rev
from couchfake.storage.revision_tree import Revision
from couchfake.values import json
from couchfake.values.json import read_json


def attachment_parts(leaf: Revision, shown: DocOptions) -> list[multipart.AttachmentPart]:
    return [
        multipart.AttachmentPart(one.name, str(one.content_type), one.data, one.encoding)
        for one in stored.sent_attachments(leaf, shown)
    ]


def following(shown: DocOptions) -> DocOptions:
    """The same, with the attachments' bytes in parts of their own."""
    return DocOptions(
        revs=shown.revs, revs_info=shown.revs_info, conflicts=shown.conflicts,
        deleted_conflicts=shown.deleted_conflicts, local_seq=shown.local_seq,
        attachments=True, follows=True, att_encoding_info=True, atts_since=shown.atts_since,
    )  # fmt: skip


def related(entry: DocumentEntry, leaf: Revision, shown: DocOptions, limit: int, headers: dict[str, str]) -> Response:
    """One document and its attachments."""
    shown = following(shown)
    parts = attachment_parts(leaf, shown)
    boundary = multipart.new_boundary()
    body = multipart.related(stored.shown_document(entry, leaf, shown, limit), parts, boundary)
    return Response(b"".join(body), 200, {"Content-Type": multipart.related_type(parts, boundary), **headers})


def mixed(
    entry: DocumentEntry | None, results: Iterable[tuple[RevisionId, Revision | None]], shown: DocOptions, limit: int
) -> Response:
    """The answer to ``open_revs``."""
    outer, inner = multipart.new_boundary(), multipart.new_boundary()
    shown = following(shown)
    pieces = multipart.mixed((revision_part(entry, *each, shown, limit) for each in results), outer, inner)
    return stream_response(pieces, f'multipart/mixed; boundary="{outer}"')


def revision_part(
    entry: DocumentEntry | None, rev: RevisionId, leaf: Revision | None, shown: DocOptions, limit: int
) -> multipart.Revision | multipart.Missing:
    if entry is None or leaf is None:
        return multipart.Missing(json.encode({"missing": format_rev(rev)}))
    document = stored.shown_document(entry, leaf, shown, limit)
    return multipart.Revision(entry.id, leaf.rev, document, attachment_parts(leaf, shown))


def post_form(request: Request, docid: str) -> Response:
    """``POST /{db}/{docid}``: the legacy upload form, which a page of this server must have sent.

    Files are the fields ``_attachments``; they join those of the document in ``_doc`` or of the revision ``_rev``.
    """
    _require_own_page(request)
    require_writable(request, docid)
    request.require_type("multipart/form-data")
    fields = multipart.form_fields(request.environ["CONTENT_TYPE"], request.upload)
    texts = {field.name: field.data for field in reversed(fields) if field.filename is None}
    if "_doc" in texts:
        edit = edit_of(request, docid, read_json(texts["_doc"]))
    else:
        edit = _edit_of_revision(request, docid, texts.get("_rev"))
    settings = request.node.attachment_settings()
    new = [_uploaded(field, settings, edit.start + 1) for field in fields if _is_upload(field)]
    names = {each.name for each in new}
    if len(names) < len(new):
        raise BadRequest("Duplicate attachments")
    if edit.inputs:
        edit.inputs = [
            *(AttachmentInput(each.name, each) for each in new),
            *(each for each in edit.inputs if each.name not in names),
        ]
    edit.attachments = (*new, *(each for each in edit.attachments if each.name not in names))
    status, written = write_copies(request, edit, 201)
    rev = format_rev(written)
    return json_response({"ok": True, "id": docid, "rev": rev}, status, {"ETag": f'"{rev}"'})


def _require_own_page(request: Request) -> None:
    referer = request.environ.get("HTTP_REFERER")
    if referer is None:
        raise BadRequest("Referer header required.")
    host = re.match(r"[^:/?#]+://([^/?#]*)", referer)
    if host is None or host[1] != request.base_uri.partition("://")[2]:
        raise BadRequest("Referer header must match host.")


def _edit_of_revision(request: Request, docid: str, text: bytes | None) -> Edit:
    """The same document once more. The server breaks where no such revision is there, or none is named."""
    if text is None:
        raise ServerError("badarg")
    rev = parse_rev(text.decode("utf-8", "replace"))
    found = request.db.open_leaf(docid, rev)
    if found is None or found[1].body is None:
        raise Crash("case_clause", "missing")
    leaf = request.node.hooks.after_doc_read(request.db, *found, request.user)
    edit = Edit(docid, stored.body_of(leaf), leaf.deleted, rev)
    edit.attachments = leaf.attachments
    return edit


def _is_upload(field: multipart.FormField) -> bool:
    return field.name == "_attachments" and field.filename is not None and field.content_type is not None


def _uploaded(field: multipart.FormField, settings: AttachmentSettings, revpos: int) -> Attachment:
    """A file of the form, under its own name; of its type the parameters are dropped."""
    name = str(field.filename)
    stored_attachments.validate_name(name)
    content_type = str(field.content_type).partition(";")[0].strip().lower()
    return stored_attachments.store(name, content_type, field.data, settings, revpos=revpos)
