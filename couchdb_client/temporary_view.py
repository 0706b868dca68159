"""Ad-hoc queries: servers since 2.0 have no temporary views, so each query makes a design document for its duration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from inspect import getsource
from textwrap import dedent
from types import FunctionType
from typing import Any
from uuid import uuid4

import requests

from couchdb_client.document import doc_resource
from couchdb_client.errors import HTTPError, ResourceConflict
from couchdb_client.resource import Resource
from couchdb_client.session import SessionLike
from couchdb_client.views import R, View, Wrapper, query_view

__all__ = ["TemporaryView"]


class TemporaryView(View[R]):
    """A query by functions that are in no design document of the database.

    Each time the results are fetched a design document with a random name is made, queried and removed, also if the
    query fails. So results can be fetched again with other options (as slices of `ViewResults` are) at any later time,
    several threads and programs can query at once, and a program that ends in between has nothing to
    clean up. The server keeps an index by its functions and not by the name of its design document: when the same query
    is made again, only documents that changed are passed through them. What stays is the deleted design document's
    tombstone, and the index until `Database.cleanup`. The user must be allowed to write design documents.

    ``uri`` is the database's ``_temp_view`` (where couchdb-python sends such queries), or the database itself.
    """

    def __init__(
        self,
        uri: str | Resource,
        map_fun: str | Callable[..., Any],
        reduce_fun: str | Callable[..., Any] | None = None,
        language: str = "javascript",
        wrapper: Wrapper[R] | None = None,
        session: SessionLike | requests.Session | None = None,
    ) -> None:
        super().__init__(uri, wrapper=wrapper, session=session)
        self.map_fun = _source(map_fun)
        self.reduce_fun = _source(reduce_fun) if reduce_fun else None
        self.language = language

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.map_fun!r} {self.reduce_fun!r}>"

    def _exec(self, options: Mapping[str, Any]) -> dict[str, Any]:
        with self._design_document() as design:
            return query_view(design("_view", "query"), options)

    @contextmanager
    def _design_document(self) -> Iterator[Resource]:
        database = self.resource.parent() if self.resource.url.endswith("/_temp_view") else self.resource
        design = doc_resource(database, f"_design/temporary-{uuid4().hex}")
        view = {"map": self.map_fun, **({"reduce": self.reduce_fun} if self.reduce_fun else {})}
        # In a partitioned database a view would be one of single partitions if it didn't say otherwise.
        content = {"language": self.language, "options": {"partitioned": False}, "views": {"query": view}}
        try:
            rev = _create(design, content)
            yield design
        except BaseException:
            with suppress(HTTPError, OSError):  # the first failure is the one to raise
                _remove(design)
            raise
        design.delete_json(rev=rev)


def _create(design: Resource, content: Mapping[str, Any]) -> str:
    try:
        rev: str = design.put_json(body=content)[2]["rev"]
    except ResourceConflict:  # the name is ours alone: the answer to a first attempt was lost, and the request repeated
        rev = _rev(design)
    return rev


def _remove(design: Resource) -> None:
    design.delete_json(rev=_rev(design))


def _rev(resource: Resource) -> str:
    return (resource.head()[1]["ETag"] or "").strip('"')


def _source(function: str | Callable[..., Any]) -> str:
    """Return the source text of a function, which may be a Python function (for a query server that runs Python)."""
    text = getsource(function).rstrip("\r\n") if isinstance(function, FunctionType) else function
    if not isinstance(text, str):
        raise TypeError(f"expected a function or its source text, got {type(function)}")
    return dedent(text.lstrip("\r\n"))
