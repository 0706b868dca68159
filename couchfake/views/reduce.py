"""The built-in reduce functions: which one a name means, and those that look at keys or ranks.

A built-in function is matched by the beginning of its name (``_summary`` is ``_sum``). Results and errors are those of
the server's Erlang functions.

Source: CouchDB documentation, "Guide to Views: Reduce/Rereduce", and ``couch_query_servers``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from couchfake.values.erlang import read_integer
from couchfake.views import hyperloglog
from couchfake.views.keys import Collate
from couchfake.views.nodes import Reducer, Row
from couchfake.views.sums import Builtin, Stats, Sum, SumOverflow


def builtin_reducer(source: str, collate: Collate, overflow: SumOverflow | None = None) -> Reducer | None:
    """The reducer of a source that names a built-in one, or None. ``collate`` is the order of views (ICU)."""
    rank = _RANK.match(source)
    if rank:
        return Rank(collate, read_integer(rank[2]), highest=rank[1] == "top")
    if source.startswith("_sum"):
        return Sum(overflow or SumOverflow())
    if source.startswith("_first"):
        return Outermost(collate, last=False)
    if source.startswith("_last"):
        return Outermost(collate, last=True)
    for name, made in (("_count", Count()), ("_stats", Stats()), ("_approx_count_distinct", ApproxCountDistinct())):
        if source.startswith(name):
            return made
    return None


_RANK = re.compile(r"_(top|bottom)_(.*)", re.DOTALL)


class Count(Builtin):
    """How many rows."""

    def reduce(self, rows: Sequence[Row]) -> int:
        return len(rows)

    def rereduce(self, values: Sequence[int]) -> int:
        return sum(values)


class ApproxCountDistinct(Builtin):
    """How many different keys, estimated."""

    def reduce(self, rows: Sequence[Row]) -> hyperloglog.Registers:
        return hyperloglog.registers_of(key for key, _, _ in rows)

    def rereduce(self, values: Sequence[hyperloglog.Registers]) -> hyperloglog.Registers:
        return hyperloglog.union(values) if len(values) > 1 else values[0]

    def finish(self, value: hyperloglog.Registers) -> int:
        return hyperloglog.estimate(value)


class Outermost(Builtin):
    """The value of the row with the lowest (``_first``) or highest (``_last``) key, then id."""

    def __init__(self, collate: Collate, last: bool) -> None:
        self._collate = collate
        self._last = last

    def reduce(self, rows: Sequence[Row]) -> Any:
        return self.rereduce([(self._collate(key), docid, value) for key, docid, value in rows])

    def rereduce(self, values: Sequence[Any]) -> Any:
        outermost = values[0]
        for each in values[1:]:
            if each[:2] >= outermost[:2] if self._last else each[:2] < outermost[:2]:
                outermost = each
        return outermost

    def finish(self, value: Any) -> Any:
        return value[2]


class Rank(Builtin):
    """The N highest (``_top_N``) or lowest (``_bottom_N``) values in the order of views, equal ones once."""

    def __init__(self, collate: Collate, number: int, highest: bool) -> None:
        self._collate = collate
        self._number = number
        self._highest = highest

    def reduce(self, rows: Sequence[Row]) -> Any:
        return self._ranked([(self._collate(value), value) for _, _, value in rows])

    def rereduce(self, values: Sequence[Any]) -> Any:
        return self._ranked([each for ranked in values for each in ranked])

    def _ranked(self, values: Sequence[tuple[bytes, Any]]) -> list[tuple[bytes, Any]]:
        different: dict[bytes, Any] = {}
        for key, value in values:
            different.setdefault(key, value)
        return sorted(different.items(), key=lambda each: each[0], reverse=self._highest)[: self._number]

    def finish(self, value: Any) -> Any:
        return [each for _, each in value]
