"""The rows of a view, a batch or a page at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Generic, overload

from couchdb_client import json
from couchdb_client.results import wrapped
from couchdb_client.views import View

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    R = TypeVar("R", default=Any)
else:
    from typing import TypeVar

    R = TypeVar("R")

__all__ = ["Page", "iterate", "pages"]


class Page(Sequence[R], Generic[R]):
    """The rows of one page. ``bookmark`` is the text that the next page is found by; None if this is the last."""

    def __init__(self, rows: list[R], bookmark: str | None) -> None:
        self.rows = rows
        self.bookmark = bookmark

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.rows)} rows, bookmark={self.bookmark!r}>"

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> list[R]: ...

    def __getitem__(self, index: int | slice) -> R | list[R]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)


def iterate(view: View[R], batch: int, options: Mapping[str, Any]) -> Iterator[R]:
    """Yield the rows of ``view``, fetched ``batch`` at a time. Raise `ValueError` for a batch or limit below 1."""
    if batch <= 0:
        raise ValueError("batch must be 1 or more")
    if options.get("limit") is not None and options["limit"] <= 0:
        raise ValueError("limit must be 1 or more")
    for rows, _ in _batches(view, batch, options):
        yield from map(view.row_type, rows)


def pages(view: View[R], size: int, bookmark: str | None, options: Mapping[str, Any]) -> Iterator[Page[R]]:
    """Yield the pages of ``view``, from the one that ``bookmark`` marks. Raise `ValueError` for a size below 1."""
    if size <= 0:
        raise ValueError("size must be 1 or more")
    start = _read_bookmark(bookmark) if bookmark else {}
    for rows, following in _batches(view, size, {**options, **start}):
        yield Page(wrapped(rows, view.row_type), _bookmark(following) if following else None)


def _batches(
    view: View[R], size: int, options: Mapping[str, Any]
) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any] | None]]:
    """Yield the rows of each batch, and the options that begin the next; None after the last.

    Each request asks for one row more than it needs: the next batch starts there, by its key and document ID. A
    document may emit a key many times over, so the rows alike before it are skipped. Rows that have no document
    (reduced ones), and rows selected by ``keys``, can only be found by counting.
    """
    options = dict(options)
    if options.get("keys") is not None:
        options["keys"] = list(options["keys"])
    missing = options.get("limit")
    while True:
        wanted = size if missing is None else min(missing, size)
        rows = view._exec({**options, "limit": wanted + 1})["rows"]
        missing = None if missing is None else missing - wanted
        if len(rows) <= wanted or missing == 0:
            yield rows[:wanted], None
            return
        following = _where_next(rows, options)
        yield rows[:wanted], following
        options |= following


def _where_next(rows: list[dict[str, Any]], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that make the last of ``rows`` the first of the next request."""
    *done, following = rows
    skipped = options.get("skip") or 0
    if "id" not in following or options.get("keys") is not None:
        return {"skip": skipped + len(done)}
    position = _position(following)
    alike = sum(1 for _ in takewhile(lambda row: _position(row) == position, reversed(done)))
    if alike == len(done):
        return {"skip": skipped + alike}
    return {"startkey": following["key"], "startkey_docid": following["id"], "skip": alike}


def _position(row: Mapping[str, Any]) -> tuple[str, Any]:
    return json.encode(row["key"]), row["id"]


def _bookmark(options: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.encode(dict(options)).encode("utf-8")).decode("ascii").rstrip("=")


def _read_bookmark(text: str) -> dict[str, Any]:
    """Return the options that a bookmark stands for. Raise `ValueError` if it is not one."""
    try:
        options = json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8"))
    except (binascii.Error, ValueError) as exc:
        raise ValueError(f"not a bookmark: {text!r}") from exc
    if not isinstance(options, dict) or not options.keys() <= {"startkey", "startkey_docid", "skip"}:
        raise ValueError(f"not a bookmark: {text!r}")
    return options
