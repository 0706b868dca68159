"""Multipart bodies: documents with their attachments, several revisions in one answer, HTML forms.

Reading: ``parts_of`` splits any multipart body; ``read_related`` reads the upload of a document (the JSON first, then
the attachments in the order of the JSON); ``form_fields`` reads an HTML form.
Writing: ``related`` is a document with its attachments, ``mixed`` several revisions, ``bulk`` several documents.
Each writer returns an iterable of pieces, laid out exactly as by the real server.

Source: CouchDB documentation, "Document API: Creating Multiple Attachments", "Getting Multiple Attachments" and
"Getting Documents: obtaining open revisions"; RFC 2046 for what a delimiter is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from uuid import uuid4

from werkzeug.http import parse_options_header

from couchfake.errors import BadContentType, BadRequest, ServerError


class Part(NamedTuple):
    """One part of a body that was read: header names in lower case; of a repeated header the last one."""

    headers: dict[str, str]
    data: bytes


class AttachmentPart(NamedTuple):
    """One attachment to write: ``data`` as stored, ``encoding`` of these bytes ("identity" or "gzip")."""

    filename: str
    content_type: str
    data: bytes
    encoding: str


class Revision(NamedTuple):
    """One revision to write: the document's JSON, which announces the attachments, and the attachments."""

    docid: str
    rev: str
    document: bytes
    attachments: Sequence[AttachmentPart]


class Missing(NamedTuple):
    """In place of a revision: a JSON object that says what is missing."""

    report: bytes


class FormField(NamedTuple):
    """One field of an HTML form. ``filename`` is None unless it is a file, ``content_type`` if it was not given."""

    name: str
    filename: str | None
    content_type: str | None
    data: bytes


# ---- reading


def parts_of(content_type: str, body: bytes) -> Iterator[Part]:
    """Yield the parts of a multipart body in order. What comes before the first and after the last is ignored.

    Raise BadRequest without a boundary or for a bad part header, ServerError if the body ends too early.
    """
    boundary = parse_options_header(content_type)[1].get("boundary")
    if not boundary:
        raise BadRequest("multipart without a boundary")
    delimiter = b"--" + boundary.encode("utf-8")
    _, part_start, is_last = _next_delimiter(body, 0, delimiter)
    while not is_last:
        part_end, next_start, is_last = _next_delimiter(body, part_start, delimiter)
        yield _part(body, part_start, part_end)
        part_start = next_start


_REST_OF_DELIMITER = re.compile(rb"--|[ \t]*(?=\r\n)")


def _next_delimiter(body: bytes, position: int, delimiter: bytes) -> tuple[int, int, bool]:
    """Return where the next delimiter line begins and ends, and whether it closes the body.

    The boundary of a nested body may begin with this one's, so a delimiter must begin a line, and end the line or close
    the body.
    """
    while (found := body.find(delimiter, position)) >= 0:
        position = found + len(delimiter)
        rest = _REST_OF_DELIMITER.match(body, position)
        if rest and (found == 0 or body[found - 2 : found] == b"\r\n"):
            return max(found - 2, 0), rest.end(), rest[0] == b"--"
    raise ServerError("expected more data")


def _part(body: bytes, start: int, end: int) -> Part:
    """Return the part between two delimiters; its headers end with an empty line."""
    head_end = body.find(b"\r\n\r\n", start, end)
    if head_end < 0:
        raise BadRequest("bad part header")
    headers: dict[str, str] = {}
    for line in body[start:head_end].decode("utf-8", "replace").split("\r\n"):
        if line:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest("bad part header")
            headers[name.strip().lower()] = value.strip()
    return Part(headers, body[head_end + 4 : end])


def read_related(content_type: str, body: bytes) -> tuple[bytes, Iterator[bytes]]:
    """Return the document's JSON text, and an iterator over the bodies of the parts that follow it.

    Names, types and encodings in the parts' headers are ignored: the document has them. Raise BadContentType if the
    first part is not JSON, and what ``parts_of`` raises, which the iterator may raise too.
    """
    parts = parts_of(content_type, body)
    document = next(parts, None)
    if document is None:
        raise ServerError("expected more data")
    if parse_options_header(document.headers.get("content-type"))[0].lower() != "application/json":
        raise BadContentType("Content-Type must be application/json")
    return document.data, (part.data for part in parts)


