"""``_explain``: how a query would run.

Source: CouchDB documentation, "/{db}/_explain".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from couchfake.mango.index import IndexDefinition
from couchfake.mango.planner import Plan, Trace
from couchfake.mango.ranges import MAX, MIN, check_end, end_key, indexable_fields, start_key
from couchfake.mango.selector import Selector, field_names
from couchfake.values.collation import MAX_KEY


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
        answer["mrargs"] = _view_arguments(plan, plan.index)
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


def _view_arguments(plan: Plan, index: IndexDefinition) -> dict[str, Any]:
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
