"""Attachments: reading, writing, and writing them together with their document."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from email.message import Message
from mimetypes import guess_type
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol, TypeAlias
from uuid import uuid4

from couchdb_client import json
from couchdb_client.document import as_dict, doc_resource, stamp
from couchdb_client.errors import ResourceNotFound
from couchdb_client.options import Saveable
from couchdb_client.resource import Resource
from couchdb_client.streams import Upload

__all__ = ["Content", "RelatedUpload", "delete_attachment", "get_attachment", "put_attachment", "save_with_attachments"]


class _Readable(Protocol):
    def read(self, size: int, /) -> Any: ...


#: What an attachment can be made of.
Content: TypeAlias = "bytes | bytearray | memoryview | str | _Readable | IO[Any]"

#: Streams of unknown length are kept in memory up to this many bytes, then in a temporary file.
_SPOOL_SIZE = 1 << 20


def _attachment(database: Resource, docid: str, filename: str) -> Resource:
    """Return the resource of an attachment. Raise `ValueError` for an empty name, whose URL would be the document's."""
    if not filename:
        raise ValueError("no filename specified for attachment")
    return doc_resource(database, docid)(filename)


def get_attachment(
    database: Resource, id_or_doc: Any, filename: str, default: Any, span: tuple[int, int | None] | None
) -> Any:
    docid = id_or_doc if isinstance(id_or_doc, str) else id_or_doc["_id"]
    headers = {"Accept": "*/*"}
    if span is not None:
        headers |= {"Range": _range_header(*span), "Accept-Encoding": "identity"}
    try:
        status, answer_headers, body = _attachment(database, docid, filename).get(headers=headers)
    except ResourceNotFound:
        return default
    if span is not None and status == 200:
        return _cut(body, answer_headers, *span)
    return body


def _range_header(start: int, stop: int | None) -> str:
    if start < 0 or (stop is not None and stop <= start):
        raise ValueError(f"not a range of bytes: {start} to {stop}")
    return f"bytes={start}-{'' if stop is None else stop - 1}"


def _cut(body: Any, headers: Message, start: int, stop: int | None) -> io.BytesIO:
    """Return the range of an attachment that the server sent as a whole: it keeps compressible types compressed, and
    gives no ranges of those."""
    with body:
        while start > 0 and (skipped := len(body.read(min(start, 1 << 16)))):
            start, stop = start - skipped, None if stop is None else stop - skipped
        return io.BytesIO(body.read(-1 if stop is None else stop - start))


def put_attachment(
    database: Resource, doc: Saveable, content: Any, filename: str | None, content_type: str | None
) -> None:
    if filename is None:
        if not isinstance(getattr(content, "name", None), (str, bytes, os.PathLike)):
            raise ValueError("no filename specified for attachment")
        filename = os.fsdecode(os.path.basename(content.name))
    headers = {"Content-Type": content_type or _guess_type(filename)}
    resource = _attachment(database, doc["_id"], filename)
    data = resource.fetch("PUT", body=content, headers=headers, rev=doc["_rev"])
    stamp(doc, doc["_id"], data["rev"])


def delete_attachment(database: Resource, doc: Saveable, filename: str) -> None:
    data = _attachment(database, doc["_id"], filename).fetch("DELETE", rev=doc["_rev"])
    stamp(doc, doc["_id"], data["rev"])


def _guess_type(filename: str) -> str:
    return ";".join(filter(None, guess_type(filename))) or "application/octet-stream"


def save_with_attachments(database: Resource, doc: Saveable, files: Mapping[str, Any]) -> tuple[str, str]:
    if "_id" not in doc:
        stamp(doc, uuid4().hex, None)
    with ExitStack() as copies:
        parts = {name: _part(name, value, copies) for name, value in files.items()}
        stubs = {**as_dict(doc).get("_attachments", {}), **{name: stub for name, (stub, _) in parts.items()}}
        head = json.encode({**as_dict(doc), "_attachments": stubs}).encode("utf-8")
        # The parts follow in the order of their stubs; a new version of a stub that was there already keeps its place.
        return _save_related(database, doc, RelatedUpload(head, [parts[name][1] for name in stubs if name in parts]))


def _save_related(database: Resource, doc: Saveable, body: RelatedUpload) -> tuple[str, str]:
    data = doc_resource(database, doc["_id"]).fetch("PUT", body=body, headers={"Content-Type": body.content_type})
    stamp(doc, data["id"], data["rev"])
    return data["id"], data["rev"]


def _part(name: str, value: Any, copies: ExitStack) -> tuple[dict[str, Any], bytes | Upload]:
    """Return the stub and the content of a file: bytes, text, a file-like object, or a pair of one and its type."""
    content, content_type = value if isinstance(value, tuple) else (value, None)
    body: bytes | Upload
    if isinstance(content, (bytes, bytearray, memoryview)):
        body, length = bytes(content), len(content)
    elif isinstance(content, str):
        body = content.encode("utf-8")
        length = len(body)
    else:
        body = Upload(content)
        if not hasattr(body, "len"):
            body = _spooled(body, copies)
        length = body.len
    return {"follows": True, "length": length, "content_type": content_type or _guess_type(name)}, body


def _spooled(upload: Upload, copies: ExitStack) -> Upload:
    """Return an upload whose length is known, of a copy of the content that ``copies`` closes."""
    file = copies.enter_context(SpooledTemporaryFile(max_size=_SPOOL_SIZE))  # noqa: SIM115 - it is one
    for piece in upload:
        file.write(piece)
    file.seek(0)
    return Upload(file)


class RelatedUpload(Upload):
    """A document and its attachments as one body of the type multipart/related, read while it is sent."""

    def __init__(self, head: bytes, parts: list[bytes | Upload]) -> None:
        boundary = uuid4().hex
        self.content_type = f'multipart/related; boundary="{boundary}"'
        self._parts = parts
        self._begin = f"--{boundary}\r\nContent-Type: application/json\r\n\r\n".encode() + head
        self._between = f"\r\n--{boundary}\r\n\r\n".encode()
        self._end = f"\r\n--{boundary}--".encode()
        sizes = [part.len if isinstance(part, Upload) else len(part) for part in parts]
        self.len = len(self._begin) + sum(len(self._between) + size for size in sizes) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        yield self._begin
        for part in self._parts:
            yield self._between
            yield from part if isinstance(part, Upload) else (part,)
        yield self._end

    def rewind(self) -> bool:
        """Go back to the beginning, to send it again. Return False if a file cannot."""
        return all(part.rewind() for part in self._parts if isinstance(part, Upload))
