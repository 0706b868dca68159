"""Attachments as they come: the ``_attachments`` member of a document, and what a new revision makes of it.

A document's entries are new bytes, stubs that name the parent's attachments, or announce parts that follow in a
multipart upload. A write goes through this module in three steps::

    inputs = read_attachments(document["_attachments"], settings)    # multipart: parts=[bytes, ...] after the document
    validate(inputs, settings)                                       # sizes and names, after the document's own checks
    attachments = resolve(inputs, parent.attachments, docid=docid, new_pos=given_pos + 1)    # under the lock

Source: CouchDB documentation, "Document API: Attachments".
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import md5
from typing import Any

from couchfake.errors import BadRequest, CouchError, DocValidation, MissingStub, ServerError
from couchfake.storage.attachments import DEFAULT_CONTENT_TYPE, Attachment, AttachmentSettings, Encoding, store


@dataclass(frozen=True, slots=True)
class AttachmentInput:
    """One entry of an incoming ``_attachments``: new bytes (``stored``), or a stub that names the parent's attachment.

    A stub's ``revpos`` is compared only if it was sent (``has_revpos``), and only as the value that it is.
    ``error`` is set if the bytes that should follow the document are unusable; ``require_data`` raises it.
    """

    name: str
    stored: Attachment | None
    has_revpos: bool = False
    revpos: Any = None
    error: CouchError | None = None

    @property
    def is_stub(self) -> bool:
        return self.stored is None and self.error is None


def read_attachments(
    member: Any, settings: AttachmentSettings, parts: Iterable[bytes] | None = None
) -> list[AttachmentInput]:
    """Read the value of ``_attachments``, in its order. Entries that are not objects are dropped, as the server does.

    ``parts`` are the bodies that follow the document in a multipart upload; each ``follows`` entry takes the next
    ones (by order: names in part headers do not count). Errors: ``DocValidation`` if the value is not an object,
    ``BadRequest`` for data that is not base64 or parts of the wrong length, ``ServerError`` where the server breaks.
    """
    if not isinstance(member, dict):
        raise DocValidation("Bad special document member: _attachments")
    following = None if parts is None else iter(parts)
    return [_read_entry(name, entry, settings, following) for name, entry in member.items() if isinstance(entry, dict)]


def _read_entry(
    name: str, entry: dict[str, Any], settings: AttachmentSettings, following: Iterator[bytes] | None
) -> AttachmentInput:
    if entry.get("stub") is True:
        _encoding(entry)
        _sent_md5(entry)  # a stub's digest is not compared, but one that cannot be read breaks the request
        return AttachmentInput(name, None, "revpos" in entry, entry.get("revpos"))
    if entry.get("follows") is True:
        encoding, sent_md5 = _encoding(entry), _sent_md5(entry)
        try:
            data = _following_data(entry, following, sent_md5)
        except CouchError as error:  # the server notices once it writes the document
            return AttachmentInput(name, None, error=error)
        length = entry.get("length")
        decoded = length if type(length) is int else None
        kind = _type(entry)
        stored = store(name, kind, data, settings, encoding=encoding, length=decoded, revpos=_revpos(entry))
        return AttachmentInput(name, stored)
    return AttachmentInput(name, store(name, _type(entry), _inline_data(name, entry), settings, revpos=_revpos(entry)))


def _type(entry: dict[str, Any]) -> Any:
    return entry.get("content_type", DEFAULT_CONTENT_TYPE)


def _revpos(entry: dict[str, Any]) -> int:
    revpos = entry.get("revpos", 0)
    return revpos if type(revpos) is int else 0


_BASE64_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def decode_base64(text: str) -> bytes:
    """Base64 as the server reads it: blanks and line breaks are skipped, padding is needed; else ``ValueError``."""
    data = text.encode("ascii").translate(None, b" \t\r\n")
    padding = data.translate(None, _BASE64_LETTERS)
    if len(data) % 4 or padding not in (b"", b"=", b"==") or not data.endswith(padding):
        raise ValueError("not base64")
    return binascii.a2b_base64(data)


def _inline_data(name: str, entry: dict[str, Any]) -> bytes:
    data = entry.get("data")
    if isinstance(data, str):
        try:
            return decode_base64(data)
        except ValueError:
            pass
    raise BadRequest(f"Invalid attachment data for {name}")


def _sent_md5(entry: dict[str, Any]) -> bytes:
    """The MD5 of an entry's ``digest``; empty if there is none of the form ``md5-…``."""
    digest = entry.get("digest")
    if not isinstance(digest, str) or not digest.startswith("md5-"):
        return b""
    try:
        return decode_base64(digest[4:])
    except ValueError:
        raise ServerError("function_clause") from None


