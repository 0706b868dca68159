"""Documents as the client gives them out, and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couchdb_client.resource import Resource

__all__ = ["Document", "as_dict", "doc_resource"]


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
