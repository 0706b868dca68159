"""Mango queries: `_find`, page by page, and the indexes that it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests

from couchdb_client.document import Document
from couchdb_client.resource import Resource
from couchdb_client.session import SessionLike

__all__ = ["PAGE_SIZE", "FindResults", "Indexes", "find", "pages"]

#: How many documents one request asks for where the query has no limit (the server's default would end it after 25).
PAGE_SIZE = 1000


class FindResults(list[Any]):
    """The documents that `find` found, and what else the server's last answer said."""

    #: Where the next page begins: the ``bookmark`` for a further query.
    bookmark: str | None = None
    #: The server's advice, that no index covers the query for instance.
    warning: str | None = None
    #: What the query cost, if it had ``execution_stats: true``.
    execution_stats: dict[str, Any] | None = None


def find(database: Resource, query: Mapping[str, Any], wrapper: Callable[[Any], Any] | None) -> FindResults:
    """All documents that ``query`` selects; with a ``limit`` that many, with a ``bookmark`` the page that it marks."""
    answers = [_page(database, query)] if "limit" in query or "bookmark" in query else pages(database, query, PAGE_SIZE)
    found = FindResults()
    for answer in answers:
        found.extend(map(wrapper or Document, answer.get("docs", ())))
        found.bookmark = answer.get("bookmark")
        found.warning = answer.get("warning")
        found.execution_stats = answer.get("execution_stats")
    return found


def pages(database: Resource, query: Mapping[str, Any], batch: int) -> Iterator[dict[str, Any]]:
    """The server's answers to ``query``, ``batch`` documents in each, as far as the query's own ``limit``.

    Raises `ValueError` for a batch below 1.
    """
    if batch <= 0:
        raise ValueError("batch must be 1 or more")
    left = query.get("limit")
    query = dict(query)
    while True:
        query["limit"] = batch if left is None else min(left, batch)
        answer = _page(database, query)
        yield answer
        count = len(answer.get("docs", ()))
        left = None if left is None else left - count
        bookmark = answer.get("bookmark")
        if count < query["limit"] or left == 0 or bookmark in (None, "nil", query.get("bookmark")):
            return
        query |= {"bookmark": bookmark, "skip": 0}


def _page(database: Resource, query: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = database.post_json("_find", query)[2]
    return data


class Indexes:
    """The indexes of a database, by ``(ddoc, name)``.

    ``indexes[ddoc, name] = fields`` makes one: ``fields`` is a list of fields (``'name'`` or ``{'name': 'asc'}``), or
    the whole ``index`` member of the request as a dictionary (``{'fields': […], 'partial_filter_selector': {…}}``). A
    ddoc or name that is None is chosen by the server. ``del indexes[ddoc, name]`` removes one, iteration gives a
    dictionary for each.
    """

    def __init__(self, url: str | Resource, session: SessionLike | requests.Session | None = None) -> None:
        self.resource = Resource(url, session) if isinstance(url, str) else url

    def __setitem__(self, ddoc_name: tuple[str | None, str | None], index: Any) -> None:
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
        return iter(self.resource.get_json()[2]["indexes"])
