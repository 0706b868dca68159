"""Which index answers a query, and the answer of ``_explain``, which describes the plan.

Of the indexes that have every document the query may find, in the requested order, the one is chosen whose first
columns are narrowed by most of the selector's fields; then the one with fewest columns; then the first by name.
The number of rows in a range is not considered. If no index can be used, all documents are read.

What was considered, and why it was not chosen, is recorded for ``_explain``.
Source: the server's ``mango_idx``, ``mango_idx_view`` and ``mango_cursor``; CouchDB documentation, "/{db}/_explain".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from couchfake.mango import errors
from couchfake.mango.errors import crash
from couchfake.mango.index import ALL_DOCS_COLUMN, IndexDefinition
from couchfake.mango.options import FindOptions
from couchfake.mango.ranges import (
    MAX,
    MIN,
    Range,
    SortKey,
    check_end,
    end_key,
    field_ranges,
    indexable_fields,
    start_key,
)
from couchfake.mango.selector import Selector, field_names, is_constant, unrequired
from couchfake.values.collation import MAX_KEY

EVERY_ID = Range("$gt", None, "$lt", MAX)
"""The range over all documents where the selector says nothing of ``_id``."""


@dataclass
class Ranked:
    """An index with the ranges of its first columns; ``missed`` counts the narrowed fields that it has no use for."""

    index: IndexDefinition
    ranges: list[Range | None]
    missed: int

    @property
    def merit(self) -> tuple[int, int, tuple[bool, str, str]]:
        return self.missed, len(self.index.columns), self.index.place


@dataclass
class Trace:
    """What became of the indexes: each list is a part of the one before, but for partial indexes that are named."""

    all: list[IndexDefinition]
    whole: list[IndexDefinition]  # without partial indexes
    in_scope: list[IndexDefinition]  # of the query's partition, or of the whole database
    usable: list[IndexDefinition]
    unusable: dict[tuple[bool, str, str], str]  # place of an index in scope → why it cannot serve
    allowed: list[IndexDefinition] = field(default_factory=list)  # by use_index
    of_type: list[IndexDefinition] = field(default_factory=list)
    ranked: list[Ranked] = field(default_factory=list)


@dataclass
class Plan:
    """How a query runs. ``index`` None: it cannot. ``ranges`` None: nothing can match, so nothing is looked at."""

    options: FindOptions
    index: IndexDefinition | None
    ranges: list[Range] | None
    trace: Trace

    @property
    def descending(self) -> bool:
        return bool(self.options.sort) and self.options.sort[0][1] == "desc"

    @property
    def covering(self) -> bool:
        """Return whether the index has all requested fields, so that documents are not read."""
        fields = self.options.fields
        if self.index is None or fields is None:
            return False
        return self.index.covers([*fields, *field_names(self.options.selector)])

    @property
    def include_docs(self) -> bool:
        return self.options.r == 1 and not self.covering


def plan(
    options: FindOptions,
    indexes: Sequence[IndexDefinition],
    sort_key: SortKey,
    *,
    partitioned: bool = False,
    explain: bool = False,
) -> Plan:
    """Choose an index. Raise a CouchError if the query cannot run, unless it is for ``explain``."""
    trace = _usable_indexes(options, indexes)
    if not trace.usable and not explain:
        raise errors.no_usable_index("" if not partitioned else "partitioned " if options.partition else "global ")
    allowed = named_by(options.use_index, trace.usable)
    if not allowed:
        if not options.allow_fallback:
            _refuse_fallback(options.use_index, trace.usable)
        allowed = trace.usable
    if not allowed:
        return Plan(options, None, [], trace)
    trace.allowed = allowed
    trace.of_type = [index for index in allowed if not index.special] or allowed
    return _with_best_index(options, trace, sort_key)


def _refuse_fallback(use_index: list[str], usable: list[IndexDefinition]) -> None:
    """Without ``allow_fallback`` neither another index than the named one will do nor a scan over all documents."""
    if use_index:
        ddoc, name = [*use_index, None][:2]
        raise errors.invalid_index(f"_design/{_bare(str(ddoc))}", name)
    if len(usable) == 1:  # the server refuses only if there is no other index to choose
        raise errors.index_not_named()


def _usable_indexes(options: FindOptions, indexes: Sequence[IndexDefinition]) -> Trace:
    named = {index.place for index in named_by(options.use_index, indexes)}
    considered = [index for index in indexes if index.partial_filter is None or index.place in named]
    in_scope = [index for index in considered if index.special or index.partitioned == bool(options.partition)]
    sort_fields = [name for name, _ in options.sort]
    reasons = {index.place: why_unusable(index, options.selector, sort_fields) for index in in_scope}
    usable = [index for index in in_scope if reasons[index.place] is None]
    unusable = {place: reason for place, reason in reasons.items() if reason is not None}
    whole = [index for index in indexes if index.partial_filter is None]
    return Trace(list(indexes), whole, in_scope, usable, unusable)


def _with_best_index(options: FindOptions, trace: Trace, sort_key: SortKey) -> Plan:
    narrowed = field_ranges(options.selector, sort_key)
    width = len(narrowed)
    if trace.of_type[0].special:
        width += 1  # the range over everything counts as one, even where there is a better one
        narrowed.setdefault(ALL_DOCS_COLUMN, EVERY_ID)
    for index in trace.of_type:
        prefix = _prefix(index.columns, narrowed)
        trace.ranked.append(Ranked(index, prefix, width - len(prefix)))
    trace.ranked.sort(key=lambda ranked: ranked.merit)
    best = trace.ranked[0]
    ranges: list[Range] | None = [span for span in best.ranges if span is not None]
    if None in best.ranges or options.selector in ({"$and": []}, {"$or": []}):
        ranges = None
    return Plan(options, best.index, ranges, trace)


def _prefix(columns: list[str], narrowed: dict[str, Range | None]) -> list[Range | None]:
    """Return the ranges of an index's first columns, up to the first column without one."""
    prefix = []
    for column in columns:
        if column not in narrowed:
            break
        prefix.append(narrowed[column])
    return prefix


