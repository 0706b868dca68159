"""Views as Python objects: `ViewDefinition` keeps design documents up to date with the code of a program.

>>> view = ViewDefinition('people', 'by_name', '''
...     function (doc) {
...         emit(doc.name, null);
...     }
... ''')
>>> view
<ViewDefinition '_design/people/_view/by_name'>
>>> print(view.map_fun)
function (doc) {
    emit(doc.name, null);
}
<BLANKLINE>

``view.sync(db)`` stores the view, ``view(db, key='Joe')`` queries it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from copy import deepcopy
from inspect import getsource
from itertools import groupby
from operator import attrgetter
from textwrap import dedent
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from couchdb_client.bulk import UpdateResult
    from couchdb_client.database import Database
    from couchdb_client.document import Document
    from couchdb_client.results import Results

__all__ = ["ViewDefinition"]


class ViewDefinition:
    """A view of a design document, as the program wants it to be.

    ``design`` is the name of the design document, with or without ``_design/``; ``name`` is the view's. ``map_fun`` and
    ``reduce_fun`` are source text, or Python functions if the server runs a query server for Python (see
    `couchdb_client.view`): their source text is used, without decorators. Indentation that all lines share is removed.
    ``options`` is the view's ``options`` member (``{'collation': 'raw'}``), ``wrapper`` is called with each row of the
    results. ``defaults`` are query options that apply to each query unless it gives them itself.
    """

    def __init__(
        self,
        design: str,
        name: str,
        map_fun: str | Callable[..., Any],
        reduce_fun: str | Callable[..., Any] | None = None,
        language: str = "javascript",
        wrapper: Callable[[Any], Any] | None = None,
        options: dict[str, Any] | None = None,
        **defaults: Any,
    ) -> None:
        self.design = design.removeprefix("_design/")
        self.name = name
        self.map_fun = _source(map_fun)
        self.reduce_fun = _source(reduce_fun) if reduce_fun else None
        self.language = language
        self.wrapper = wrapper
        self.options = options
        self.defaults = defaults

    def __call__(self, db: Database, **options: Any) -> Results[Any]:
        """Return the results of the view in the database ``db``, queried with ``options``."""
        options = {**self.defaults, **options}
        results: Results[Any] = db.view(f"{self.design}/{self.name}", wrapper=self.wrapper, **options)
        return results

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '_design/{self.design}/_view/{self.name}'>"

    def get_doc(self, db: Database) -> Document | None:
        """Return the design document as it is in the database, None if it does not exist."""
        doc: Document | None = db.get(f"_design/{self.design}")
        return doc

    def sync(self, db: Database) -> list[UpdateResult]:
        """Create or update the view in the database. Return what `sync_many` returns."""
        return type(self).sync_many(db, [self])

    @staticmethod
    def sync_many(
        db: Database,
        views: Iterable[ViewDefinition],
        remove_missing: bool = False,
        callback: Callable[[dict[str, Any]], Any] | None = None,
    ) -> list[UpdateResult]:
        """Create or update ``views`` in the database, all changed design documents by one request.

        ``remove_missing`` removes other views from the design documents concerned. ``callback`` is called with each
        design document that is about to be saved, and may change it.

        Return ``(success, docid, rev_or_exc)`` for each design document that was saved, in the order of their names; an
        empty list if all of them were up to date. Raise `ValueError` if views of different languages would be in one
        design document.
        """
        changed = []
        by_design = attrgetter("design")
        for design, group in groupby(sorted(views, key=by_design), key=by_design):
            current: Any = db.get(f"_design/{design}") or {"_id": f"_design/{design}"}
            doc = deepcopy(current)
            _define(doc, list(group), remove_missing)
            if doc != current:
                if callback is not None:
                    callback(doc)
                changed.append(doc)
        return db.update(changed) if changed else []


def _define(doc: dict[str, Any], definitions: list[ViewDefinition], remove_missing: bool) -> None:
    """Put ``definitions`` into a design document."""
    views = doc.get("views") or {}
    names = {definition.name for definition in definitions}
    # A member without a map function is not a view, but code that views share: views.lib.
    others = {name for name, view in views.items() if name not in names and "map" in view}
    if remove_missing:
        views = {name: view for name, view in views.items() if name not in others}
        others = set()
    languages = {definition.language for definition in definitions}
    if others:
        languages.add(doc.get("language", "javascript"))
    if len(languages) > 1:
        raise ValueError(f"views of different languages in {doc['_id']}: {', '.join(sorted(languages))}")
    for definition in definitions:
        view: dict[str, Any] = {"map": definition.map_fun}
        if definition.reduce_fun:
            view["reduce"] = definition.reduce_fun
        if definition.options:
            view["options"] = definition.options
        views[definition.name] = view
    doc["views"] = views
    doc["language"] = languages.pop()


def _source(function: str | Callable[..., Any]) -> str:
    """Return the source text of a function, given as text or as a Python function."""
    if isinstance(function, str):
        return dedent(function.lstrip("\r\n"))
    if isinstance(function, FunctionType):
        text = dedent(getsource(function))
        definition = ast.parse(text).body[0]
        if isinstance(definition, ast.FunctionDef):  # its first line is the one with def, after all decorators
            text = "".join(text.splitlines(keepends=True)[definition.lineno - 1 :])
        return text.rstrip("\r\n")
    raise TypeError(f"expected a function or its source text, got {type(function)}")
