"""Attachments: as a revision keeps them (stored bytes, digests, stubs, their JSON), and as they come with a document.

An attachment of a compressible type is stored gzipped, and its digest, its ETag and the revision id of its document
follow from the compressed bytes. So the gzip stream must equal the server's, byte for byte (see ``gzipped``).

``read_attachments`` reads those of an incoming document. A stand-alone upload is ``store`` and ``put_first``; a
stand-alone removal is ``without``. Reading is ``render_all``.

Source: CouchDB documentation, "Document API: Attachments" and "Configuration: [attachments]".
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import md5
from typing import Any, Literal

from couchfake.config import Config
from couchfake.errors import BadRequest, CouchError, DocValidation, MissingStub, ServerError
from couchfake.settings import COMPRESSIBLE_TYPES, COMPRESSION_LEVEL, MAX_ATTACHMENT_SIZE, MAX_ATTACHMENTS_PER_DOCUMENT

DEFAULT_CONTENT_TYPE = "application/octet-stream"

Encoding = Literal["identity", "gzip"]


@dataclass(frozen=True)
class AttachmentSettings:
    """The settings of attachments: ``max_size`` in bytes, ``max_count`` a document."""

    compressible_types: tuple[str, ...] = COMPRESSIBLE_TYPES.default
    compression_level: int = COMPRESSION_LEVEL.default
    max_size: float = MAX_ATTACHMENT_SIZE.default
    max_count: float = MAX_ATTACHMENTS_PER_DOCUMENT.default

    @classmethod
    def from_config(cls, config: Config) -> AttachmentSettings:
        """Read ``[attachments]`` and the limits of ``[couchdb]`` as they are now (settings are live)."""
        return cls(
            config[COMPRESSIBLE_TYPES],
            config[COMPRESSION_LEVEL],
            config[MAX_ATTACHMENT_SIZE],
            config[MAX_ATTACHMENTS_PER_DOCUMENT],
        )

    def compresses(self, content_type: Any) -> bool:
        """Whether bytes of this type are gzipped before they are stored. The types are patterns, ``*`` is any text."""
        if not 1 <= self.compression_level <= 9:
            return False
        text = _type_text(content_type)
        return any(
            re.match(rf"\s*{kind.replace('*', '.*', 1)}(?:\s*;.*?)?\s*$", text, re.IGNORECASE)
            for kind in self.compressible_types
        )


def _type_text(content_type: Any) -> str:
    """A content type as text. The server takes a list of strings for their concatenation and breaks on all else."""
    if isinstance(content_type, str):
        return content_type
    if isinstance(content_type, list):
        return "".join(_type_text(part) for part in content_type)
    raise ServerError("badarg")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One stored attachment. Shared between revisions and databases: never changed.

    ``content_type`` is a str in every sane document (else the JSON array it came as). ``md5`` (16 bytes) and ``data``
    are those of the stored bytes; ``length`` is that of the decoded content, ``encoded_length`` that of ``data``.
    Where a client uploaded gzipped bytes stand-alone the decoded length is unknown and ``length`` is the encoded one.
    ``revpos`` is the generation that brought the attachment.
    """

    name: str
    content_type: Any
    md5: bytes
    data: bytes
    encoding: Encoding
    length: int
    encoded_length: int
    revpos: int

    @property
    def digest(self) -> str:
        """``md5-`` and the base64 of the MD5, as in the JSON of documents."""
        return "md5-" + self.md5_base64

    @property
    def md5_base64(self) -> str:
        """The base64 of the MD5: the ETag, without its quotes."""
        return base64.b64encode(self.md5).decode("ascii")

    @property
    def length_is_known(self) -> bool:
        """False for an upload that came gzipped: its ``length`` is the encoded one."""
        return self.encoding == "identity" or self.length != self.encoded_length

    def decoded(self) -> bytes:
        """The content as it was before compression; ``ServerError`` if the uploaded bytes are not gzip."""
        if self.encoding == "identity":
            return self.data
        try:
            return zlib.decompress(self.data, 31)
        except zlib.error:
            raise ServerError("data_error") from None


