"""The tree of rows against a plain sorted list."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchfake.values.collation import HIGHEST
from couchfake.views import tree as rows_tree
from couchfake.views.keys import KeyRange, ordinal, position
from couchfake.views.reduce import Builtin
from couchfake.views.tree import Inner, Leaf, Row, RowTree


class Gather(Builtin):
    """A reducer whose value shows which rows went into it, in no order."""

    def reduce(self, rows: Sequence[Row]) -> list[Any]:
        assert rows
        return sorted(value for _, _, value in rows)

    def rereduce(self, values: Sequence[list[Any]]) -> list[Any]:
        assert values
        return sorted(each for value in values for each in value)


@pytest.fixture(autouse=True)
def _small_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_tree, "LEAF_ROWS", 4)
    monkeypatch.setattr(rows_tree, "FANOUT", 4)
    monkeypatch.setattr(rows_tree, "_FEW", 3)


def with_rows(tree: RowTree, additions: list[tuple[bytes, Row]]) -> RowTree:
    return tree.apply((), [position for position, _ in additions], [row for _, row in additions])


names = st.text("ab", max_size=5).map(lambda text: text.encode())
batches = st.lists(st.tuples(st.sets(names, max_size=12), st.sets(names, max_size=30)), min_size=1, max_size=8)


def grown(batches: list[tuple[set[bytes], set[bytes]]]) -> tuple[RowTree, dict[bytes, Row]]:
    tree, n = RowTree([Gather()]), 0
    expected: dict[bytes, Row] = {}
    for removed, added in batches:
        rows = {}
        for name in sorted(added):
            n += 1
            rows[name] = (name[:1].decode(), name.decode(), n)
        tree = tree.apply(sorted(removed), list(rows), list(rows.values()))
        for name in removed:
            expected.pop(name, None)
        expected.update(rows)
    return tree, expected


def check_shape(tree: RowTree) -> None:
    """All leaves at one depth, counts and first positions true, no node too full."""

    def depth(node: Any) -> int:
        if isinstance(node, Leaf):
            assert 0 < node.count == len(node.rows) == len(node.positions) <= 2 * rows_tree.LEAF_ROWS
            assert node.first == node.positions[0]
            return 0
        assert 0 < len(node.children) <= 2 * rows_tree.FANOUT
        assert node.count == sum(child.count for child in node.children)
        assert node.firsts == [child.first for child in node.children] == sorted(node.firsts)
        depths = {depth(child) for child in node.children}
        assert len(depths) == 1
        return depths.pop() + 1

    if tree._root is not None:
        depth(tree._root)


@given(batches)
@settings(max_examples=150, deadline=None)
def test_batches_of_changes_leave_the_rows_that_a_dictionary_would_have(batches: Any) -> None:
    tree, expected = grown(batches)
    check_shape(tree)
    assert list(tree.rows()) == [expected[name] for name in sorted(expected)]
    assert len(tree) == len(expected)


@given(batches, names, names, st.integers(0, 10))
@settings(max_examples=150, deadline=None)
def test_ranges_ranks_and_reductions_agree_with_a_sorted_list(
    batches: Any, lower: bytes, upper: bytes, skip: int
) -> None:
    tree, expected = grown(batches)
    ordered = sorted(expected)
    low, high = bisect_left(ordered, lower), bisect_left(ordered, upper)
    wanted = [expected[name] for name in ordered[low:high]]
    span = KeyRange(lower, upper)
    assert tree.rank(lower) == low
    assert tree.count(span) == len(wanted)
    assert list(tree.rows(span, skip=skip)) == wanted[skip:]
    assert tree.ranks(span) == (low, max(low, high))
    if wanted:
        assert tree.reduce([tree.ranks(span)]) == [sorted(value for _, _, value in wanted)]


@given(batches, names, names, st.booleans())
@settings(max_examples=100, deadline=None)
def test_groups_have_all_rows_of_a_prefix_within_the_range(
    batches: Any, lower: bytes, upper: bytes, descending: bool
) -> None:
    tree, expected = grown(batches)
    wanted: dict[bytes, list[Any]] = {}
    for name in sorted(expected, reverse=descending):
        if lower <= name < upper:
            wanted.setdefault(name[:1], []).append(expected[name][2])
    if not wanted.pop(b"", True):  # the empty name has no group of its own among prefixes
        return
    groups = list(tree.groups(KeyRange(max(lower, b"\x01"), upper), lambda key: key.encode(), descending=descending))
    assert [key.encode() for key, _ in groups] == list(wanted)
    assert tree.reduce([ranks for _, ranks in groups]) == [sorted(values) for values in wanted.values()]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 5)), max_size=40),
    st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_backwards_the_entries_turn_around_but_not_the_rows_within_one(emits: Any, skip: int) -> None:
    entries: dict[tuple[str, str], list[int]] = {}
    for key, docid, value in emits:
        entries.setdefault((key, docid), []).append(value)
    additions = [
        (position(key.encode() + b"\x00", docid, ordinal(0, n)), (key, docid, value))
        for (key, docid), values in entries.items()
        for n, value in enumerate(sorted(values))
    ]
    tree = with_rows(RowTree(), additions)
    wanted = [
        (key, docid, value)
        for (key, docid), values in sorted(entries.items(), reverse=True)
        for value in sorted(values)
    ]
    assert list(tree.rows(descending=True, skip=skip)) == wanted[skip:]


def test_an_older_tree_is_not_touched_by_later_changes() -> None:
    first = with_rows(RowTree([Gather()]), [(b"%03d" % n, ("k", str(n), n)) for n in range(200)])
    before = list(first.rows())
    second = first.apply([b"%03d" % n for n in range(0, 200, 2)], [b"x"], [("k", "x", 1)])
    assert list(first.rows()) == before
    assert len(second) == 101
    assert first.reduce([(0, 200)]) == [[*range(200)]]


def test_a_failing_reducer_leaves_the_tree_as_it_was() -> None:
    class Refuse(Gather):
        def reduce(self, rows: Sequence[Row]) -> list[Any]:
            if any(value is None for _, _, value in rows):
                raise ValueError("no number")
            return super().reduce(rows)

    tree = with_rows(RowTree([Refuse()]), [(b"a", ("a", "1", 1))])
    with pytest.raises(ValueError, match="no number"):
        with_rows(tree, [(b"b", ("b", "2", None))])
    assert tree.reduce([(0, 1)]) == [[1]]


def test_a_reduction_over_a_long_range_looks_at_the_rows_of_two_leaves_only() -> None:
    seen: list[int] = []

    class Count(Gather):
        def reduce(self, rows: Sequence[Row]) -> Any:
            seen.append(len(rows))
            return [len(rows)]

        def rereduce(self, values: Sequence[Any]) -> Any:
            return [sum(value[0] for value in values)]

    tree = with_rows(RowTree([Count()]), [(b"%05d" % n, ("k", str(n), n)) for n in range(5000)])
    seen.clear()
    assert tree.reduce([tree.ranks(KeyRange(b"00003", b"04998"))]) == [[4995]]
    assert sum(seen) < 4 * rows_tree.LEAF_ROWS


def test_removing_nearly_all_rows_leaves_a_small_tree() -> None:
    tree = with_rows(RowTree(), [(b"%05d" % n, ("k", str(n), n)) for n in range(3000)])
    for low in range(0, 3000, 50):
        tree = tree.apply([b"%05d" % n for n in range(low, low + 50) if n % 50], (), ())
    check_shape(tree)

    def leaves(node: Any) -> int:
        return sum(leaves(child) for child in node.children) if isinstance(node, Inner) else 1

    assert len(tree) == 60
    assert leaves(tree._root) < 60


def test_the_whole_key_space_lies_below_the_highest_cut() -> None:
    tree = with_rows(RowTree(), [(position(b"\x07", "\U0010ffff"), ("k", "d", 1))])
    assert tree.rank(HIGHEST) == 1
