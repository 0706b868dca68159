"""Conflicts that a test makes, and revision trees as text and picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.control.revision_trees import RevisionTree
from couchfake.errors import CouchError


@pytest.fixture
def fake() -> CouchFake:
    made = CouchFake()
    made.node.create_database("shop")
    return made


def test_a_document_in_conflict_has_a_winner_and_losers(fake: CouchFake) -> None:
    tree = fake.conflict("shop", "tea", {"price": 3}, {"price": 4}, {"price": 5}, base={"price": 2})
    document = fake.ask("GET", "/shop/tea?conflicts=true&revs=true")
    assert tree.winner is not None
    assert tree.winner.rev == document["_rev"]
    assert sorted(each.rev for each in tree.conflicts) == sorted(document["_conflicts"])
    assert len(document["_conflicts"]) == 2
    assert document["_revisions"]["start"] == 2
    assert sorted(each.body["price"] for each in [tree.winner, *tree.conflicts] if each.body) == [3, 4, 5]


def test_revisions_are_those_that_the_server_makes_for_the_same_edits(fake: CouchFake) -> None:
    first = fake.ask("PUT", "/shop/tea", {"price": 2})["rev"]
    tree = fake.conflict("shop", "tea", {"price": 3}, {"price": 4}, base={"price": 2})
    assert [root.rev for root in tree.roots] == [first]


def test_any_tree_can_be_grown(fake: CouchFake) -> None:
    tree = fake.grow("shop", "tea", [{"n": 1}, [{"n": 2}, {"n": 3}], {"n": 4}, None], {"n": 9})
    assert sorted((each.generation, each.state) for each in tree) == [
        (1, "conflict"), (1, "stored"), (2, "conflict"), (2, "deleted"), (2, "stored"), (3, "winner"),
    ]  # fmt: skip


def test_ancestors_whose_bodies_are_there_are_known(fake: CouchFake) -> None:
    rev = fake.ask("PUT", "/shop/tea", {"n": 1})["rev"]
    fake.ask("PUT", "/shop/tea", {"n": 2, "_rev": rev})
    assert [each.state for each in fake.revision_tree("shop", "tea")] == ["stored", "winner"]
    fake.ask("POST", "/shop/_compact")
    assert [each.state for each in fake.revision_tree("shop", "tea")] == ["missing", "winner"]


def test_a_tree_is_drawn_as_text(fake: CouchFake) -> None:
    tree = fake.grow("shop", "tea", [{"n": 1}, [{"n": 2}, {"n": 3}], None])
    [first] = tree.roots
    second, deleted = first.children
    [third] = second.children
    assert str(tree).splitlines() == [
        "tea",
        f"└─ {first.short}",
        f"   ├─ {second.short}",
        f"   │  └─ {third.short}  *",
        f"   └─ {deleted.short}  deleted",
    ]
    assert repr(tree) == "<revision tree of 'tea': 4 revisions, 0 conflicts>"


def test_a_tree_is_drawn_as_a_picture(fake: CouchFake) -> None:
    tree = fake.conflict("shop", "<b>&", {"n": 1}, {"n": 2})
    root = ET.fromstring(tree.svg())
    assert root.tag.endswith("svg")
    assert "".join(root.itertext()).count("winner") == 1
    assert "Revisions of <b>&" in "".join(root.itertext())
    assert tree._repr_html_() == tree.svg()


def test_branches_whose_ancestors_were_cut_off_are_separate_roots() -> None:
    def leaf(start: int, *ids: str) -> dict[str, Any]:
        return {"_id": "x", "_rev": f"{start}-{ids[0]}", "_revisions": {"start": start, "ids": list(ids)}}

    tree = RevisionTree.of_leaves("x", [leaf(5, "e", "d"), leaf(9, "y", "w"), leaf(5, "z", "d", "c", "b")])
    assert [root.rev for root in tree.roots] == ["2-b", "8-w"]
    assert [each.rev for each in tree] == ["2-b", "3-c", "4-d", "5-e", "5-z", "8-w", "9-y"]


def test_deep_trees_are_drawn(fake: CouchFake) -> None:
    branch: Any = {"n": 2000}
    for n in reversed(range(900)):
        branch = [{"n": n}, branch]
    tree = fake.grow("shop", "tea", branch)
    assert tree.winner is not None
    assert tree.winner.generation == 901
    assert len(str(tree).splitlines()) == 902


@pytest.mark.parametrize(
    ("bodies", "message"),
    [([{"a": 1}], "at least two"), ([{"a": 1}, {"a": 1}], "one revision"), ([1, 2], "must be a dict")],
)
def test_what_is_not_a_conflict_is_refused(fake: CouchFake, bodies: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fake.conflict("shop", "tea", *bodies)
    with pytest.raises(CouchError):
        fake.revision_tree("shop", "tea")
