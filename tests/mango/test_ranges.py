"""The range of a field that several conditions leave."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import pytest

from couchfake.mango.ranges import EMPTY, MAX, MIN, Range, field_ranges
from couchfake.mango.selector import normalise
from couchfake.values.collation import Collator

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$lt": operator.lt,
    "$lte": operator.le,
    "$eq": operator.eq,
    "$gte": operator.ge,
    "$gt": operator.gt,
}
CONDITIONS = [(name, value) for name in OPERATORS for value in (1, 2, 3)]
VALUES = (0, 1, 1.5, 2, 2.5, 3, 4)


def span_of(*conditions: tuple[str, Any]) -> Range | None:
    selector = normalise({"$and": [{"a": {name: value}} for name, value in conditions]})
    return field_ranges(selector, Collator().sort_key)["a"]


def holds(span: Range | None, value: float) -> bool:
    if span is EMPTY or span is None:
        return False
    above = span.low is MIN or OPERATORS[{"$eq": "$gte"}.get(span.low_operator, span.low_operator)](value, span.low)
    below = span.high is MAX or OPERATORS[{"$eq": "$lte"}.get(span.high_operator, span.high_operator)](value, span.high)
    return above and below


@pytest.mark.parametrize("first", CONDITIONS, ids=str)
def test_a_range_holds_what_all_conditions_allow_and_nothing_else(first: tuple[str, int]) -> None:
    for others in itertools.product(CONDITIONS, repeat=2):
        conditions = (first, *others)
        span = span_of(*conditions)
        for value in VALUES:
            allowed = all(OPERATORS[name](value, argument) for name, argument in conditions)
            assert holds(span, value) == allowed, (conditions, value, span)
