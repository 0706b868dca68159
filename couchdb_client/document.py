"""Documents as the client gives them out, and where they are."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from couchdb_client import json
from couchdb_client.errors import ResourceNotFound
from couchdb_client.resource import Resource
from couchdb_client.urls import quote, urlencode

__all__ = ["Document", "as_dict", "copy", "doc_resource", "get", "revisions"]


class Document(dict[str, Any]):
    """A document: a dictionary with the two properties `id` and `rev`.

    (Typed as ``str | Any``, for a document that came from the server has both.)
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
    """``doc`` if it is a dictionary, else one made of its ``items()``. Raises `TypeError` if it has none."""
    if isinstance(doc, dict):
        return doc
    if isinstance(doc, Mapping) or hasattr(doc, "items"):
        return dict(doc.items())
    raise TypeError(f"expected {expected}, got {type(doc)}")


def doc_resource(database: Resource, docid: str) -> Resource:
    """The resource of a document. Raises `ValueError` for an empty ID, whose URL would be the database's own.

    In the ID of a design or local document the slash after the reserved word separates segments; any other is escaped.
    """
    if not docid:
        raise ValueError(f"document ID cannot be {docid!r}")
    if docid[:1] == "_":
        return database(*docid.split("/", 1))
    return database(docid)


def get(database: Resource, docid: str, default: Any, options: Mapping[str, Any]) -> Any:
    parameters = {name: json.encode(value) if isinstance(value, list) else value for name, value in options.items()}
    try:
        data = doc_resource(database, docid).get_json(**parameters)[2]
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


def copy(database: Resource, src: Any, dest: Any) -> str:
    source = src if isinstance(src, str) else as_dict(src, "dict or string")["_id"]
    target: dict[str, Any] = {"_id": dest} if isinstance(dest, str) else as_dict(dest, "dict or string")
    destination = quote(target["_id"], safe="/")
    if "_rev" in target:
        destination += "?" + urlencode({"rev": target["_rev"]})
    rev: str = doc_resource(database, source).copy_json(destination)[2]["rev"]
    return rev
