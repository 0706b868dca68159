"""One partition of a partitioned database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from couchdb_client import mango
from couchdb_client.document import Document
from couchdb_client.resource import Resource
from couchdb_client.views import PermanentView, Row, ViewResults, path_from_name

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from couchdb_client.options import ViewOptions

__all__ = ["Partition"]

T = TypeVar("T")


class Partition:
    """The documents of a database whose IDs begin with ``name`` and a colon. Queries read nothing else."""

    def __init__(self, database: Resource, name: str) -> None:
        self.resource = database("_partition", name)
        self.name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def info(self) -> dict[str, Any]:
        """Return the server's information about the partition: ``doc_count``, ``sizes``…"""
        data: dict[str, Any] = self.resource.fetch("GET")
        return data

    def all_docs(self, **options: Unpack[ViewOptions]) -> ViewResults[Row[str, dict[str, Any]]]:
        """Return a row for each document of the partition."""
        return PermanentView[Row[str, dict[str, Any]]](self.resource("_all_docs"), "_all_docs")(**options)

    @overload
    def view(self, name: str, wrapper: None = None, **options: Unpack[ViewOptions]) -> ViewResults[Row]: ...

    @overload
    def view(self, name: str, wrapper: Callable[[Any], T], **options: Unpack[ViewOptions]) -> ViewResults[T]: ...

    def view(
        self, name: str, wrapper: Callable[[Any], Any] | None = None, **options: Unpack[ViewOptions]
    ) -> ViewResults[Any]:
        """Return the results of the view ``'designdoc/viewname'`` for the partition; see `Database.view`."""
        path = path_from_name(name, "_view")
        return PermanentView(self.resource(*path), "/".join(path), wrapper=wrapper)(**options)

    @overload
    def find(self, mango_query: Mapping[str, Any], wrapper: None = None) -> mango.FindResults[Document]: ...

    @overload
    def find(self, mango_query: Mapping[str, Any], wrapper: Callable[[Any], T]) -> mango.FindResults[T]: ...

    def find(
        self, mango_query: Mapping[str, Any], wrapper: Callable[[Any], Any] | None = None
    ) -> mango.FindResults[Any]:
        """Return the documents of the partition that a Mango query selects; see `Database.find`."""
        return mango.find(self.resource, mango_query, wrapper)

    def explain(self, mango_query: Mapping[str, Any]) -> dict[str, Any]:
        """Return how the server would answer a Mango query."""
        data: dict[str, Any] = self.resource.fetch("POST", "_explain", mango_query)
        return data