def named_by(use_index: list[str], indexes: Sequence[IndexDefinition]) -> list[IndexDefinition]:
    """Return the indexes that ``use_index`` names: one, or all of a design document."""
    if not use_index:
        return []
    ddoc = f"_design/{_bare(use_index[0])}"
    return [index for index in indexes if index.ddoc == ddoc and use_index[1:] in ([], [index.name])]


def _bare(ddoc: str) -> str:
    return ddoc.removeprefix("_design/")


# ---- usability


def why_unusable(index: IndexDefinition, selector: Selector, sort_fields: list[str]) -> str | None:
    """Return why an index cannot serve a normalised selector, as ``_explain`` names it, or None if it can."""
    if index.special:
        if not sort_fields:
            return None
        if ALL_DOCS_COLUMN not in indexable_fields(selector):
            return "field_mismatch"
        return None if sort_fields == [ALL_DOCS_COLUMN] else "sort_order_mismatch"
    if _is_text_search(selector):
        return "needs_text_search"
    columns = index.columns
    # Documents that lack a column are not in the index. The selector, or the sort, must ask for the column.
    needed = sorted(set(columns) - set(sort_fields) - {"_id", "_rev"})
    if unrequired([selector], needed):
        return "field_mismatch"
    return None if _serves_sort(columns, sort_fields, selector) else "sort_order_mismatch"


def _serves_sort(columns: list[str], sort_fields: list[str], selector: Selector) -> bool:
    """Return whether rows come in this order: the sort's columns first, but for columns with one value only."""
    if not sort_fields:
        return True
    for n, column in enumerate(columns):
        if column == sort_fields[0]:
            return columns[n : n + len(sort_fields)] == sort_fields
        if not is_constant(selector, column):
            return False
    return False


def _is_text_search(selector: Any) -> bool:
    """Return whether the selector uses ``$text``.

    The server looks for it in the arguments of conditions, too, and breaks on what it does not expect there: null and
    arrays inside of arrays, objects of several members. It does so for each index that it considers.
    """
    rest = [selector]
    while rest:
        selector = rest.pop()
        if isinstance(selector, dict) and len(selector) <= 1:
            for name, condition in selector.items():
                if name == "$default":
                    return True
                if isinstance(condition, dict):
                    rest.append(condition)
                elif isinstance(condition, list):
                    rest += reversed(condition)
        elif not isinstance(selector, (str, int, float)):
            raise crash("function_clause")
    return False


# ---- _explain


