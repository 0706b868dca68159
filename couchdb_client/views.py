"""Views: querying one, and the rows that it answers with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from itertools import takewhile
from typing import Any

import requests

from couchdb_client import json
from couchdb_client.document import Document
from couchdb_client.resource import Resource
from couchdb_client.session import SessionLike

__all__ = ["PermanentView", "Row", "View", "ViewResults", "call_viewlike", "iterate", "path_from_name"]

Wrapper = Callable[[Any], Any]

_KEYS = ("key", "startkey", "endkey")


class Row(dict[str, Any]):
    """A row of a view's results, the dictionary that the server sent, with a property for each member."""

    def __repr__(self) -> str:
        members = [f"{name}={self[name]!r}" for name in ("id", "key", "doc", "error", "value") if name in self]
        return f"<{type(self).__name__} {', '.join(members)}>"

    @property
    def id(self) -> str | Any:
        """The ID of the document that emitted the row; None in the result of a reduce function."""
        return self.get("id")

    @property
    def key(self) -> Any:
        return self["key"]

    @property
    def value(self) -> Any:
        return self.get("value")

    @property
    def error(self) -> str | None:
        """Why there is no row for a key that was asked for (``not_found``), else None."""
        return self.get("error")

    @property
    def doc(self) -> Document | None:
        """The document, if the view was queried with ``include_docs=True``, else None."""
        doc = self.get("doc")
        return Document(doc) if doc else None


class View:
    """A view or query. Calling it with query options gives its `ViewResults`; iterating over it, all of its rows.

    ``url`` is its URL or its `Resource`; ``wrapper`` is called with each row's dictionary, and what it returns is the
    row (`Row` if None).
    """

    def __init__(
        self, url: str | Resource, wrapper: Wrapper | None = None, session: SessionLike | requests.Session | None = None
    ) -> None:
        self.resource = Resource(url, session) if isinstance(url, str) else url
        self.wrapper = wrapper

    def __call__(self, **options: Any) -> ViewResults:
        return ViewResults(self, options)

    def __iter__(self) -> Iterator[Any]:
        return iter(self())

    def _exec(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Query the view now: the server's answer."""
        raise NotImplementedError


class PermanentView(View):
    """A view of a design document, or one of the views that each database has, like ``_all_docs``."""

    def __init__(
        self,
        uri: str | Resource,
        name: str,
        wrapper: Wrapper | None = None,
        session: SessionLike | requests.Session | None = None,
    ) -> None:
        super().__init__(uri, wrapper=wrapper, session=session)
        self.name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _exec(self, options: Mapping[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = call_viewlike(self.resource, options)[2]
        return data


class ViewResults:
    """A view with options, and the results it produces. The view is queried once, when something of them is first
    needed.

    Slices and items give results with further options: ``results[a:b]`` has the startkey ``a`` and the endkey ``b``,
    ``results[k]`` the key ``k``. (A key is not unique in a view: that may still be many rows.)
    """

    def __init__(self, view: View, options: Mapping[str, Any]) -> None:
        self.view = view
        self.options = dict(options)
        self._fetched: tuple[list[Any], dict[str, Any]] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.view!r} {self.options!r}>"

    def __getitem__(self, key: Any) -> ViewResults:
        options = dict(self.options)
        if not isinstance(key, slice):
            options["key"] = key
        else:
            options |= {"startkey": key.start} if key.start is not None else {}
            options |= {"endkey": key.stop} if key.stop is not None else {}
        return type(self)(self.view, options)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _results(self) -> tuple[list[Any], dict[str, Any]]:
        if self._fetched is None:
            data = self.view._exec(self.options)
            self._fetched = [(self.view.wrapper or Row)(row) for row in data["rows"]], data
        return self._fetched

    @property
    def rows(self) -> list[Any]:
        """The rows: each a `Row`, or what the view's wrapper made of it."""
        return self._results()[0]

    @property
    def total_rows(self) -> int | None:
        """The number of rows in the whole view; None for a reduced view."""
        return self._results()[1].get("total_rows")

    @property
    def offset(self) -> int | None:
        """How many of the view's rows come before these; 0 for a reduced view."""
        offset: int | None = self._results()[1].get("offset", 0)
        return offset

    @property
    def update_seq(self) -> Any:
        """The database's sequence that the view reflects, if the option ``update_seq=True`` asked for it, else None."""
        return self._results()[1].get("update_seq")


def path_from_name(name: str, kind: str) -> list[str]:
    """The path of ``design/function`` below its database, ``kind`` being ``_view``, ``_list`` and so on; a name that
    starts with an underscore is a path already. Raises `ValueError` for a name of another form."""
    if name.startswith("_"):
        return name.split("/")
    design, slash, function = name.partition("/")
    if not slash:
        raise ValueError(f"expected a name of the form 'designdoc/name', got {name!r}")
    return ["_design", design, kind, function]


def encode_view_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Query options as the parameters of a view: keys always as JSON, everything else unless it is text already."""
    return {
        name: value if isinstance(value, str) and name not in _KEYS else json.encode(value)
        for name, value in options.items()
        if value is not None or name in _KEYS
    }


def call_viewlike(resource: Resource, options: Mapping[str, Any], *, decoded: bool = True) -> tuple[int, Message, Any]:
    """Request something that takes a view's options. The option ``keys`` travels in a POST's body."""
    options = dict(options)
    keys = options.pop("keys", None)
    parameters = encode_view_options(options)
    if keys is None:
        return (resource.get_json if decoded else resource.get)(**parameters)
    return (resource.post_json if decoded else resource.post)(body={"keys": list(keys)}, **parameters)


def iterate(view: View, batch: int, wrapper: Wrapper | None, options: dict[str, Any]) -> Iterator[Any]:
    """The rows of ``view``, fetched ``batch`` at a time. Raises `ValueError` for a batch or limit below 1.

    Each request asks for one row more than it needs: the next batch starts there, by its key and document ID. A
    document may emit a key many times over, so the rows alike before it are skipped. Rows that have no document
    (reduced ones), and rows asked for by ``keys``, can only be found by counting.
    """
    if batch <= 0:
        raise ValueError("batch must be 1 or more")
    left = options.get("limit")
    if left is not None and left <= 0:
        raise ValueError("limit must be 1 or more")
    while True:
        size = batch if left is None else min(left, batch)
        rows = view._exec({**options, "limit": size + 1})["rows"]
        yield from map(wrapper or Row, rows[:size])
        left = None if left is None else left - size
        if len(rows) <= size or left == 0:
            return
        options = {**options, **_where_next(rows, options)}


def _where_next(rows: list[dict[str, Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that make the last of ``rows`` the first of the next request."""
    *done, following = rows
    skipped = options.get("skip", 0)
    if "id" not in following or options.get("keys") is not None:
        return {"skip": skipped + len(done)}
    position = _position(following)
    alike = sum(1 for _ in takewhile(lambda row: _position(row) == position, reversed(done)))
    if alike == len(done):
        return {"skip": skipped + alike}
    return {"startkey": following["key"], "startkey_docid": following["id"], "skip": alike}


def _position(row: Mapping[str, Any]) -> tuple[str, Any]:
    return json.encode(row["key"]), row["id"]
