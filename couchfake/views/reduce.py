"""The built-in reduce functions.

A built-in function is matched by the beginning of its name (``_summary`` is ``_sum``). Results and errors are those of
the server's Erlang functions: a value that ``_sum`` cannot add becomes an error object, the partial value of its group;
one that ``_stats`` cannot use fails the index. Additions run in the order of the rows, one after the other, as they do
in Erlang.

Source: CouchDB documentation, "Guide to Views: Reduce/Rereduce", and ``couch_query_servers``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import Any, NoReturn

from couchfake.errors import Crash
from couchfake.values.erlang import format_term, read_integer, term_to_binary, write_term
from couchfake.values.recursion import Steps, of_any_depth
from couchfake.views import hyperloglog
from couchfake.views.keys import Collate
from couchfake.views.tree import Reducer, Row

_NUMBERS = frozenset((int, float))

SUM_ERROR = (
    "The _sum function requires that map values be numbers, arrays of numbers, or objects. Objects cannot be mixed"
    " with other data structures. Objects can be arbitrarily nested, provided that the values for all fields are"
    " themselves numbers, arrays of numbers, or objects."
)


@dataclass(frozen=True)
class SumOverflow:
    """When a sum has grown too much: larger than ``threshold`` bytes and than its input over ``ratio``.

    ``enabled`` is called each time, since the configuration is live (``query_server_config/reduce_limit``).
    """

    enabled: Callable[[], bool] = lambda: True
    threshold: int = 4906
    ratio: float = 2.0

    def check(self, sum_: Any, values: Callable[[], Sequence[Any]]) -> Any:
        """Return the sum, or an error in its place. ``values`` returns the input."""
        if type(sum_) is float or (type(sum_) is int and sum_.bit_length() < 8 * self.threshold):
            return sum_
        size = len(term_to_binary(sum_))
        if size > self.threshold and self.enabled():
            given = sum(len(term_to_binary(value)) for value in values())
            if size * self.ratio > given:
                reason = f"Reduce output must shrink more rapidly: input size: {given} output size: {size}"
                return {"error": "builtin_reduce_error", "reason": reason}
        return sum_


class Builtin:
    """Reduce many groups at a time with what reduces one."""

    def reduce_all(self, calls: Sequence[Sequence[Row]]) -> list[Any]:
        return [self.reduce(rows) for rows in calls]

    def rereduce_all(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        return [self.rereduce(values) for values in calls]

    def finish(self, value: Any) -> Any:
        return value

    def reduce(self, rows: Sequence[Row]) -> Any:
        raise NotImplementedError

    def rereduce(self, values: Sequence[Any]) -> Any:
        raise NotImplementedError


class Sum(Builtin):
    """Numbers; arrays, element by element; objects, member by member."""

    def __init__(self, overflow: SumOverflow) -> None:
        self._overflow = overflow

    def reduce(self, rows: Sequence[Row]) -> Any:
        def given() -> Sequence[Any]:
            return [[[key, docid], value] for key, docid, value in rows]

        return self._sum([value for _, _, value in rows], given)

    def rereduce(self, values: Sequence[Any]) -> Any:
        return self._sum(values, lambda: values)

    def _sum(self, values: Sequence[Any], given: Callable[[], Sequence[Any]]) -> Any:
        if _NUMBERS.issuperset(map(type, values)):
            return _finite(_added(values))
        total: Any = 0
        for value in values:
            try:
                total = _sum_values(value, total)
            except _SumError as error:
                total = error.row
                break
        return self._overflow.check(total, given)


class _SumError(Exception):
    def __init__(self, row: Any) -> None:
        super().__init__(row)
        self.row = row


def _not_summable(value: Any) -> NoReturn:
    raise _SumError({"error": "builtin_reduce_error", "reason": SUM_ERROR, "caused_by": value})


def _sum_values(value: Any, total: Any) -> Any:
    if type(value) in _NUMBERS and type(total) in _NUMBERS:
        return _finite(total + value)
    if isinstance(value, dict):
        return _sum_object(value, total)
    values = [value] if type(value) in _NUMBERS else value
    totals = [total] if type(total) in _NUMBERS else total
    if isinstance(values, list) and isinstance(totals, list):
        return _sum_arrays(totals, values)
    _not_summable(value)


def _sum_arrays(totals: list[Any], values: list[Any]) -> list[Any]:
    summed = []
    for n in range(min(len(totals), len(values))):
        if type(totals[n]) not in _NUMBERS or type(values[n]) not in _NUMBERS:
            _not_summable(totals[n:])
        summed.append(_finite(totals[n] + values[n]))
    return summed + totals[len(summed) :] + values[len(summed) :]


@of_any_depth
def _sum_object(value: dict[str, Any], total: Any) -> Steps[Any]:
    if "error" in value:
        if value["error"] == "builtin_reduce_error":
            raise _SumError(value)
        raise Crash("case_clause", f'{{<<"error">>,{format_term(value["error"])}}}')
    if type(total) is int and total == 0:
        return value
    if not isinstance(total, dict):
        raise Crash("case_clause", format_term(total))
    summed = {}
    for name in sorted(value.keys() | total.keys()):
        if name in value and name in total:
            one, other = value[name], total[name]
            nested = isinstance(one, dict)
            summed[name] = (yield _sum_object.step(one, other)) if nested else _sum_values(one, other)
        else:
            summed[name] = value[name] if name in value else total[name]
    return summed


def _added(numbers: Sequence[float]) -> float:
    """Add from the first to the last. ``sum`` compensates for rounding in newer Pythons."""
    return reduce(add, numbers)


def _finite(number: float) -> float:
    if type(number) is float and not math.isfinite(number):
        raise Crash("badarith", "badarith")
    return number


_Stats = tuple[float, float, float, float, float]
"""sum, count, min, max, sumsqr: the partial value of numbers. Arrays have a list of them."""

_MEMBERS = ("sum", "count", "min", "max", "sumsqr")


class Stats(Builtin):
    """Sum, count, minimum, maximum and sum of squares of numbers, or of the elements of arrays of one length."""

    def reduce(self, rows: Sequence[Row]) -> Any:
        values = [value for _, _, value in rows]
        if _NUMBERS.issuperset(map(type, values)):
            squares = _added(list(map(mul, values, values)))
            return _finite(_added(values)), len(values), min(values), max(values), _finite(squares)
        return _stats(values)

    def rereduce(self, values: Sequence[Any]) -> Any:
        if any(type(value) is not tuple for value in values):
            return _stats(values)
        sums, counts, lowest, highest, squares = zip(*values, strict=True)
        return _finite(_added(sums)), _added(counts), min(lowest), max(highest), _finite(_added(squares))

    def finish(self, value: Any) -> Any:
        return _finished_stats(value) if isinstance(value, list) else dict(zip(_MEMBERS, value, strict=True))


@of_any_depth
def _finished_stats(value: Any) -> Steps[Any]:
    if not isinstance(value, list):
        return dict(zip(_MEMBERS, value, strict=True))
    finished = []
    for each in value:
        finished.append((yield _finished_stats.step(each)))
    return finished


def _stats(values: Sequence[Any]) -> Any:
    total = _initial_stats(values[0])
    for value in values[1:]:
        total = _stats_values(value, total)
    return total


@of_any_depth
def _initial_stats(value: Any) -> Steps[Any]:
    if isinstance(value, list):
        initial = []
        for each in value:
            initial.append((yield _initial_stats.step(each)))
        return initial
    if type(value) in _NUMBERS:
        return _stats_of(value)
    if isinstance(value, tuple):
        return value
    if isinstance(value, dict):
        return _unpacked_stats(value)
    raise Crash("invalid_value", f"non-numeric _stats input: {write_term(value)}")


@of_any_depth
def _stats_values(value: Any, total: Any) -> Steps[Any]:
    if isinstance(value, list) and isinstance(total, list):
        if len(value) != len(total):
            raise Crash("function_clause", "lists:zipwith/3")
        summed = []
        for each, sums in zip(value, total, strict=True):
            summed.append((yield _stats_values.step(each, sums)))
        return summed
    if isinstance(value, dict):
        value = _unpacked_stats(value)
    elif type(value) in _NUMBERS:
        value = _stats_of(value)
    if isinstance(value, tuple) and isinstance(total, tuple):
        return (
            _finite(value[0] + total[0]),
            value[1] + total[1],
            min(value[2], total[2]),
            max(value[3], total[3]),
            _finite(value[4] + total[4]),
        )
    shown = "{" + ",".join(map(format_term, value)) + "}" if isinstance(value, tuple) else format_term(value)
    raise Crash(
        "invalid_value",
        f"The _stats function requires that map values be numbers or arrays of numbers, not '{shown}'",
    )


def _stats_of(number: float) -> _Stats:
    return number, 1, number, number, _finite(number * number)


def _unpacked_stats(members: dict[str, Any]) -> _Stats:
    """Return statistics that a map function has gathered: an object with all five members."""
    for name in _MEMBERS:
        if name not in members:
            pairs = ",".join(f'{{<<"{each}">>,{format_term(value)}}}' for each, value in members.items())
            raise Crash("invalid_value", f"user _stats input missing required field {name} ([{pairs}])")
        if type(members[name]) not in _NUMBERS:
            shown = write_term(members[name])
            raise Crash("invalid_value", f"non-numeric _stats input received for {name}: {shown}")
    return tuple(members[name] for name in _MEMBERS)


# Which function a name means, and those that count or look at keys or ranks.


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
