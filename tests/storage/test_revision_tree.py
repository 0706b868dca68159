from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchfake.storage import revision_tree
from couchfake.storage.revision_ids import RevisionId
from couchfake.storage.revision_tree import Revision, RevisionTree


def merge(tree: RevisionTree, *ids: str, pos: int | None = None, deleted: bool = False) -> str:
    """Join a history, oldest first (``pos`` is the generation of the newest); how the forest grew."""

    def fill(node: Revision) -> None:
        node.deleted = deleted

    growth, node, _ = tree.merge(pos or len(ids), [each.encode() for each in reversed(ids)], fill)
    assert node is not None
    return growth


def refuse(node: Revision) -> None:
    raise AssertionError(node)


def revs(tree: RevisionTree) -> list[str]:
    return [leaf.rev for leaf in tree.leaves]


def history(tree: RevisionTree, rev: str) -> list[str]:
    leaf = next(leaf for leaf in tree.leaves if leaf.rev == rev)
    return [node.rev for node in leaf.lineage()]


def test_an_edit_of_a_leaf_is_a_new_leaf() -> None:
    tree = RevisionTree()
    assert merge(tree, "a") == "new_leaf"
    assert merge(tree, "a", "b") == "new_leaf"
    assert revs(tree) == ["2-b"]


def test_a_known_revision_changes_nothing() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b")
    assert merge(tree, "a") == "internal_node"
    assert merge(tree, "a", "b") == "internal_node"
    assert revs(tree) == ["2-b"]


def test_a_second_edit_of_one_revision_is_a_branch() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b")
    assert merge(tree, "a", "c") == "new_branch"
    assert revs(tree) == ["2-c", "2-b"]


def test_the_longer_branch_wins_over_the_higher_hash() -> None:
    tree = RevisionTree()
    merge(tree, "a", "z")
    merge(tree, "a", "b", "c")
    assert tree.winner.rev == "3-c"


def test_a_live_branch_wins_over_a_longer_deleted_one() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b", "c", deleted=True)
    merge(tree, "a", "d")
    assert tree.winner.rev == "2-d"


def test_an_edit_by_a_user_that_does_not_extend_a_leaf_leaves_the_forest_as_it_was() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b")
    assert tree.merge(2, [b"c", b"a"], refuse, only_as_new_leaf=True) == ("new_branch", None, None)
    assert tree.merge(2, [b"b", b"a"], refuse, only_as_new_leaf=True) == ("internal_node", None, None)
    assert tree.merge(9, [b"z"], refuse, only_as_new_leaf=True) == ("new_branch", None, None)
    assert revs(tree) == ["2-b"]
    assert len(list(tree.nodes())) == 2


def test_a_stemmed_history_joins_where_its_oldest_revision_is_known() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b", "c")
    assert merge(tree, "c", "d", pos=4) == "new_leaf"
    assert history(tree, "4-d") == ["4-d", "3-c", "2-b", "1-a"]


def test_a_fuller_history_lengthens_a_root_that_lacked_its_beginning() -> None:
    tree = RevisionTree()
    merge(tree, "c", pos=3)
    assert merge(tree, "a", "b", "c", "d") == "new_leaf"
    assert history(tree, "4-d") == ["4-d", "3-c", "2-b", "1-a"]
    assert len(tree.roots) == 1


def test_histories_that_share_nothing_have_roots_of_their_own() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b")
    assert merge(tree, "x", "y") == "new_branch"
    assert [root.rev for root in tree.roots] == ["1-a", "1-x"]


def test_a_copy_has_the_history_of_each_branch() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b", "c")
    merge(tree, "a", "x")
    merge(tree, "z", pos=5)
    copied = tree.copy()
    for leaf, expected in (("3-c", ["3-c", "2-b", "1-a"]), ("2-x", ["2-x", "1-a"]), ("5-z", ["5-z"])):
        assert history(copied, leaf) == expected
    merge(copied, "a", "y")
    assert revs(tree) == ["5-z", "3-c", "2-x"]


def test_stemming_keeps_the_newest_revisions_of_each_branch() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b", "c", "d")
    merge(tree, "a", "x")
    tree.stem(2)
    assert history(tree, "4-d") == ["4-d", "3-c"]
    assert history(tree, "2-x") == ["2-x", "1-a"]
    assert sorted(root.rev for root in tree.roots) == ["1-a", "3-c"]


def test_stemming_to_one_leaves_only_leaves() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b", "c")
    merge(tree, "a", "x")
    tree.stem(1)
    assert [node.rev for node in tree.nodes()] == ["2-x", "3-c"]


