"""Queries of one tree: ranges, offsets, keys, groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchfake.errors import CouchError
from couchfake.values.collation import Collator
from couchfake.views import tree as rows_tree
from couchfake.views.index import TreeDefinition
from couchfake.views.keys import MISSING, ordinal, position
from couchfake.views.options import ViewOptions
from couchfake.views.query import ViewQuery
from couchfake.views.reduce import builtin_reducer
from couchfake.views.tree import RowTree

COLLATOR = Collator()
SUM = builtin_reducer("_sum", COLLATOR.sort_key)
assert SUM is not None
DEFINITION = TreeDefinition(COLLATOR.sort_key, [SUM])


@pytest.fixture(autouse=True)
def _small_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_tree, "LEAF_ROWS", 4)
    monkeypatch.setattr(rows_tree, "FANOUT", 4)


def tree_of(rows: Sequence[tuple[Any, str, Any]], definition: TreeDefinition = DEFINITION) -> RowTree:
    positions: list[bytes] = []
    for key, docid, _ in rows:
        at = definition.prefix(docid) + definition.collate(key)
        n = 0
        while position(at, docid, ordinal(0, n)) in positions:
            n += 1
        positions.append(position(at, docid, ordinal(0, n)))
    return RowTree(definition.reducers).apply((), positions, list(rows))


def ask(tree: RowTree, definition: TreeDefinition = DEFINITION, **options: Any) -> tuple[int, list[str]]:
    """Offset, and the ids of the rows."""
    answer = ViewQuery(tree, definition, ViewOptions(**options)).rows()
    assert answer.total_rows == len(tree)
    return answer.offset, [docid for _, docid, _ in answer.rows]


def reduced(tree: RowTree, definition: TreeDefinition = DEFINITION, **options: Any) -> list[tuple[Any, Any]]:
    return list(ViewQuery(tree, definition, ViewOptions(**options)).reduced(0))


EIGHT = tree_of([(n // 2, f"d{n}", n) for n in range(8)])


@pytest.mark.parametrize(
    ("options", "offset", "rows"),
    [
        ({}, 0, "01234567"),
        ({"start_key": 1}, 2, "234567"),
        ({"end_key": 1}, 0, "0123"),
        ({"end_key": 1, "inclusive_end": False}, 0, "01"),
        ({"start_key": 1, "end_key": 1}, 2, "23"),
        ({"start_key": 1, "end_key": 1, "inclusive_end": False}, 2, ""),
        ({"start_key": 1, "start_key_docid": "d3"}, 3, "34567"),
        ({"end_key": 1, "end_key_docid": "d2"}, 0, "012"),
        ({"end_key": 1, "end_key_docid": "d3", "inclusive_end": False}, 0, "012"),
        ({"start_key_docid": "d3"}, 0, "01234567"),  # which means nothing without its key
        ({"start_key": 2, "end_key": 2, "start_key_docid": "z", "end_key_docid": "a"}, 6, ""),
        ({"start_key": 1.5, "end_key": 9}, 4, "4567"),
        ({"start_key": "a"}, 8, ""),
        ({"end_key": None}, 0, ""),
        ({"skip": 3, "limit": 2}, 3, "34"),
        ({"skip": 30}, 8, ""),
        ({"start_key": 1, "skip": 1, "limit": 1}, 3, "3"),
        ({"limit": 0}, 0, ""),
        ({"descending": True}, 0, "76543210"),
        ({"descending": True, "start_key": 2}, 2, "543210"),
        ({"descending": True, "end_key": 2}, 0, "7654"),
        ({"descending": True, "end_key": 2, "inclusive_end": False}, 0, "76"),
        ({"descending": True, "start_key": 2, "start_key_docid": "d4"}, 3, "43210"),
        ({"descending": True, "end_key": 2, "end_key_docid": "d5"}, 0, "765"),
        ({"descending": True, "end_key": 2, "end_key_docid": "d5", "inclusive_end": False}, 0, "76"),
        ({"descending": True, "start_key": 2, "skip": 1, "limit": 2}, 3, "43"),
        ({"keys": [3, 0]}, 6, "6701"),
        ({"keys": [3, "none", 3]}, 6, "6767"),
        ({"keys": ["none", 0]}, 0, "01"),
        ({"keys": [0, "none"], "inclusive_end": False}, 8, ""),
        ({"keys": []}, 0, ""),
        ({"keys": [3, 0], "skip": 1, "limit": 2}, 7, "70"),
        ({"keys": [3, 0, 1], "descending": True}, 4, "321076"),
    ],
)
def test_rows_and_offsets_of_ranges_and_keys(options: dict[str, Any], offset: int, rows: str) -> None:
    assert ask(EIGHT, **options) == (offset, [f"d{n}" for n in rows])


@pytest.mark.parametrize("descending", [False, True])
def test_a_range_that_lies_the_wrong_way_round_is_an_error(descending: bool) -> None:
    start, end = (1, 2) if descending else (2, 1)
    with pytest.raises(CouchError) as caught:
        ask(EIGHT, start_key=start, end_key=end, descending=descending)
    assert (caught.value.status, caught.value.error) == (400, "query_parse_error")
    assert caught.value.reason.endswith(f"set descending={str(not descending).lower()}")


def test_the_same_key_at_both_ends_is_never_the_wrong_way_round() -> None:
    assert ask(EIGHT, start_key=2, end_key=2.0, descending=True) == (2, ["d5", "d4"])


PARTITIONED = TreeDefinition(COLLATOR.sort_key, [SUM], partitioned=True)
IN_PARTITIONS = tree_of([(n % 4, f"{'eu' if n < 4 else 'us'}:{n}", n) for n in range(8)], PARTITIONED)


@pytest.mark.parametrize(
    ("options", "offset", "rows"),
    [
        ({"partition": "eu"}, 0, "0123"),
        ({"partition": "us"}, 4, "4567"),
        ({"partition": "none"}, 4, ""),
        ({"partition": "us", "start_key": 1, "end_key": 2}, 5, "56"),
        ({"partition": "eu", "descending": True}, 4, "3210"),
        ({"partition": "eu", "skip": 3}, 3, "3"),
        ({"partition": "eu", "skip": 9}, 4, ""),  # where the partition ends
        ({"partition": "us", "keys": [3, 0]}, 7, "74"),
    ],
)
def test_a_partition_has_rows_of_its_own_and_places_in_the_whole_view(
    options: dict[str, Any], offset: int, rows: str
) -> None:
    found, ids = ask(IN_PARTITIONS, PARTITIONED, **options)
    assert (found, [docid[-1] for docid in ids]) == (offset, list(rows))


def test_reductions_stay_within_their_partition() -> None:
    assert reduced(IN_PARTITIONS, PARTITIONED, partition="us") == [(None, 4 + 5 + 6 + 7)]
    assert reduced(IN_PARTITIONS, PARTITIONED, partition="us", group=True, limit=2) == [(0, 4), (1, 5)]
    assert reduced(IN_PARTITIONS, PARTITIONED, partition="none") == []


LEVELS = tree_of(
    [
        (key, f"d{n:02}", 1)
        for n, key in enumerate([["a", 1, "x"], ["a", 1, "y"], ["a", 2], ["a"], ["b", 1], [], "a", 5])
    ]
)


@pytest.mark.parametrize(
    ("options", "groups"),
    [
        ({}, [(None, 8)]),
        ({"group_level": 1}, [(5, 1), ("a", 1), ([], 1), (["a"], 4), (["b"], 1)]),
        ({"group_level": 2}, [(5, 1), ("a", 1), ([], 1), (["a"], 1), (["a", 1], 2), (["a", 2], 1), (["b", 1], 1)]),
        ({"group_level": 1, "descending": True}, [(["b"], 1), (["a"], 4), ([], 1), ("a", 1), (5, 1)]),
        ({"group_level": 1, "start_key": ["a", 1, "y"], "end_key": ["b"]}, [(["a"], 2)]),
        ({"group_level": 1, "skip": 1, "limit": 2}, [("a", 1), ([], 1)]),
        ({"group": True, "keys": [["b", 1], "none", 5, 5]}, [(["b", 1], 1), (5, 1), (5, 1)]),
        ({"group": True, "keys": [5, ["a"]], "skip": 1}, [(["a"], 1)]),
        ({"start_key": "none", "end_key": "none"}, []),
        ({"limit": 0}, []),
    ],
)
def test_groups_by_level_and_by_key(options: dict[str, Any], groups: list[tuple[Any, int]]) -> None:
    assert reduced(LEVELS, **options) == groups


def test_keys_that_collate_as_equal_are_one_group_named_by_the_first_met() -> None:
    tree = tree_of([("e\u0301", "1", 1), ("é", "2", 2), ("f", "3", 3)])
    assert reduced(tree, group=True) == [("e\u0301", 3), ("f", 3)]
    assert reduced(tree, group=True, descending=True) == [("f", 3), ("é", 3)]
    assert reduced(tree, group=True, keys=["f", "é"]) == [("f", 3), ("é", 3)]


scalars: st.SearchStrategy[Any] = st.sampled_from([None, False, 0, 1, 2, "a", "B", "b", [], {}])
keys = scalars | st.lists(scalars, max_size=3)


@given(
    st.lists(st.tuples(keys, st.sampled_from("xyz"), st.integers(0, 9)), max_size=40),
    keys | st.just(MISSING),
    keys | st.just(MISSING),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 0, 1, 2]),
    st.integers(0, 5),
    st.none() | st.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_any_query_agrees_with_a_plain_reading_of_the_rows(
    rows: Any, start: Any, end: Any, descending: bool, inclusive: bool, level: int | None, skip: int, limit: int | None
) -> None:
    order = COLLATOR.sort_key
    options = ViewOptions(start_key=start, end_key=end, inclusive_end=inclusive, skip=skip, limit=limit)
    options = replace(options, descending=descending, group_level=level, group=level is None or None)
    tree = tree_of(rows)
    sign = -1 if descending else 1
    if (
        start is not MISSING
        and end is not MISSING
        and sign * (order(start) > order(end)) > sign * (order(start) < order(end))
    ):
        with pytest.raises(CouchError):
            ViewQuery(tree, DEFINITION, options)
        return

    def inside(key: Any) -> bool:
        low, high = (end, start) if descending else (start, end)
        at = order(key)
        above = low is MISSING or at > order(low) or (at == order(low) and (not descending or inclusive))
        below = high is MISSING or at < order(high) or (at == order(high) and (descending or inclusive))
        return above and below

    wanted = sorted(
        (row for row in rows if inside(row[0])), key=lambda row: (order(row[0]), row[1]), reverse=descending
    )
    stop = None if limit is None else skip + limit
    query = ViewQuery(tree, DEFINITION, options)
    answered = [(order(key), docid) for key, docid, _ in query.rows().rows]
    assert answered == [(order(key), docid) for key, docid, _ in wanted[skip:stop]]

    groups: dict[bytes, list[int]] = {}
    for key, _, value in wanted:
        cut = key[:level] if isinstance(key, list) else key
        groups.setdefault(b"" if level == 0 else order(cut), []).append(value)
    assert [value for _, value in query.reduced(0)] == [sum(values) for values in groups.values()][skip:stop]
