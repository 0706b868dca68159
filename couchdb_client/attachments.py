"""Attachments: what to send for one, and where."""

from __future__ import annotations

import os
from mimetypes import guess_type
from typing import Any

from couchdb_client.document import doc_resource
from couchdb_client.errors import ResourceNotFound
from couchdb_client.resource import Resource

__all__ = ["delete_attachment", "get_attachment", "put_attachment"]


def _attachment(database: Resource, docid: str, filename: str) -> Resource:
    """The resource of an attachment. Raises `ValueError` for an empty name, whose URL would be the document's own."""
    if not filename:
        raise ValueError("no filename specified for attachment")
    return doc_resource(database, docid)(filename)


def get_attachment(database: Resource, id_or_doc: Any, filename: str, default: Any) -> Any:
    docid = id_or_doc if isinstance(id_or_doc, str) else id_or_doc["_id"]
    try:
        return _attachment(database, docid, filename).get(headers={"Accept": "*/*"})[2]
    except ResourceNotFound:
        return default


def put_attachment(database: Resource, doc: Any, content: Any, filename: str | None, content_type: str | None) -> None:
    if filename is None:
        if not isinstance(getattr(content, "name", None), (str, bytes, os.PathLike)):
            raise ValueError("no filename specified for attachment")
        filename = os.fsdecode(os.path.basename(content.name))
    if content_type is None:
        content_type = ";".join(filter(None, guess_type(filename))) or "application/octet-stream"
    resource = _attachment(database, doc["_id"], filename)
    data = resource.put_json(body=content, headers={"Content-Type": content_type}, rev=doc["_rev"])[2]
    doc["_rev"] = data["rev"]


def delete_attachment(database: Resource, doc: Any, filename: str) -> None:
    data = _attachment(database, doc["_id"], filename).delete_json(rev=doc["_rev"])[2]
    doc["_rev"] = data["rev"]
