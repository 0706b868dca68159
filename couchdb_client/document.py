"""Documents as the client returns them, and where they are."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import unquote

from couchdb_client import json
from couchdb_client.errors import ResourceNotFound
from couchdb_client.options import Saveable
from couchdb_client.resource import Resource
from couchdb_client.urls import quote, urlencode

__all__ = ["Document", "as_dict", "copy", "doc_resource", "get", "revisions", "save", "stamp"]


class Document(dict[str, Any]):
    """A document: a dictionary with the two properties `id` and `rev`.

    (Typed as ``str | Any``: a document that came from the server has both.)
    """

    def __repr__(self) -> str:
        members = {name: value for name, value in self.items() if name not in ("_id", "_rev")}
        return f"<{type(self).__name__} {self.id!r}@{self.rev!r} {members!r}>"

    @property
    def id(self) -> str | Any:
        """The document's ID, None if it has none yet."""
        return self.get("_id")

    @property
    def rev(self) -> str | Any:
        """The document's revision, None if it was never saved."""
        return self.get("_rev")


def as_dict(doc: Any, expected: str = "dict") -> dict[str, Any]:
    """Return ``doc`` if it is a dictionary, else one made of its ``items()``. Raise `TypeError` if it has none."""
    if isinstance(doc, dict):
        return doc
    if isinstance(doc, Mapping) or hasattr(doc, "items"):
        return dict(doc.items())
    raise TypeError(f"expected {expected}, got {type(doc)}")


def doc_resource(database: Resource, docid: str) -> Resource:
    """Return the resource of a document. Raise `ValueError` for an empty ID, whose URL would be the database's own."""
    if not docid:
        raise ValueError(f"document ID cannot be {docid!r}")
    return database.of_document(docid)


def stamp(doc: Any, docid: str, rev: str | None) -> None:
    """Set ``_id``, and ``_rev`` unless that is None, in a document that was saved."""
    doc["_id"] = docid
    if rev is not None:
        doc["_rev"] = rev


def save(database: Resource, doc: Saveable, options: Mapping[str, Any]) -> tuple[str, str | None]:
    if not isinstance(doc, Mapping) and not hasattr(doc, "items"):
        raise TypeError(f"expected dict, got {type(doc)}")
    if "_id" in doc:
        data = doc_resource(database, doc["_id"]).fetch("PUT", body=as_dict(doc), **options)
    else:
        data = database.fetch("POST", body=as_dict(doc), **options)
    docid, rev = data["id"], data.get("rev")
    stamp(doc, docid, rev)
    return docid, rev


def get(database: Resource, docid: str, default: Any, options: Mapping[str, Any]) -> Any:
    parameters = {name: json.encode(value) if isinstance(value, list) else value for name, value in options.items()}
    try:
        data = doc_resource(database, docid).fetch("GET", **parameters)
    except ResourceNotFound:
        return default
    return Document(data) if isinstance(data, dict) else data


def revisions(database: Resource, docid: str, options: Mapping[str, Any]) -> Generator[Document, None, None]:
    history = get(database, docid, None, {"revs": True})
    if history is None:
        return
    start = history["_revisions"]["start"]
    for age, digest in enumerate(history["_revisions"]["ids"]):
        document = get(database, docid, None, {**options, "rev": f"{start - age}-{digest}"})
        if document is None:
            return
        yield document


_DESTINATION = re.compile(r"(?P<id>.+)\?rev=(?P<rev>[0-9]+-[0-9a-f]{32})", re.DOTALL)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_ESCAPED = re.compile(r"(?:[A-Za-z0-9_.~/-]|%[0-9A-Fa-f]{2})+")


def copy(database: Resource, src: Any, dest: Any) -> str:
    source = src if isinstance(src, str) else as_dict(src, "dict or string")["_id"]
    target = _destination(dest) if isinstance(dest, str) else as_dict(dest, "dict or string")
    destination = quote(target["_id"], safe="/")
    if "_rev" in target:
        destination += "?" + urlencode({"rev": target["_rev"]})
    rev: str = doc_resource(database, source).copy_json(destination)[2]["rev"]
    return rev


def _destination(text: str) -> dict[str, Any]:
    """Return ``_id`` and perhaps ``_rev`` of a destination that is text.

    couchdb-python sends such text as it is, so programs write ``id?rev=…`` and escape the ID themselves. Both are
    understood. Raise `ValueError` if an ID can be read either way: it has escapes beside characters that it would have
    escaped too.
    """
    parts = _DESTINATION.fullmatch(text)
    docid = parts["id"] if parts else text
    if _ESCAPE.search(docid):
        unescaped = unquote(docid, errors="strict")
        if not _ESCAPED.fullmatch(docid):
            raise ValueError(
                f"the destination {text!r} may be an escaped ID or not: write {{'_id': {docid!r}}} if it is not, "
                f"{{'_id': {unescaped!r}}} if it is"
            )
        docid = unescaped
    return {"_id": docid, "_rev": parts["rev"]} if parts else {"_id": docid}