def explain(db_name: str, partitioned: bool, plan: Plan) -> dict[str, Any]:
    """Return the answer of ``_explain``, its members in the server's order."""
    options = plan.options
    answer: dict[str, Any] = {
        "dbname": db_name,
        "index": plan.index.to_json() if plan.index else None,
        "partitioned": partitioned,
        "selector": options.selector,
        "opts": options.to_json(),
        "limit": options.limit,
        "skip": options.skip,
        "fields": options.fields or [],
        "index_candidates": _candidates(plan),
        "selector_hints": [_hints(options.selector)],
    }
    if plan.index:
        answer["mrargs"] = _view_arguments(plan)
        answer["covering"] = plan.covering
    return answer


def keys(plan: Plan) -> tuple[Any, Any]:
    """Return the lowest and the highest key that the query looks at, None twice if it looks at nothing."""
    if plan.ranges is None:
        return None, None
    if plan.index is None or not plan.index.special:
        return start_key(plan.ranges), end_key(plan.ranges)
    (span,) = plan.ranges
    check_end(span)
    return "" if span.low is MIN else span.low, MAX_KEY if span.high is MAX else span.high


def _view_arguments(plan: Plan) -> dict[str, Any]:
    options = plan.options
    first, last = map(_shown_key, keys(plan))
    if plan.descending:
        first, last = last, first
    return {
        "include_docs": plan.include_docs,
        "view_type": "map",
        "reduce": False,
        "partition": options.partition or None,
        "start_key": first,
        "end_key": last,
        "direction": "rev" if plan.descending else "fwd",
        "stable": options.stable or options.stale,
        "update": options.update and not options.stale,
        "conflicts": True if options.conflicts else "undefined",
    }


def _shown_key(key: Any) -> Any:
    if isinstance(key, list):
        return [_shown_key(part) if part is MAX_KEY else part for part in key]
    return "<MAX>" if key is MAX_KEY else key


def _hints(selector: Selector) -> dict[str, Any]:
    """Return which fields of the selector an index could serve. The part from a colon on, a type, is cut off."""
    indexable = {name.partition(":")[0] for name in indexable_fields(selector)}
    return {
        "type": "json",
        "indexable_fields": sorted(indexable),
        "unindexable_fields": sorted(set(field_names(selector)) - indexable),
    }


def _candidates(plan: Plan) -> list[dict[str, Any]]:
    """Return the indexes that were not taken, the last by name first, each with one reason."""
    verdicts = _verdicts(plan.trace, plan.index)
    return [
        {
            "index": index.to_json(),
            "analysis": {
                "usable": verdict.usable,
                "reasons": [{"name": verdict.reason}],
                "ranking": verdict.rank,
                "covering": None if index.special else index.covers(plan.options.fields),
            },
        }
        for index in reversed(plan.trace.all)
        if plan.index is None or index.place != plan.index.place
        for verdict in [verdicts[index.place]]
    ]


@dataclass
class _Verdict:
    """Whether an index could serve, why it was not taken, and its rank behind the one that was."""

    usable: bool
    reason: str
    rank: int


def _verdicts(trace: Trace, chosen: IndexDefinition | None) -> dict[tuple[bool, str, str], _Verdict]:
    """Return the verdict on each index.

    An index that drops out at an early stage ranks behind those that drop out later; a stage at which none drops out
    takes no rank. A partial index that is named counts as dropped at the first stage and continues: its ranks are added
    up.
    """
    stages = (
        (trace.allowed, trace.of_type, True, "unfavored_type"),
        (trace.usable, trace.allowed, True, "excluded_by_user"),
        (trace.in_scope, trace.usable, False, ""),
        (trace.whole, trace.in_scope, False, "scope_mismatch"),
        (trace.all, trace.whole, False, "is_partial"),
    )
    verdicts: dict[tuple[bool, str, str], _Verdict] = {}

    def add(place: tuple[bool, str, str], usable: bool, reason: str, rank: int) -> None:
        known = verdicts.setdefault(place, _Verdict(True, reason, 0))
        verdicts[place] = _Verdict(known.usable and usable, reason, known.rank + rank)

    for n, ranked in enumerate(trace.ranked):
        columns = len(chosen.columns) if chosen else 0
        reason = "alphabetically_comes_after" if len(ranked.index.columns) <= columns else "too_many_fields"
        add(ranked.index.place, True, "less_overlap" if ranked.missed else reason, n)
    rank = max(1, len(trace.ranked))
    for before, after, usable, reason in stages:
        remaining = {index.place for index in after}
        dropped = [index.place for index in before if index.place not in remaining]
        for place in dropped:
            add(place, usable, reason or trace.unusable[place], rank)
        rank += 1 if dropped else 0
    return verdicts
