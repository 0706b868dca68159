"""Which part of an index a selector needs.

Each field that the selector narrows by comparisons has one range; the ranges of an index's first columns make its start
key and end key. The result is a superset: every row is tested again.

Source: the server's ``mango_idx_view``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from couchfake.mango.errors import crash
from couchfake.mango.selector import Selector, conditions
from couchfake.values.collation import MAX_KEY

INDEXABLE = frozenset({"$lt", "$lte", "$eq", "$gt", "$gte", "$beginsWith", "$exists"})


class _Edge:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


MIN: Final[Any] = _Edge("MIN")
MAX: Final[Any] = _Edge("MAX")

SortKey = Callable[[Any], bytes]


class Range(NamedTuple):
    """``{"$gte": low, "$lt": high}``, with the two operators written out; ``$eq`` twice for one value."""

    low_operator: str
    low: Any
    high_operator: str
    high: Any


UNLIMITED = Range("$gt", MIN, "$lt", MAX)
EMPTY: Final = None
"""No value can fulfil the conditions."""


def indexable_fields(selector: Selector) -> list[str]:
    """Return the fields, sorted, whose conditions an index could serve: those that are below ``$and`` only."""
    fields = conditions(selector, "$and")
    return sorted({name for name, argument in fields if not name.startswith("$") and INDEXABLE.issuperset(argument)})


def field_ranges(selector: Selector, sort_key: SortKey) -> dict[str, Range | None]:
    """Return the range of each indexable field. An empty range is returned alone: nothing can match."""
    ranges: dict[str, Range | None] = dict.fromkeys(indexable_fields(selector), UNLIMITED)
    for name, argument in conditions(selector, "$and"):
        span = ranges.get(name)
        if span is not None:  # None for an empty range, too
            ((operator, value),) = argument.items()
            ranges[name] = _narrowed_by(span, operator, value, sort_key)
    for field, span in ranges.items():
        if span is EMPTY:
            return {field: EMPTY}
    return ranges


def _narrowed_by(span: Range, operator: str, value: Any, sort_key: SortKey) -> Range | None:
    if operator == "$beginsWith":
        above = _NARROW["$gte"](span, value, _position(span, value, sort_key))
        if above is EMPTY:
            return EMPTY
        span, operator, value = above, "$lte", f"{value}\uffff"
    narrow = _NARROW.get(operator)
    return narrow(span, value, _position(span, value, sort_key)) if narrow else span


def _position(span: Range, value: Any, sort_key: SortKey) -> str:
    """Return the place of a value: below the range, at its low end, within, at its high end, above."""
    key = sort_key(value)
    if span.low is not MIN:
        low = sort_key(span.low)
        if key <= low:
            return "low" if key == low else "below"
    if span.high is not MAX:
        high = sort_key(span.high)
        if key >= high:
            return "high" if key == high else "above"
    return "within"


def _equal(value: Any) -> Range:
    return Range("$eq", value, "$eq", value)


def _narrow_lt(span: Range, value: Any, position: str) -> Range | None:
    if position in ("below", "low"):
        return EMPTY
    return span if position == "above" else Range(span.low_operator, span.low, "$lt", value)


def _narrow_lte(span: Range, value: Any, position: str) -> Range | None:
    if position == "low":
        return _equal(value) if span.low_operator in ("$gte", "$eq") else EMPTY
    if position == "within":
        return Range(span.low_operator, span.low, "$lte", value)
    return EMPTY if position == "below" else span


def _narrow_eq(span: Range, value: Any, position: str) -> Range | None:
    fits = (
        position == "within"
        or (position == "low" and span.low_operator in ("$gte", "$eq"))
        or (position == "high" and span.high_operator in ("$lte", "$eq"))
    )
    return _equal(value) if fits else EMPTY


def _narrow_gte(span: Range, value: Any, position: str) -> Range | None:
    if position == "high":
        return _equal(value) if span.high_operator in ("$lte", "$eq") else EMPTY
    if position == "within":
        return Range("$gte", value, span.high_operator, span.high)
    return EMPTY if position == "above" else span


def _narrow_gt(span: Range, value: Any, position: str) -> Range | None:
    if position in ("high", "above"):
        return EMPTY
    return span if position == "below" else Range("$gt", value, span.high_operator, span.high)


_NARROW: dict[str, Callable[[Range, Any, str], Range | None]] = {
    "$lt": _narrow_lt,
    "$lte": _narrow_lte,
    "$eq": _narrow_eq,
    "$gte": _narrow_gte,
    "$gt": _narrow_gt,
}


# ---- keys


def start_key(ranges: list[Range]) -> list[Any]:
    """Return the lowest key of an index over several columns."""
    key = []
    for span in ranges:
        if span.low is MIN:
            break
        key.append(span.low)
    return key


def check_end(span: Range) -> None:
    """Raise an error (500) for ``$eq`` followed by ``$gt`` with the same value: the server makes no key of that."""
    if span.high_operator == "$eq" and span.low_operator != "$eq":
        raise crash("function_clause")


def end_key(ranges: list[Range]) -> list[Any]:
    """Return the highest key, with ``MAX_KEY`` at its end."""
    key = []
    for span in ranges:
        check_end(span)
        if span.high is MAX:
            break
        key.append(span.high)
    return [*key, MAX_KEY]
