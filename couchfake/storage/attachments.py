"""Attachments as a revision keeps them: stored bytes, digests, stubs, and their JSON.

An attachment of a compressible type is stored gzipped, and its digest, its ETag and the revision id of its document
follow from the compressed bytes. So the gzip stream must equal the server's, byte for byte (see ``gzipped``).

``attachment_inputs`` reads those of an incoming document. A stand-alone upload is ``store`` and ``put_first``; a
stand-alone removal is ``without``. Reading is ``render_all``.

Source: CouchDB documentation, "Document API: Attachments" and "Configuration: [attachments]".
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any, Literal

from couchfake.config import Config
from couchfake.errors import ServerError
from couchfake.settings import COMPRESSIBLE_TYPES, COMPRESSION_LEVEL, MAX_ATTACHMENT_SIZE, MAX_ATTACHMENTS_PER_DOCUMENT

DEFAULT_CONTENT_TYPE = "application/octet-stream"

Encoding = Literal["identity", "gzip"]


@dataclass(frozen=True)
class AttachmentSettings:
    """What the configuration says of attachments: ``max_size`` in bytes, ``max_count`` a document."""

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
        """The content as it was before compression; ``ServerError`` where the uploaded bytes were no gzip after all."""
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