def store(
    name: str,
    content_type: Any,
    data: bytes,
    settings: AttachmentSettings,
    *,
    encoding: Encoding = "identity",
    length: int | None = None,
    revpos: int = 0,
) -> Attachment:
    """Make an attachment of uploaded bytes; identity bytes of a compressible type are gzipped.

    With ``encoding="gzip"`` the bytes are gzipped already and are kept as they are; ``length`` is then the decoded
    length if the sender gave it.
    """
    decoded_length = len(data) if length is None or encoding == "identity" else length
    if encoding == "identity" and settings.compresses(content_type):
        data, encoding = gzipped(data, settings.compression_level), "gzip"
    return Attachment(
        name, content_type, md5(data, usedforsecurity=False).digest(), data, encoding, decoded_length, len(data), revpos
    )


def gzipped(data: bytes, level: int) -> bytes:
    """Gzip as the server's zlib writes it: no time, no name, system Unix; window 15, memory level 8.

    The header is written here, not by zlib, whose system byte depends on the machine that it was built for.
    """
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15, 8)
    extra_flags = b"\x02" if level == 9 else b"\x04" if level == 1 else b"\x00"
    trailer = zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"".join((b"\x1f\x8b\x08\0\0\0\0\0", extra_flags, b"\x03", deflate.compress(data), deflate.flush(), trailer))


def put_first(attachments: Sequence[Attachment], new: Attachment) -> tuple[Attachment, ...]:
    """A stand-alone upload: the new attachment comes first, the others stay, one of the same name goes."""
    return (new, *without(attachments, new.name))


def without(attachments: Sequence[Attachment], name: str) -> tuple[Attachment, ...]:
    """All attachments but the one of that name."""
    return tuple(attachment for attachment in attachments if attachment.name != name)


def find(attachments: Sequence[Attachment], name: str) -> Attachment | None:
    """The attachment of that name."""
    return next((attachment for attachment in attachments if attachment.name == name), None)


def hash_tuples(attachments: Sequence[Attachment]) -> list[tuple[str, Any, bytes]]:
    """``(name, content type, MD5)`` for the revision hash: in reverse of the document's order."""
    return [(one.name, one.content_type, one.md5) for one in reversed(attachments)]


Form = Literal["stub", "data", "follows"]


def render(attachment: Attachment, form: Form = "stub", *, encoding_info: bool = False) -> dict[str, Any]:
    """The JSON of one attachment: without its bytes, with them as base64, or announcing a part that follows."""
    shown: dict[str, Any] = {
        "content_type": attachment.content_type,
        "revpos": attachment.revpos,
        "digest": attachment.digest,
    }
    if form == "data":
        shown["data"] = base64.b64encode(attachment.decoded()).decode("ascii")
    else:
        shown["length"] = attachment.length
        shown["stub" if form == "stub" else "follows"] = True
    if encoding_info and attachment.encoding != "identity":
        shown["encoding"] = attachment.encoding
        shown["encoded_length"] = attachment.encoded_length
    return shown


def render_all(
    attachments: Sequence[Attachment], form: Form = "stub", *, encoding_info: bool = False, since_pos: int = -1
) -> dict[str, Any]:
    """The value of ``_attachments`` (leave the member out if there are no attachments).

    Attachments whose ``revpos`` is at most ``since_pos`` are shown as stubs in every form.
    """
    return {
        one.name: render(one, form if one.revpos > since_pos else "stub", encoding_info=encoding_info)
        for one in attachments
    }


def newer_than(attachments: Sequence[Attachment], since_pos: int) -> list[Attachment]:
    """Those whose bytes an answer carries when the reader has everything up to ``since_pos``."""
    return [one for one in attachments if one.revpos > since_pos]


# Attachments as they come: the ``_attachments`` member of a document, and what a new revision makes of it
#
# A document's entries are new bytes, stubs that name the parent's attachments, or announce parts that follow in a
# multipart upload. A write goes through these functions in three steps::
#
#     inputs = read_attachments(document["_attachments"], settings)  # multipart: parts=[bytes, ...] after the document
#     validate(inputs, settings)                                     # sizes and names, after the document's own checks
#     attachments = resolve(inputs, parent.attachments, docid=docid, new_pos=given_pos + 1)    # under the lock


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
        kind = _content_type(entry)
        stored = store(name, kind, data, settings, encoding=encoding, length=decoded, revpos=_revpos(entry))
        return AttachmentInput(name, stored)
    return AttachmentInput(
        name, store(name, _content_type(entry), _inline_data(name, entry), settings, revpos=_revpos(entry))
    )


def _content_type(entry: dict[str, Any]) -> Any:
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
