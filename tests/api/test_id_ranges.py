"""Ranges of ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sortedcontainers import SortedList

from couchfake.api.all_docs import IdRange, count_design_documents

LETTERS = SortedList("abcdefgh")
ids = st.text("abc", max_size=3)
maybe_ids = st.none() | ids


def listed(asked: IdRange) -> tuple[str, int]:
    cut = asked.cut(LETTERS)
    return "".join(cut), cut.offset


def test_without_ends_all_ids_are_listed() -> None:
    assert listed(IdRange()) == ("abcdefgh", 0)
    assert listed(IdRange(descending=True)) == ("hgfedcba", 0)


def test_both_ends_belong_to_the_range_unless_the_end_is_excluded() -> None:
    assert listed(IdRange("c", "e")) == ("cde", 2)
    assert listed(IdRange("c", "e", inclusive_end=False)) == ("cd", 2)
    assert listed(IdRange("e", "c", descending=True)) == ("edc", 3)
    assert listed(IdRange("e", "c", inclusive_end=False, descending=True)) == ("ed", 3)


def test_a_range_that_runs_backwards_is_empty_and_placed_where_it_starts() -> None:
    assert listed(IdRange("g", "b")) == ("", 6)
    assert listed(IdRange("b", "g", descending=True)) == ("", 6)


def test_skipping_does_not_move_the_offset() -> None:
    assert listed(IdRange("c", skip=2, limit=2)) == ("ef", 2)
    assert listed(IdRange(descending=True, skip=2, limit=2)) == ("fe", 0)
    assert listed(IdRange(skip=100)) == ("", 0)


def test_anything_but_a_string_sorts_before_all_ids() -> None:
    assert listed(IdRange("")) == ("abcdefgh", 0)
    assert listed(IdRange(None, "")) == ("", 0)
    assert listed(IdRange("", descending=True)) == ("", 8)
    assert listed(IdRange(None, "", descending=True)) == ("hgfedcba", 0)


def test_design_documents_are_those_between_two_ids() -> None:
    names = SortedList(["_design", "_design/a", "_design/b", "_design0", "A", "a"])
    assert count_design_documents(names) == 2
    assert list(IdRange().within("_design/", "_design0~").cut(names)) == ["_design/a", "_design/b", "_design0"]


ranges = st.builds(IdRange, maybe_ids, maybe_ids, st.booleans(), st.booleans(), st.integers(0, 4), st.just(3))


@given(st.lists(ids, unique=True), ranges, maybe_ids)
def test_a_cut_is_what_going_through_all_ids_finds(names: list[str], asked: IdRange, bound: str | None) -> None:
    start, end, descending = asked.start, asked.end, asked.descending
    if bound is not None:
        asked = asked.within(bound, bound + "b")
    ordered = sorted(names, reverse=descending)

    def inside(name: str) -> bool:
        low, high = (end, start) if descending else (start, end)
        if bound is not None and not bound <= name <= bound + "b":
            return False
        if not asked.inclusive_end and name == asked.end:
            return False
        return (low is None or low <= name) and (high is None or name <= high)

    assert list(asked.cut(SortedList(names))) == [name for name in ordered if inside(name)][asked.skip :][:3]
