"""Documents together with their attachments in one multipart body, both ways."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from couchfake.errors import BadRequest
from couchfake.http import multipart
from couchfake.http.request import Request
from couchfake.http.responses import Response, stream_response
from couchfake.storage import documents as stored
from couchfake.storage.documents import DocumentEntry, Shown
from couchfake.storage.revision_ids import RevisionId, format_rev
from couchfake.storage.revision_tree import Revision
from couchfake.values import json


def first_part(text: bytes) -> Any:
    """The document of a multipart body."""
    try:
        return json.loads(text)
    except ValueError:
        raise BadRequest("invalid UTF-8 JSON") from None


def attachment_parts(leaf: Revision, shown: Shown) -> list[multipart.AttachmentPart]:
    return [
        multipart.AttachmentPart(one.name, str(one.content_type), one.data, one.encoding)
        for one in stored.sent_attachments(leaf, shown)
    ]


def following(shown: Shown) -> Shown:
    """The same, with the attachments' bytes in parts of their own."""
    return Shown(
        revs=shown.revs, revs_info=shown.revs_info, conflicts=shown.conflicts,
        deleted_conflicts=shown.deleted_conflicts, local_seq=shown.local_seq,
        attachments=True, follows=True, att_encoding_info=True, atts_since=shown.atts_since,
    )  # fmt: skip


def related(entry: DocumentEntry, leaf: Revision, shown: Shown, limit: int, headers: dict[str, str]) -> Response:
    """One document and its attachments."""
    shown = following(shown)
    parts = attachment_parts(leaf, shown)
    boundary = multipart.new_boundary()
    body = multipart.related(stored.shown_document(entry, leaf, shown, limit), parts, boundary)
    return Response(
        b"".join(body), 200, {"Content-Type": multipart.related_type(parts, boundary), **headers}
    )


def mixed(
    entry: DocumentEntry | None, results: Iterable[tuple[RevisionId, Revision | None]], shown: Shown, limit: int
) -> Response:
    """The answer to ``open_revs``."""
    outer, inner = multipart.new_boundary(), multipart.new_boundary()
    shown = following(shown)
    pieces = multipart.mixed((revision_part(entry, *each, shown, limit) for each in results), outer, inner)
    return stream_response(pieces, f'multipart/mixed; boundary="{outer}"')


def revision_part(
    entry: DocumentEntry | None, rev: RevisionId, leaf: Revision | None, shown: Shown, limit: int
) -> multipart.Revision | multipart.Missing:
    if entry is None or leaf is None:
        return multipart.Missing(json.encode({"missing": format_rev(rev)}))
    document = stored.shown_document(entry, leaf, shown, limit)
    return multipart.Revision(entry.id, leaf.rev, document, attachment_parts(leaf, shown))


def post_form(request: Request, docid: str) -> Response:
    """``POST /{db}/{docid}``: the upload form of old, which a page of this very server must have sent."""
    referer = request.environ.get("HTTP_REFERER")
    if referer is None:
        raise BadRequest("Referer header required.")
    if referer.partition("://")[2].partition("/")[0] != request.environ.get("HTTP_HOST"):
        raise BadRequest("Referer header must match host.")
    raise BadRequest("not yet")
