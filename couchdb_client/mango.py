"""Mango queries: `_find`, page by page, and the indexes that it uses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, cast, overload

import requests

from couchdb_client.conditions import BUILDS
from couchdb_client.document import Document
from couchdb_client.resource import Resource
from couchdb_client.results import wrapped
from couchdb_client.session import SessionLike

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    D = TypeVar("D", default=Document)
else:
    from typing import TypeVar

    D = TypeVar("D")

__all__ = ["PAGE_SIZE", "FindResults", "Indexes", "find", "pages"]

#: How many documents one request asks for where the query has no limit (the server's default would end it after 25).
PAGE_SIZE = 1000


class FindResults(Sequence[D], Iterator[D], Generic[D]):
    """The documents that a query selects: an iterator that fetches them page by page while it is read.

    It is also a sequence: its length, an index, a slice or a comparison fetches all pages that are missing. Documents
    that were read are kept, so that iterating a second time gives them again; `Database.iterfind` keeps none.
    """

    def __init__(self, answers: Iterable[dict[str, Any]], wrapper: Callable[[Any], D]) -> None:
        self._answers = iter(answers)
        self._wrapper = wrapper
        self._docs: list[D] = []
        self._unread: deque[D] = deque()
        self._is_sequence = False
        #: Where the next page begins: the ``bookmark`` for a further query.
        self.bookmark: str | None = None
        #: The server's advice, that no index covers the query for instance.
        self.warning: str | None = None
        #: What the query cost, if it had ``execution_stats: true``.
        self.execution_stats: dict[str, Any] | None = None
        self._fetch()

    def _fetch(self) -> bool:
        """Fetch the next page. Return False after the last."""
        answer = next(self._answers, None)
        if answer is None:
            return False
        docs = wrapped(answer.get("docs", []), self._wrapper)
        self._docs += docs
        self._unread.extend(docs)
        self.bookmark = answer.get("bookmark")
        self.warning = answer.get("warning")
        self.execution_stats = answer.get("execution_stats")
        return True

    def _all(self) -> list[D]:
        while self._fetch():
            pass
        self._is_sequence = True
        return self._docs

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._docs)} documents so far>"

    def __iter__(self) -> Iterator[D]:
        """Return this iterator; one from the start if all has been read, or if this has been used as a sequence."""
        return iter(self._docs) if self._is_sequence else self

    def __next__(self) -> D:
        while not self._unread:
            if not self._fetch():
                self._is_sequence = True
                raise StopIteration
        return self._unread.popleft()

    @overload
    def __getitem__(self, index: int) -> D: ...

    @overload
    def __getitem__(self, index: slice) -> list[D]: ...

    def __getitem__(self, index: int | slice) -> D | list[D]:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __bool__(self) -> bool:
        while not self._docs and self._fetch():
            pass
        return bool(self._docs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FindResults):
            other = other._all()
        return self._all() == other

    __hash__ = None  # type: ignore[assignment]  # as a list has none


def find(database: Resource, query: Mapping[str, Any], wrapper: Callable[[Any], D] | None) -> FindResults[D]:
    """Return all documents that ``query`` selects. With a ``limit``, ``skip`` or ``bookmark``: one page of the
    server's.

    (Programs that page by ``skip`` rely on that: each query with a greater one would give the same documents again.)
    """
    is_page = not query.keys().isdisjoint({"limit", "skip", "bookmark"})
    answers = iter([_page(database, query)]) if is_page else pages(database, query, PAGE_SIZE)
    return FindResults(answers, wrapper or cast("Callable[[Any], D]", Document))


def pages(database: Resource, query: Mapping[str, Any], batch: int) -> Iterator[dict[str, Any]]:
    """Yield the server's answers to ``query``, ``batch`` documents in each, as far as the query's own ``limit``.

    Raise `ValueError` for a batch below 1.
    """
    if batch <= 0:
        raise ValueError("batch must be 1 or more")
    missing = query.get("limit")
    query = dict(query)
    while True:
        query["limit"] = batch if missing is None else min(missing, batch)
        answer = _page(database, query)
        yield answer
        count = len(answer.get("docs", ()))
        missing = None if missing is None else missing - count
        bookmark = answer.get("bookmark")
        if count < query["limit"] or missing == 0 or bookmark in (None, "nil", query.get("bookmark")):
            return
        query |= {"bookmark": bookmark, "skip": 0}


def _page(database: Resource, query: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = database.under(BUILDS).fetch("POST", "_find", query)
    return data


class Indexes:
    """The indexes of a database, by ``(ddoc, name)``.

    ``indexes[ddoc, name] = fields`` makes one: ``fields`` is a list of fields (``'name'`` or ``{'name': 'asc'}``), or
    the whole ``index`` member of the request as a dictionary (``{'fields': […], 'partial_filter_selector': {…}}``). The
    server chooses a ddoc or name that is None. ``del indexes[ddoc, name]`` removes one, iteration gives a dictionary
    for each.
    """

    def __init__(self, url: str | Resource, session: SessionLike | requests.Session | None = None) -> None:
        self.resource = Resource(url, session) if isinstance(url, str) else url

    def __setitem__(
        self,
        ddoc_name: tuple[str | None, str | None],
        index: list[str] | list[dict[str, str]] | list[str | dict[str, str]] | dict[str, Any],
    ) -> None:
        ddoc, name = ddoc_name
        query: dict[str, Any] = {"index": dict(index) if isinstance(index, Mapping) else {"fields": index}}
        if ddoc:
            query["ddoc"] = ddoc
        if name:
            query["name"] = name
        self.resource.post_json(body=query)

    def __delitem__(self, ddoc_name: tuple[str, str]) -> None:
        ddoc, name = ddoc_name
        self.resource.delete_json([ddoc.removeprefix("_design/"), "json", name])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.resource.fetch("GET")["indexes"])
