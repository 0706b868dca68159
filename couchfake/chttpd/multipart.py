"""Multipart bodies: documents with their attachments, several revisions in one answer, HTML forms.

Reading: ``parts_of`` splits any multipart body; ``read_related`` reads the upload of a document (the JSON first, then
the attachments, in the order in which the JSON says that they follow); ``form_fields`` reads an HTML form.
Writing: ``related`` is a document with its attachments, ``mixed`` several revisions, ``bulk`` several documents.
Each writer gives an iterable of pieces, laid out exactly as the real server lays them out.

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
    """One part of a body that was read: header names in lower case, the last of a repeated one."""

    headers: dict[str, str]
    data: bytes


class AttachmentPart(NamedTuple):
    """One attachment to write: ``data`` as stored, ``encoding`` of these bytes ("identity" or "gzip")."""

    filename: str
    content_type: str
    data: bytes
    encoding: str


class Revision(NamedTuple):
    """One revision to write: the document's JSON, which announces that the attachments follow, and these."""

    docid: str
    rev: str
    document: bytes
    attachments: Sequence[AttachmentPart]


class Missing(NamedTuple):
    """In place of a revision: a JSON object that says what is not there."""

    report: bytes


class FormField(NamedTuple):
    """One field of an HTML form; ``filename`` is None but for files, ``content_type`` where it is not told."""

    name: str
    filename: str | None
    content_type: str | None
    data: bytes


# ---- reading


def is_related(content_type: str | None) -> bool:
    """Whether a PUT brings a document with attachments. The server looks for exactly this, letter by letter."""
    return content_type is not None and content_type.startswith("multipart/related;")


def parts_of(content_type: str, body: bytes) -> Iterator[Part]:
    """The parts of a multipart body, in order. What stands before the first and after the last is dropped.

    Raises ``BadRequest`` without a boundary or for a bad part header, ``ServerError`` where the body ends too early.
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
    """Where the next delimiter line begins and ends, and whether it closes the body.

    The boundary of a nested body may begin with this one's, so the letters alone make no delimiter: they stand at the
    beginning of a line, and end it or close the body.
    """
    while (found := body.find(delimiter, position)) >= 0:
        position = found + len(delimiter)
        rest = _REST_OF_DELIMITER.match(body, position)
        if rest and (found == 0 or body[found - 2 : found] == b"\r\n"):
            return max(found - 2, 0), rest.end(), rest[0] == b"--"
    raise ServerError("expected more data")


def _part(body: bytes, start: int, end: int) -> Part:
    """The part between the end of one delimiter and the beginning of the next; its headers end with an empty line."""
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
    """The document's JSON text, and the bodies of the parts that follow it, as they are asked for.

    Names, types and encodings in the parts' headers mean nothing: what they are stands in the document. Raises
    ``BadContentType`` if the first part is not JSON, and what ``parts_of`` raises, the iterator too.
    """
    parts = parts_of(content_type, body)
    document = next(parts, None)
    if document is None:
        raise ServerError("expected more data")
    if parse_options_header(document.headers.get("content-type"))[0].lower() != "application/json":
        raise BadContentType("Content-Type must be application/json")
    return document.data, (part.data for part in parts)


def form_fields(content_type: str, body: bytes) -> list[FormField]:
    """The fields of a ``multipart/form-data`` body; parts without a name are dropped."""
    fields = []
    for part in parts_of(content_type, body):
        options = parse_options_header(part.headers.get("content-disposition"))[1]
        if "name" in options:
            filename = options.get("filename")
            fields.append(FormField(options["name"], filename, part.headers.get("content-type"), part.data))
    return fields


# ---- writing


def new_boundary() -> str:
    """A boundary that no content has."""
    return uuid4().hex


def related_type(attachments: Sequence[AttachmentPart], boundary: str) -> str:
    """The ``Content-Type`` of ``related``: without attachments the document stands alone."""
    return f'multipart/related; boundary="{boundary}"' if attachments else "application/json"


def related(document: bytes, attachments: Sequence[AttachmentPart], boundary: str) -> list[bytes]:
    """A document and the attachments that follow it, in this order. The sum of the pieces is the Content-Length."""
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
    return head.encode("utf-8")


_MISSING_HEAD = b'\r\nContent-Type: application/json; error="true"\r\n\r\n'


def mixed(revisions: Iterable[Revision | Missing], outer: str, inner: str) -> Iterator[bytes]:
    """The answer to ``open_revs``: a part for each revision, those with attachments ``multipart/related`` in it."""
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
    """The answer to ``_bulk_get`` as multipart. Its boundaries begin with two hyphens of their own (``bulk_boundary``).

    Without any revision the body is empty. Parts with attachments say in headers whose they are.
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
    """A boundary for ``bulk``."""
    return "--" + new_boundary()