def _encoding(entry: dict[str, Any]) -> Encoding:
    """An entry's ``encoding``; a name that the server does not know breaks the request."""
    encoding = entry.get("encoding", "identity")
    if encoding not in ("identity", "gzip"):
        raise ServerError("badarg")
    return "gzip" if encoding == "gzip" else "identity"


def _following_data(entry: dict[str, Any], following: Iterator[bytes] | None, sent_md5: bytes) -> bytes:
    """Take ``length`` bytes (``encoded_length`` if they are encoded) from the remaining parts."""
    length = entry.get("length")
    expected = entry.get("encoded_length", length) if "encoding" in entry else length
    if following is None or type(expected) is not int or expected < 0:
        raise ServerError("function_clause")  # nothing can follow a plain document; the length is not optional
    data = _take(following, expected)
    if sent_md5 and sent_md5 != md5(data, usedforsecurity=False).digest():
        raise ServerError("function_clause")  # md5_mismatch, which the server does not expect here
    return data


def _take(following: Iterator[bytes], expected: int) -> bytes:
    """The next parts until ``expected`` bytes are there; none for an empty attachment (an empty part adds nothing)."""
    taken: list[bytes] = []
    left = expected
    while left > 0:
        part = next(following, None)
        if part is None:
            raise BadRequest("attachment shorter than expected")
        taken.append(part)
        left -= len(part)
    if left < 0:
        raise BadRequest("attachment longer than expected")
    return b"".join(taken)


def validate_name(name: str) -> None:
    """Refuse a name that the server keeps for itself."""
    if name.startswith("_"):
        raise BadRequest(f"Attachment name '{name}' starts with prohibited character '_'")


def validate_size(name: str, size: int, settings: AttachmentSettings) -> None:
    """Refuse more than ``max_attachment_size`` bytes, as they were sent."""
    if size > settings.max_size:
        raise CouchError(413, "attachment_too_large", name)


def validate(inputs: Sequence[AttachmentInput], settings: AttachmentSettings) -> None:
    """The checks that come after those of the document itself: number, sizes, names."""
    if len(inputs) > settings.max_count:
        raise CouchError(413, "document_too_large", "hit max_attachments_per_document")
    for entry in inputs:
        if entry.stored is not None:
            validate_size(entry.name, entry.stored.length, settings)
    for entry in inputs:
        validate_name(entry.name)


def require_data(inputs: Sequence[AttachmentInput]) -> None:
    """Raise the error of the first entry whose bytes are unusable. Conflicts and refusals by validation come before."""
    for entry in inputs:
        if entry.error is not None:
            raise entry.error


def resolve(
    inputs: Sequence[AttachmentInput],
    parent_attachments: Sequence[Attachment],
    *,
    docid: str,
    new_pos: int | None,
) -> tuple[Attachment, ...]:
    """The new revision's attachments: stubs become the parent's attachments, unchanged; what is not named is gone.

    ``new_pos`` becomes the ``revpos`` of new attachments: one more than the generation that the *writer named*, so 1
    for a document that revives a deleted one without naming its revision. None for ``new_edits=false``: theirs stays.
    Raises ``MissingStub`` for a stub without an attachment or with another ``revpos``.
    """
    existing = {attachment.name: attachment for attachment in parent_attachments}
    resolved: list[Attachment] = []
    for entry in inputs:
        if entry.stored is not None:
            resolved.append(entry.stored if new_pos is None else replace(entry.stored, revpos=new_pos))
            continue
        if entry.error is not None:
            continue
        found = existing.get(entry.name)
        if found is None or (entry.has_revpos and (entry.revpos != found.revpos or isinstance(entry.revpos, bool))):
            raise MissingStub(f"Invalid attachment stub in {docid} for {entry.name}")
        resolved.append(found)
    return tuple(resolved)
