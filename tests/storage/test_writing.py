"""Edits: what becomes of them, alone and many in one request."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from couchfake.errors import CouchError, Forbidden, MissingStub
from couchfake.storage.writing import write, write_one
from tests.interrupting import traced_by

from .conftest import Store

# ---- edits by users


def test_a_new_document_is_its_first_generation(store: Store) -> None:
    assert store.put("a", x=1) == "1-0785e9eb543380151003dc452c3a001a"
    assert store.leaves("a") == ["1-0785e9eb543380151003dc452c3a001a"]


def test_an_edit_of_the_newest_revision_takes_its_place(store: Store) -> None:
    first = store.put("a", x=1)
    assert store.put("a", first, x=2) == "2-8c49edca19d786e747fb5bea32c4cb91"
    assert store.history("a") == ["2-8c49edca19d786e747fb5bea32c4cb91", first]


@pytest.mark.parametrize("rev", [None, "1-0785e9eb543380151003dc452c3a001a", "2-abc", "7-abc"])
def test_an_edit_of_any_other_revision_conflicts_and_changes_nothing(rev: str | None, store: Store) -> None:
    second = store.put("a", store.put("a", x=1), x=2)
    assert store.put("a", rev, x=3) == "conflict"
    assert store.leaves("a") == [second]
    assert store.db.update_seq == 2


def test_the_same_edit_again_conflicts(store: Store) -> None:
    first = store.put("a", x=1)
    store.put("a", first, x=2)
    assert store.put("a", first, x=2) == "conflict"


def test_deleting_leaves_a_tombstone(store: Store) -> None:
    first = store.put("a", x=1)
    tombstone = store.delete("a", first)
    assert store.leaves("a") == [f"{tombstone}-"]
    assert store.counts() == (0, 1)


def test_deleting_what_was_never_there_makes_a_tombstone_of_its_own(store: Store) -> None:
    assert store.put("a", _deleted=True).startswith("1-")
    assert store.counts() == (0, 1)


def test_a_deleted_document_that_is_created_again_continues_from_its_tombstone(store: Store) -> None:
    tombstone = store.delete("a", store.put("a", x=1))
    revived = store.put("a", x=1)
    assert revived.startswith("3-")
    assert store.history("a")[:2] == [revived, tombstone]
    assert store.counts() == (1, 0)


def test_a_tombstone_can_be_named_as_the_revision_to_go_on_from_only_beside_a_live_branch(store: Store) -> None:
    tombstone = store.delete("a", store.put("a", x=1))
    assert store.put("a", tombstone, x=2) == "conflict"
    store.replicate("a", 1, "f" * 32)
    revived = store.put("a", tombstone, x=2)
    assert store.leaves("a") == [revived, "1-" + "f" * 32]


def test_deleting_a_deleted_document_conflicts(store: Store) -> None:
    store.delete("a", store.put("a", x=1))
    assert store.put("a", _deleted=True) == "conflict"


def test_deleting_the_winner_lets_the_next_branch_win(store: Store) -> None:
    store.replicate("a", 2, "bb", "aa")
    store.replicate("a", 2, "cc", "aa")
    tombstone = store.delete("a", "2-cc")
    assert store.leaves("a") == ["2-bb", f"{tombstone}-"]
    assert store.counts() == (1, 0)


def test_a_losing_branch_can_be_edited(store: Store) -> None:
    store.replicate("a", 2, "bb", "aa")
    store.replicate("a", 2, "cc", "aa")
    longer = store.put("a", "2-bb", x=1)
    assert store.leaves("a") == [longer, "2-cc"]


def test_an_unknown_parent_is_not_a_conflict_for_a_document_that_does_not_exist(store: Store) -> None:
    rev = store.put("a", "1-abc", x=1)
    assert rev.startswith("2-")
    assert store.history("a") == [rev, "1-abc"]


def test_where_validation_functions_are_it_is_one(store: Store) -> None:
    store.hooks.refused["another"] = Forbidden("no")
    assert store.put("a", "1-abc", x=1) == "conflict"
    assert store.db.entry("a") is None


# ---- replicated edits


def test_a_replicated_edit_is_taken_in_with_its_history(store: Store) -> None:
    assert store.replicate("a", 3, "cc", "bb", "aa") == "3-cc"
    assert store.history("a") == ["3-cc", "2-bb", "1-aa"]
    assert [node.body is None for node in store.entry("a").winner.lineage()] == [False, True, True]


def test_a_replicated_edit_never_conflicts(store: Store) -> None:
    own = store.put("a", x=1)
    assert store.replicate("a", 1, "ff" * 16) == "1-" + "ff" * 16
    assert store.leaves("a") == ["1-" + "ff" * 16, own]


def test_a_revision_that_is_known_takes_no_sequence(store: Store) -> None:
    store.replicate("a", 2, "bb", "aa", x=1)
    store.replicate("a", 2, "bb", "aa", x=2)
    assert store.db.update_seq == 1
    assert store.entry("a").winner.body is not None
    assert store.db.open_doc(store.entry("a"))["x"] == 1


def test_an_ancestor_that_comes_later_gets_its_body_and_no_leaf(store: Store) -> None:
    store.replicate("a", 2, "bb", "aa")
    store.replicate("a", 1, "aa", x=1)
    assert store.leaves("a") == ["2-bb"]
    node = store.entry("a").tree.find((1, b"aa"))
    assert node is not None
    assert node.body is not None
    assert node.body.value == {"x": 1}
    assert store.changes() == [(2, "a")]


def test_where_edits_are_validated_an_ancestor_beside_its_descendant_keeps_no_body(store: Store) -> None:
    store.hooks.refused["other"] = Forbidden("no")
    histories = [(2, ["bb", "aa"]), (3, ["cc", "bb", "aa"])]
    documents = [{"_id": "a", "_revisions": {"start": start, "ids": ids}, "n": start} for start, ids in histories]
    store.replicate("a", 1, "aa")
    assert store.bulk(*documents, new_edits=False) == ["2-bb", "3-cc"]
    assert [node.body is None for node in store.entry("a").winner.lineage()] == [False, True, False]


def test_a_replicated_tombstone_counts_as_one(store: Store) -> None:
    store.replicate("a", 2, "bb", "aa", _deleted=True)
    assert store.counts() == (0, 1)
    store.replicate("a", 2, "cc", "aa")
    assert store.counts() == (1, 0)


# ---- several edits in one request


def test_outcomes_come_in_the_order_of_the_request_and_sequences_in_that_of_ids(store: Store) -> None:
    revs = store.bulk({"_id": "c", "n": 3}, {"_id": "a", "n": 1}, {"_id": "b", "n": 2})
    assert [store.leaves(docid) for docid in "cab"] == [[rev] for rev in revs]
    assert store.changes() == [(1, "a"), (2, "b"), (3, "c")]


def test_ids_are_ordered_by_their_bytes(store: Store) -> None:
    names = ["é", "z", "_design/x", "A", "a", "😀", "ﬀ"]
    store.bulk(*({"_id": name} for name in names))
    assert [name for _, name in store.changes()] == sorted(names, key=str.encode)


def test_of_several_new_documents_of_one_id_the_first_is_written(store: Store) -> None:
    first, second = store.bulk({"_id": "a", "n": 1}, {"_id": "a", "n": 2})
    assert second == "conflict"
    assert store.leaves("a") == [first]
    assert store.db.update_seq == 1


def test_of_several_edits_of_one_revision_the_first_is_written(store: Store) -> None:
    rev = store.put("a")
    named = {"_id": "a", "_rev": rev}
    outcomes = store.bulk({**named, "n": 1}, {"_id": "b"}, {**named, "n": 2}, {**named, "n": 3})
    assert [outcome == "conflict" for outcome in outcomes] == [False, False, True, True]
    assert store.db.open_doc(store.entry("a"))["n"] == 1


def test_a_deletion_and_a_new_beginning_fit_into_one_request(store: Store) -> None:
    rev = store.put("a", n=1)
    tombstone, revived = store.bulk({"_id": "a", "_rev": rev, "_deleted": True}, {"_id": "a", "n": 2})
    assert store.history("a") == [revived, tombstone, rev]
    assert store.changes() == [(2, "a")]


def test_several_leaves_of_one_document_share_a_sequence(store: Store) -> None:
    outcomes = store.bulk(
        {"_id": "a", "_rev": "1-aa"}, {"_id": "a", "_rev": "1-bb"}, {"_id": "a", "_rev": "1-cc"}, new_edits=False
    )
    assert outcomes == ["1-aa", "1-bb", "1-cc"]
    assert store.leaves("a") == ["1-cc", "1-bb", "1-aa"]
    assert store.changes() == [(1, "a")]


def test_a_conflict_leaves_the_others_of_its_request_alone(store: Store) -> None:
    store.put("b")
    outcomes = store.bulk({"_id": "a"}, {"_id": "b"}, {"_id": "c"})
    assert [outcome == "conflict" for outcome in outcomes] == [False, True, False]
    assert store.counts() == (3, 0)


def test_a_refusal_by_validation_leaves_the_others_alone(store: Store) -> None:
    store.hooks.refused["b"] = Forbidden("no")
    outcomes = store.bulk({"_id": "a"}, {"_id": "b"}, {"_id": "c"})
    assert [outcome == "forbidden" for outcome in outcomes] == [False, True, False]
    assert [name for _, name in store.changes()] == ["a", "c"]


def test_all_of_a_request_is_looked_at_before_any_is_written(store: Store) -> None:
    stub = {"_id": "b", "_attachments": {"f": {"stub": True}}}
    with pytest.raises(MissingStub):
        store.bulk({"_id": "a"}, stub)
    assert (store.counts(), store.db.update_seq, store.db.entries) == ((0, 0), 0, {})


def test_validation_sees_the_revision_that_is_replaced(store: Store) -> None:
    rev = store.put("a")
    store.hooks.refused["another"] = Forbidden("no")
    store.put("a", rev, x=1)
    store.put("b")
    assert store.hooks.validated == [("a", rev), ("b", None)]


def test_writing_one_raises_what_refuses_it(store: Store) -> None:
    store.put("a")
    with pytest.raises(CouchError) as caught:
        write_one(store.db, store.edit({"_id": "a"}), None)
    assert (caught.value.status, caught.value.error) == (409, "conflict")


def test_a_database_that_was_deleted_takes_nothing(store: Store) -> None:
    store.db.close()
    with pytest.raises(CouchError) as caught:
        write(store.db, [store.edit({"_id": "a"})], None)
    assert caught.value.status == 404


def test_hooks_are_called_for_what_was_written_but_not_for_conflicts_alone(store: Store) -> None:
    store.put("a")
    store.put("a")
    assert store.hooks.written == [["a"]]


# ---- stemming


def test_old_revisions_leave_when_there_are_more_than_the_limit(store: Store) -> None:
    store.db.revs_limit = 3
    rev = None
    revs = []
    for number in range(6):
        rev = store.put("a", rev, n=number)
        revs.append(rev)
    assert store.history("a") == revs[:2:-1]


def test_a_lower_limit_takes_hold_of_a_document_at_its_next_write(store: Store) -> None:
    rev = None
    for number in range(6):
        rev = store.put("a", rev, n=number)
    store.db.revs_limit = 2
    assert len(store.history("a")) == 6
    store.put("a", rev)
    assert len(store.history("a")) == 2


def test_an_edit_of_a_revision_that_was_stemmed_conflicts(store: Store) -> None:
    store.db.revs_limit = 1
    first = store.put("a", n=1)
    store.put("a", first, n=2)
    assert store.put("a", first, n=3) == "conflict"


def test_a_history_that_comes_twice_in_one_request_is_stemmed_too(store: Store) -> None:
    store.db.revs_limit = 2
    document = {"_id": "a", "_revisions": {"start": 4, "ids": ["dd", "cc", "bb", "aa"]}}
    assert store.bulk(document, document, new_edits=False) == ["4-dd", "4-dd"]
    assert store.history("a") == ["4-dd", "3-cc"]


def test_each_branch_is_stemmed_by_itself(store: Store) -> None:
    store.db.revs_limit = 2
    store.replicate("a", 4, "d4", "c3", "b2", "a1")
    store.replicate("a", 2, "x2", "a1")
    leaves = store.entry("a").leaves()
    assert [[node.rev for node in leaf.lineage()] for leaf in leaves] == [["4-d4", "3-c3"], ["2-x2", "1-a1"]]


def test_replicated_histories_that_were_cut_join_where_they_meet(store: Store) -> None:
    store.db.revs_limit = 3
    store.replicate("a", 3, "c3", "b2", "a1")
    store.replicate("a", 5, "e5", "d4", "c3")
    assert store.leaves("a") == ["5-e5"]
    assert store.history("a") == ["5-e5", "4-d4", "3-c3"]


# ---- local documents


def test_local_documents_have_a_number_for_a_revision_and_no_sequence(store: Store) -> None:
    assert store.put("_local/a", x=1) == "0-1"
    assert store.put("_local/a", "0-1", x=2) == "0-2"
    local = store.db.local("_local/a")
    assert local is not None
    assert local.document(revs=True) == {
        "_id": "_local/a",
        "_rev": "0-2",
        "x": 2,
        "_revisions": {"start": 0, "ids": ["2"]},
    }
    assert (store.db.update_seq, store.counts(), store.db.entries) == (0, (0, 0), {})


def test_local_documents_never_conflict(store: Store) -> None:
    store.put("_local/a", x=1)
    assert store.put("_local/a", x=2) == "0-1"
    assert store.put("_local/a", "0-41", x=3) == "0-42"


def test_a_deleted_local_document_is_gone(store: Store) -> None:
    store.put("_local/a", x=1)
    assert store.put("_local/a", "0-1", _deleted=True) == "0-0"
    assert store.db.local("_local/a") is None
    assert store.put("_local/a", "0-1", _deleted=True) == "0-0"


def test_a_local_document_takes_no_revision_of_another_kind(store: Store) -> None:
    assert store.put("_local/a", "1-abc") == "error"
    assert store.db.local("_local/a") is None


def test_local_and_other_documents_fit_into_one_request(store: Store) -> None:
    outcomes = store.bulk({"_id": "_local/l"}, {"_id": "a"})
    assert outcomes == ["0-1", "1-967a00dff5e02add41819138abb3284d"]


def lines_run(work: Callable[[], object]) -> int:
    """Return the number of lines of Python that a piece of work runs."""
    lines = 0

    def count(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    with traced_by(count):
        work()
    return lines


@pytest.mark.parametrize("above", [["aa"], []], ids=["one root", "many roots"])
def test_a_leaf_is_added_to_ten_thousand_with_little_more_work_than_to_a_hundred(
    store: Store, above: list[str]
) -> None:
    work = {}
    leaves = 0
    for size in (100, 10_000):
        for number in range(leaves, size):
            store.replicate("a", 1 + len(above), f"{number * 7919 % 10_007:032x}", *above)
        leaves = size
        new = f"{'77' if size == 100 else '88'}{5000:030x}"
        work[size] = lines_run(partial(store.replicate, "a", 1 + len(above), new, *above))
    assert len(store.leaves("a")) == 10_002
    assert work[10_000] < 2 * work[100]