def test_purging_a_leaf_removes_what_only_its_branch_needed() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b", "c")
    merge(tree, "a", "x")
    assert tree.remove_leaves([(3, b"c"), (2, b"b")]) == [(3, b"c")]
    assert [node.rev for node in tree.nodes()] == ["1-a", "2-x"]


def test_purging_all_leaves_leaves_the_tree_as_it_was_for_those_who_still_read_it() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b")
    assert tree.remove_leaves([(2, b"b")]) == [(2, b"b")]
    assert revs(tree) == ["2-b"]


def test_a_revision_is_filled_before_it_is_among_the_leaves() -> None:
    tree = RevisionTree()
    merge(tree, "a")
    seen = []
    tree.merge(2, [b"b", b"a"], lambda node: seen.append((node.rev, revs(tree))))
    assert seen == [("2-b", ["1-a"])]


def test_only_leaves_can_be_purged() -> None:
    tree = RevisionTree()
    merge(tree, "a", "b")
    assert tree.remove_leaves([(1, b"a")]) == []
    assert revs(tree) == ["2-b"]


@pytest.mark.parametrize("ids", [["a", "b"], ["a", "c"]])
def test_a_revision_is_found_on_any_branch(ids: Sequence[str]) -> None:
    tree = RevisionTree()
    merge(tree, "a", "b")
    merge(tree, "a", "c")
    node = tree.find((2, ids[-1].encode()))
    assert node is not None
    assert node.rev == f"2-{ids[-1]}"


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), min_size=1, max_size=8))
def test_after_any_histories_the_leaves_are_the_nodes_without_children_and_parents_know_them(
    histories: list[list[str]],
) -> None:
    tree = RevisionTree()
    for ids in histories:
        merge(tree, *ids)
    nodes = list(tree.nodes())
    assert sorted(map(id, tree.leaves)) == sorted(id(node) for node in nodes if not node.children)
    assert all(child.parent is node for node in nodes for child in node.children)
    assert all(tree.find((len(ids), ids[-1].encode())) is not None for ids in histories)
    assert tree.winner.rank() == max(leaf.rank() for leaf in tree.leaves)


def drawn(tree: RevisionTree) -> Any:
    """The whole forest: of each revision the revision above it, and the leaves by rank."""
    return [(node.rev, node.parent and node.parent.rev) for node in tree.nodes()], revs(tree), tree.deepest


def change(tree: RevisionTree, path: list[str], start: int, then: str) -> Any:
    """Merge a history, and do something else. Return all that a caller can see."""
    result = merge(tree, *path, pos=start + len(path) - 1)
    end = (start + len(path) - 1, path[-1].encode())
    foreseen = tree.result_of(end[0], [each.encode() for each in reversed(path)])
    found = [tree.find(end), tree.find((start, path[0].encode())), tree.find_leaf(end), tree.find((9, b"a"))]
    counts = [tree.count((pos, each.encode())) for pos in range(1, 4) for each in "abc"]
    purged: list[RevisionId] = []
    if then == "stem":
        tree.stem(2)
    elif then == "repair":
        tree.repair(1000)
    elif then == "purge":
        purged = tree.remove_leaves([end, (2, b"a")])
    elif then == "forget":
        tree.forget_bodies()
    return result, foreseen, [node and node.rev for node in found], counts, purged, drawn(tree), drawn(tree.copy())


def test_a_forest_with_an_index_knows_a_hash_that_was_doubled_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision_tree, "INDEXED", 2)
    tree = RevisionTree()
    merge(tree, "d", "a", pos=4)
    merge(tree, "c")
    merge(tree, "c", "b", "d")  # "d" is there twice, and the last revision that is added is another one
    assert revs(tree) == ["4-a", "3-d"]
    tree.repair(1000)
    assert revs(tree) == ["4-a"]
    assert history(tree, "4-a") == ["4-a", "3-d", "2-b", "1-c"]


HISTORIES = st.tuples(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
    st.integers(1, 3),
    st.sampled_from(["", "", "", "stem", "repair", "purge", "forget"]),
)


@given(st.lists(HISTORIES, min_size=1, max_size=12))
def test_a_forest_with_an_index_is_the_same_as_one_without(histories: list[tuple[list[str], int, str]]) -> None:
    plain, indexed = RevisionTree(), RevisionTree()
    for history in histories:
        expected = change(plain, *history)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(revision_tree, "INDEXED", 2)
            assert change(indexed, *history) == expected
