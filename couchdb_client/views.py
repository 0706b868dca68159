"""Views: querying one, and the rows that it answers with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, cast

import requests

from couchdb_client import json
from couchdb_client.conditions import BUILDS
from couchdb_client.document import Document
from couchdb_client.resource import Resource
from couchdb_client.results import wrapped
from couchdb_client.session import SessionLike

if TYPE_CHECKING:
    from typing_extensions import TypeVar, Unpack

    from couchdb_client.options import ViewOptions

    K = TypeVar("K", default=Any)
    V = TypeVar("V", default=Any)
    R = TypeVar("R", default="Row[Any, Any]")
else:
    from typing import TypeVar

    K = TypeVar("K")
    V = TypeVar("V")
    R = TypeVar("R")

__all__ = ["PermanentView", "Row", "View", "ViewResults", "Wrapper", "open_viewlike", "path_from_name", "query_view"]

#: What makes a row from the dictionary that the server sent.
Wrapper: TypeAlias = "Callable[[Any], R]"

#: Types whose values a parameter shows as JSON does (text without quotes).
_PLAIN = (str, int, bool)

_KEYS = ("key", "startkey", "endkey", "start_key", "end_key")


class Row(dict[str, Any], Generic[K, V]):
    """A row of a view's results, the dictionary that the server sent, with a property for each member.

    ``Row[K, V]`` has keys of the type K and values of the type V.
    """

    def __repr__(self) -> str:
        members = [f"{name}={self[name]!r}" for name in ("id", "key", "doc", "error", "value") if name in self]
        return f"<{type(self).__name__} {', '.join(members)}>"

    @property
    def id(self) -> str | Any:
        """The ID of the document that emitted the row; None in the result of a reduce function."""
        return self.get("id")

    @property
    def key(self) -> K:
        """The key, as the map function emitted it."""
        key: K = self["key"]
        return key

    @property
    def value(self) -> V:
        """The value, as the map function emitted it or the reduce function returned it."""
        try:
            value: V = self["value"]
        except KeyError:
            return None  # type: ignore[return-value]  # typed by who knows the view
        return value

    @property
    def error(self) -> str | None:
        """Why there is no row for a key of the query (``not_found``), else None."""
        return self.get("error")

    @property
    def doc(self) -> Document | Any:
        """The document, if the view was queried with ``include_docs=True``, else None."""
        doc = self.get("doc")
        return Document(doc) if doc else None


class View(Generic[R]):
    """A view or query. Calling it with query options gives its `ViewResults`; iterating over it, all of its rows.

    ``url`` is its URL or its `Resource`; ``wrapper`` is called with each row's dictionary, and what it returns is the
    row (`Row` if None).
    """

    def __init__(
        self,
        url: str | Resource,
        wrapper: Wrapper[R] | None = None,
        session: SessionLike | requests.Session | None = None,
    ) -> None:
        self.resource = Resource(url, session) if isinstance(url, str) else url
        self.wrapper = wrapper

    def __call__(self, **options: Unpack[ViewOptions]) -> ViewResults[R]:
        return ViewResults(self, options)

    def __iter__(self) -> Iterator[R]:
        return iter(self())

    @property
    def row_type(self) -> Wrapper[R]:
        """What makes a row from the dictionary that the server sent: ``wrapper``, or `Row`."""
        return self.wrapper or cast("Wrapper[R]", Row)

    def _exec(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Query the view now and return the server's answer."""
        raise NotImplementedError


class PermanentView(View[R]):
    """A view of a design document, or one of the views that each database has, like ``_all_docs``."""

    def __init__(
        self,
        uri: str | Resource,
        name: str,
        wrapper: Wrapper[R] | None = None,
        session: SessionLike | requests.Session | None = None,
    ) -> None:
        super().__init__(uri, wrapper=wrapper, session=session)
        self.name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _exec(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return query_view(self.resource, options)


class ViewResults(Generic[R]):
    """A view with options, and the results it produces. The view is queried once, when something of them is first
    needed.

    Slices and items give results with further options: ``results[a:b]`` has the startkey ``a`` and the endkey ``b``,
    ``results[k]`` the key ``k``. (A key is not unique in a view: that may still be many rows.)
    """

    def __init__(self, view: View[R], options: Mapping[str, Any]) -> None:
        self.view = view
        self.options = dict(options)
        self._fetched: tuple[list[R], dict[str, Any]] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.view!r} {self.options!r}>"

    def __getitem__(self, key: Any) -> ViewResults[R]:
        options = dict(self.options)
        if not isinstance(key, slice):
            options["key"] = key
        else:
            options |= {"startkey": key.start} if key.start is not None else {}
            options |= {"endkey": key.stop} if key.stop is not None else {}
        return type(self)(self.view, options)

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _results(self) -> tuple[list[R], dict[str, Any]]:
        if self._fetched is None:
            data = dict(self.view._exec(self.options))
            rows = list(data.pop("rows"))  # a view of another kind may need its answer again
            self._fetched = wrapped(rows, self.view.row_type), data
        return self._fetched

    @property
    def rows(self) -> list[R]:
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
        """The database's sequence that the view reflects, if the option ``update_seq=True`` requested it, else None."""
        return self._results()[1].get("update_seq")


def path_from_name(name: str, kind: str) -> list[str]:
    """Return the path of ``design/function`` below its database, ``kind`` being ``_view``, ``_list`` and so on.

    A name that starts with an underscore is a path already. Raise `ValueError` for a name of another form.
    """
    if name.startswith("_"):
        return name.split("/")
    design, slash, function = name.partition("/")
    if not slash:
        raise ValueError(f"expected a name of the form 'designdoc/name', got {name!r}")
    return ["_design", design, kind, function]


def encode_view_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return query options as the parameters of a view: keys always as JSON, everything else unless it is text."""
    return {
        name: value if type(value) in _PLAIN and name not in _KEYS else json.encode(value)
        for name, value in options.items()
        if (value is not None or name in _KEYS) and name != "keys"
    }


def query_view(resource: Resource, options: Mapping[str, Any]) -> dict[str, Any]:
    """Query a view and return the server's answer."""
    body, parameters = _body_and_parameters(options)
    method = "GET" if body is None else "POST"
    resource = resource if resource.conditions is BUILDS else resource.under(BUILDS)
    data: dict[str, Any] = resource.fetch(method, body=body, **parameters)
    return data


def open_viewlike(resource: Resource, options: Mapping[str, Any]) -> tuple[int, Message, Any]:
    """Request something that takes a view's options. Return ``(status, headers, body)``, the body being a file."""
    body, parameters = _body_and_parameters(options)
    resource = resource.under(BUILDS)
    return resource.get(**parameters) if body is None else resource.post(body=body, **parameters)


def _body_and_parameters(options: Mapping[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the body and the parameters of a request. The option ``keys`` is a POST's body.

    A string as ``keys`` is not taken apart: the server refuses it.
    """
    parameters = encode_view_options(options)
    if options.get("keys") is None:
        return None, parameters
    keys = options["keys"]
    return {"keys": keys if isinstance(keys, (str, bytes, Mapping)) else list(keys)}, parameters
