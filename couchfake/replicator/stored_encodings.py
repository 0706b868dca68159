"""Attachments whose stored form JSON cannot carry: those that a client sent gzipped.

The data in a document's JSON is always decoded, and whether a server compresses it again depends on its settings. The
digest, and with it the revision, follow from the stored bytes; so such attachments are sent and fetched as stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from couchfake.replicator.http_client import HttpClient
from couchfake.storage.attachments import Attachment, AttachmentSettings, store
from couchfake.storage.edits import Edit
from couchfake.values import json

_LARGE = 1 << 16  # bytes


def fetch_as_stored(client: HttpClient, path: str, document: dict[str, Any], edit: Edit) -> None:
    """Replace attachments of an edit whose digest differs from the document's by the source's stored bytes.

    ``path``: the document's, at the source.
    """
    digests = {name: entry.get("digest") for name, entry in document.get("_attachments", {}).items()}
    changed = [one for one in edit.inputs if one.stored is not None and one.stored.digest != digests[one.name]]
    if not changed:
        return
    params = {"rev": document["_rev"], "att_encoding_info": "true"}
    stubs = client.ask("GET", path, params=params)["_attachments"]
    for place, entry in enumerate(edit.inputs):
        if entry in changed and entry.stored is not None and stubs[entry.name].get("encoding") == "gzip":
            stored = _fetch(client, path, document["_rev"], entry.stored, stubs[entry.name]["length"])
            edit.inputs[place] = replace(entry, stored=stored)


def _fetch(client: HttpClient, path: str, rev: str, old: Attachment, length: int) -> Attachment:
    answer = client.send(
        "GET",
        f"{path}/{quote(old.name, safe='')}",
        raw=True,
        params={"rev": rev},
        headers={"Accept-Encoding": "gzip"},
    )
    settings = AttachmentSettings()  # of no effect: bytes that come encoded are stored as they are
    return store(
        old.name, old.content_type, answer.content, settings, encoding="gzip", length=length, revpos=old.revpos
    )


def needs_multipart(attachments: list[Attachment], settings: AttachmentSettings) -> bool:
    """Return whether a server with such settings may store the decoded data of any attachment in another form.

    Large ones count anyway: to send them as they are costs less than to compress them for comparison.
    """
    return any(
        one.encoding == "gzip"
        and (one.encoded_length > _LARGE or store(one.name, one.content_type, one.decoded(), settings).md5 != one.md5)
        for one in attachments
    )


def put_as_stored(client: HttpClient, path: str, document: dict[str, Any], attachments: list[Attachment]) -> None:
    """Write a revision with its attachments' stored bytes, as ``multipart/related``. Raise CouchError if refused."""
    document = {**document, "_attachments": {one.name: _announced(one) for one in attachments}}
    boundary = secrets.token_hex(16)
    client.ask(
        "PUT",
        path,
        params={"new_edits": "false"},
        data=b"".join(_parts(boundary, document, attachments)),
        headers={"Content-Type": f'multipart/related; boundary="{boundary}"'},
    )


def _announced(one: Attachment) -> dict[str, Any]:
    entry = {"content_type": one.content_type, "revpos": one.revpos, "digest": one.digest, "follows": True}
    if one.encoding == "identity":
        return {**entry, "length": one.length}
    return {**entry, "length": one.length, "encoding": one.encoding, "encoded_length": one.encoded_length}


def _parts(boundary: str, document: dict[str, Any], attachments: list[Attachment]) -> Iterator[bytes]:
    mark = b"--" + boundary.encode("ascii")
    yield mark + b"\r\nContent-Type: application/json\r\n\r\n" + json.encode(document)
    for one in attachments:
        yield b"\r\n" + mark + b"\r\n\r\n" + one.data
    yield b"\r\n" + mark + b"--"
