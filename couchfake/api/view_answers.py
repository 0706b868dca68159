"""How answers of views look: JSON text with a row in each line, sent as it grows where it is long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from couchfake.chttpd.responses import Response
from couchfake.chttpd.streaming import in_chunks, json_body
from couchfake.query_server import ReduceOverflow
from couchfake.storage.database import Database, Visible
from couchfake.values import json
from couchfake.views.options import ViewOptions
from couchfake.views.query import View
from couchfake.views.rows import map_texts

_AT_ONCE = 1000
"""Rows whose texts are joined at once."""


def answer(db: Database, view: View, options: ViewOptions, visible: Visible | None = None) -> Iterator[str]:
    """The text of one query's answer, in pieces. All that can go wrong does so before the first of them."""
    snapshot = view.snapshot(options)
    query = view.query(snapshot, options)
    meta = [f'"update_seq":{json.quote(db.pack_seq(snapshot.tree_seqs[view.tree]))}'] if options.update_seq else []
    if view.reduces(options):
        assert view.reducer is not None
        return rows_text(meta, [reduced_text(*row) for row in query.reduced(view.reducer)])
    found = query.rows()
    meta = [f'"total_rows":{found.total_rows}', f'"offset":{found.offset}', *meta]
    return rows_text(meta, map_texts(db, found.rows, options, visible))


def rows_text(meta: Iterable[str], rows: Iterable[str]) -> Iterator[str]:
    """``{"total_rows":2,…,"rows":[`` and so on, in pieces of many rows."""
    rows = iter(rows)
    separator = "{" + "".join(f"{member}," for member in meta) + '"rows":[\r\n'
    while batch := list(islice(rows, _AT_ONCE)):
        yield separator + ",\r\n".join(batch)
        separator = ",\r\n"
    yield ("" if separator == ",\r\n" else separator) + "\r\n]}"


def results_text(answers: Iterable[Iterable[str]]) -> Iterator[str]:
    """The answers of several queries in one."""
    yield '{"results":['
    separator = "\r\n"
    for each in answers:
        yield separator
        yield from each
        separator = ",\r\n"
    yield "\r\n]}"


def respond(pieces: Iterator[str]) -> Response:
    """Return the pieces as a response, which is whole if it is short."""
    return json_body(in_chunks(piece.encode("utf-8") for piece in chain(pieces, ["\n"])))


def reduced_text(key: Any, value: Any) -> str:
    """A row of a reduce query."""
    if isinstance(value, ReduceOverflow):
        return json.dumps({"key": None, "error": value.error, "reason": value.reason})
    return json.dumps({"key": key, "value": value})