def form_fields(content_type: str, body: bytes) -> list[FormField]:
    """Return the fields of a ``multipart/form-data`` body; parts without a name are ignored."""
    fields = []
    for part in parts_of(content_type, body):
        options = parse_options_header(part.headers.get("content-disposition"))[1]
        if "name" in options:
            filename = options.get("filename")
            fields.append(FormField(options["name"], filename, part.headers.get("content-type"), part.data))
    return fields


# ---- writing


def new_boundary() -> str:
    """Return a boundary that no content has."""
    return uuid4().hex


def related_type(attachments: Sequence[AttachmentPart], boundary: str) -> str:
    """Return the ``Content-Type`` of ``related``, which is JSON if there are no attachments."""
    return f'multipart/related; boundary="{boundary}"' if attachments else "application/json"


def related(document: bytes, attachments: Sequence[AttachmentPart], boundary: str) -> list[bytes]:
    """Return a document and the attachments that follow it, as pieces. Their total length is the Content-Length."""
    if not attachments:
        return [document]
    delimiter = b"\r\n--" + boundary.encode("ascii")
    pieces = [delimiter[2:], b"\r\nContent-Type: application/json\r\n\r\n", document, delimiter]
    for attachment in attachments:
        pieces += (_attachment_headers(attachment), attachment.data, delimiter)
    pieces.append(b"--")
    return pieces


def _attachment_headers(attachment: AttachmentPart) -> bytes:
    encoding = "" if attachment.encoding == "identity" else f"\r\nContent-Encoding: {attachment.encoding}"
    head = (
        f'\r\nContent-Disposition: attachment; filename="{attachment.filename}"'
        f"\r\nContent-Type: {attachment.content_type}"
        f"\r\nContent-Length: {len(attachment.data)}{encoding}\r\n\r\n"
    )
    return head.encode("utf-8", "surrogateescape")


_MISSING_HEAD = b'\r\nContent-Type: application/json; error="true"\r\n\r\n'


def mixed(revisions: Iterable[Revision | Missing], outer: str, inner: str) -> Iterator[bytes]:
    """Yield the body for ``open_revs``: a part for each revision, in which attachments are ``multipart/related``."""
    delimiter = b"--" + outer.encode("ascii")
    yield delimiter
    for one in revisions:
        if isinstance(one, Missing):
            yield b"".join((_MISSING_HEAD, one.report, b"\r\n", delimiter))
            continue
        head = f"\r\nContent-Type: {related_type(one.attachments, inner)}\r\n\r\n".encode("ascii")
        yield b"".join((head, *related(one.document, one.attachments, inner), b"\r\n", delimiter))
    yield b"--"


def bulk(revisions: Iterable[Revision | Missing], outer: str, inner: str) -> Iterator[bytes]:
    """Yield the body for ``_bulk_get``. Its boundaries begin with two extra hyphens (``bulk_boundary``).

    Without any revision the body is empty. Parts with attachments have headers that name the document.
    """
    delimiter = b"\r\n--" + outer.encode("ascii")
    empty = True
    for one in revisions:
        empty = False
        if isinstance(one, Missing):
            yield b"".join((delimiter, _MISSING_HEAD, one.report))
            continue
        head = "\r\nContent-Type: application/json\r\n\r\n"
        if one.attachments:
            head = f"\r\nX-Doc-Id: {one.docid}\r\nX-Rev-Id: {one.rev}\r\n"
            head += f"Content-Type: multipart/related; boundary={inner}\r\n\r\n"
        yield b"".join((delimiter, head.encode("utf-8"), *related(one.document, one.attachments, inner)))
    if not empty:
        yield delimiter + b"--\r\n"


def bulk_boundary() -> str:
    """Return a boundary for ``bulk``."""
    return "--" + new_boundary()
