"""Purging: revisions that have never been."""

from __future__ import annotations

import pytest

from couchfake.storage.sequences import PurgeHistory

from .conftest import Store


def test_a_purged_document_is_gone_without_a_trace(store: Store) -> None:
    rev = store.put("a", x=1)
    assert store.purge("a", rev) == [rev]
    assert store.db.entry("a") is None
    assert store.changes() == []
    assert list(store.db.live_ids) == []
    assert store.counts() == (0, 0)
    assert store.put("a", x=1) == rev


def test_only_leaves_can_be_purged(store: Store) -> None:
    first = store.put("a", x=1)
    second = store.put("a", first, x=2)
    assert store.purge("a", first, "2-abc", "9-x") == []
    assert store.leaves("a") == [second]


def test_what_is_not_there_is_purged_of_nothing(store: Store) -> None:
    assert store.purge("a", "1-a") == []


def test_the_next_branch_wins_where_the_winner_is_purged(store: Store) -> None:
    store.replicate("a", 2, "cc", "aa", x=1)
    store.replicate("a", 2, "bb", "aa", x=2)
    assert store.purge("a", "2-cc") == ["2-cc"]
    assert store.leaves("a") == ["2-bb"]
    assert store.history("a") == ["2-bb", "1-aa"]


def test_a_tombstone_can_be_purged(store: Store) -> None:
    tombstone = store.delete("a", store.put("a"))
    assert store.purge("a", tombstone) == [tombstone]
    assert store.counts() == (0, 0)


def test_a_document_whose_live_branch_is_purged_is_deleted(store: Store) -> None:
    store.replicate("a", 2, "bb", "aa", _deleted=True)
    store.replicate("a", 2, "cc", "aa")
    store.purge("a", "2-cc")
    assert store.leaves("a") == ["2-bb-"]
    assert list(store.db.live_ids) == []


@pytest.mark.parametrize(("branches", "purged", "sequences"), [("abc", "a", 2), ("abc", "ab", 1), ("abc", "abc", 1)])
def test_each_remaining_leaf_takes_a_sequence_and_a_request_takes_one_at_least(
    branches: str, purged: str, sequences: int, store: Store
) -> None:
    for each in branches:
        store.replicate("a", 1, each)
    before = store.db.update_seq
    store.purge("a", *(f"1-{each}" for each in purged))
    assert store.db.update_seq == before + sequences


def test_a_purge_in_vain_takes_a_sequence(store: Store) -> None:
    store.put("a")
    store.purge("a", "1-x")
    assert store.db.update_seq == 2
    assert store.changes() == [(1, "a")]


def test_purges_are_kept_for_those_who_must_forget_too(store: Store) -> None:
    store.put("a")
    store.purge("a", "1-x", "2-y")
    store.purge("b", "1-z")
    assert store.db.purge_seq == 2
    assert store.db.purges_since(0) == [(1, "a", ["1-x", "2-y"]), (2, "b", ["1-z"])]
    assert store.db.purges_since(1) == [(2, "b", ["1-z"])]
    assert store.db.purges_since(2) == []


def test_only_the_newest_stay_when_the_history_is_trimmed() -> None:
    history = PurgeHistory()
    history.limit = 2
    for number in range(4):
        history.add(str(number), [])
    assert len(history.since(0)) == 4
    history.trim()
    assert [docid for _, docid, _ in history.listed()] == ["2", "3"]
    assert [len(history.since(seq)) for seq in (0, 2, 3, 4, 5)] == [4, 2, 1, 0, 0]  # indexes may be further behind
    assert history.seq == 4


def test_purged_leaves_count_in_the_sizes_until_the_database_is_compacted(store: Store) -> None:
    rev = store.put("a", text="x" * 100)
    before = store.db.sizes()
    store.purge("a", rev)
    assert store.db.external_size == before["external"] > 100
    store.db.compact()
    assert store.db.external_size == 0
    assert store.db.sizes()["file"] < before["file"]


def test_a_request_to_purge_nothing_takes_no_sequence(store: Store) -> None:
    store.put("a")
    store.db.purge([])
    assert store.db.update_seq == 1


def test_the_hooks_hear_of_a_purged_design_document(store: Store) -> None:
    rev = store.put("_design/d")
    store.purge("_design/d", rev)
    assert store.hooks.written == [["_design/d"], ["_design/d"]]
    assert store.db.ddocs() == []


def test_whoever_reads_a_purged_document_still_has_it_whole(store: Store) -> None:
    rev = store.put("a", x=1)
    entry = store.entry("a")
    store.purge("a", rev)
    assert store.db.open_doc(entry) == {"_id": "a", "_rev": rev, "x": 1}
