"""How big documents count as being."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchfake.storage import sizes
from couchfake.storage.documents import Body, ParsedBodies
from couchfake.storage.revision_tree import Revision
from couchfake.storage.sizes import LeafSizes, json_size, text_size
from couchfake.values import json as couch_json

from .conftest import Store

WHOLE = st.none() | st.booleans() | st.integers() | st.text("abc xyzäß日😀")
VALUES = st.recursive(WHOLE, lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner))


@given(VALUES)
def test_what_has_no_fractions_and_no_escapes_counts_as_its_text(value: Any) -> None:
    assert json_size(value) == len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("number", "size"),
    [
        (0.0, 3),
        (1.0, 3),
        (-1.0, 4),
        (50.75, 3),
        (0.5, 3),
        (0.001, 4),
        (1e-50, 5),
        (1e-200, 6),
        (1e-301, 3),
        (1e10, 4),
        (1e100, 5),
        (-1e100, 6),
    ],
)
def test_fractions_count_by_rule_of_thumb(number: float, size: int) -> None:
    assert json_size(number) == text_size(couch_json.encode(number)) == size


@given(
    st.recursive(
        WHOLE | st.floats(allow_nan=False, allow_infinity=False), lambda i: st.lists(i) | st.dictionaries(st.text(), i)
    )
)
def test_the_size_is_found_in_the_text_unless_it_has_escapes(value: Any) -> None:
    text = couch_json.encode(value)
    assert text_size(text) == (None if b"\\" in text else json_size(value))


def test_numbers_in_strings_count_as_text() -> None:
    value = {"version 1.50": ["-2.5e-3", 50.75], "e+": 3}
    assert text_size(couch_json.encode(value)) == json_size(value) == len('{"version 1.50":["-2.5e-3",...],"e+":3}')


def test_the_file_grows_with_each_write_until_it_is_compacted(store: Store) -> None:
    sizes = [store.db.sizes()["file"]]
    rev = None
    for _ in range(3):
        rev = store.put("a", rev, text="x" * 100)
        sizes.append(store.db.sizes()["file"])
    assert len(set(sizes[1:])) == 3
    steps = [after - before for before, after in itertools.pairwise(sizes)]
    assert min(steps[1:]) > 100
    store.db.compact()
    assert store.db.sizes()["file"] < sizes[2]


class _Leaf(Revision):
    """A leaf of ten bytes that counts how often its size is computed."""

    def __init__(self) -> None:
        super().__init__(1, b"")
        self.body = Body({}, b"{}", ParsedBodies())
        self.counted = 0

    def size(self) -> int:
        self.counted += 1
        return 10


def test_a_leaf_is_counted_when_the_sum_is_read_and_then_never_again() -> None:
    leaves, total = [_Leaf(), _Leaf()], LeafSizes()
    for leaf in leaves:
        total.add(leaf, None)
    assert [leaf.counted for leaf in leaves] == [0, 0]
    assert [total.total(), total.total()] == [20, 20]
    assert [leaf.counted for leaf in leaves] == [1, 1]


def test_a_leaf_that_was_replaced_before_the_sum_was_read_is_not_counted() -> None:
    former, latest, total = _Leaf(), _Leaf(), LeafSizes()
    total.add(former, None)
    total.add(latest, former)
    assert total.total() == 10
    assert former.counted == 0


def test_a_leaf_that_was_counted_is_subtracted_when_it_is_replaced() -> None:
    former, latest, total = _Leaf(), _Leaf(), LeafSizes([_Leaf()])
    total.add(former, None)
    assert total.total() == 20
    total.add(latest, former)
    total.replace([latest], [_Leaf(), _Leaf()])
    assert total.total() == 30


def test_only_so_many_leaves_are_counted_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "MOST_UNCOUNTED", 3)
    leaves, total = [_Leaf() for _ in range(5)], LeafSizes()
    for leaf in leaves:
        total.add(leaf, None)
    assert [leaf.counted for leaf in leaves] == [0, 0, 0, 1, 1]
    assert total.total() == 50


def test_a_copy_of_a_leaf_counts_as_the_leaf() -> None:
    former, copied, latest, total = _Leaf(), _Leaf(), _Leaf(), LeafSizes()
    copied.body = former.body
    total.add(former, None)
    total.add(latest, copied)
    total.replace([latest], [former])
    assert total.total() == 10
