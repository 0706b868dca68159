"""Writes that an exception cuts off at any line: all of one is done, or nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from couchfake.storage import journal
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.revision_ids import parse_rev
from tests.interrupting import Interrupt, interrupted_at

from .conftest import Store


def is_locked(database: Database) -> bool:
    """Return whether this thread holds a database's lock."""
    return bool(database._lock._is_owned())  # type: ignore[attr-defined]


def state(database: Database) -> Any:
    """All that readers can see of a database."""
    with database.lock:
        return {
            "by_seq": [(seq, entry.id) for seq, entry in database.by_seq.items()],
            "live": list(database.live_ids),
            "ddocs": sorted(database.ddoc_ids),
            "trees": {
                docid: [
                    (node.key, node.body is not None, node.parent and node.parent.key) for node in entry.tree.nodes()
                ]
                for docid, entry in sorted(database.entries.items())
            },
            "leaves": {docid: [leaf.key for leaf in entry.leaves()] for docid, entry in database.entries.items()},
            "local": {docid: found.rev for docid, found in database.local_documents.items()},
            "sizes": database.sizes(),
            "numbers": (*database.numbers(), database.doc_count, database.doc_del_count, database.purge_seq),
            "purges": database.purges.listed(),
            "settings": (database.security, database.revs_limit, database.purged_infos_limit),
        }


def prepared() -> Store:
    """A database with documents of every kind."""
    store = Store()
    store.put("a", n=1)
    store.delete("gone", store.put("gone", n=1))
    store.put("_design/d", n=1)
    store.replicate("forked", 2, "bb", "aa", n=1)
    store.replicate("forked", 2, "cc", "aa", n=2)
    store.replicate("stub", 3, "dd", "cc", n=1)
    store.put("_local/one")
    return store


def update(store: Store) -> None:
    [rev] = store.leaves("a")
    store.bulk({"_id": "a", "_rev": rev, "n": 2}, {"_id": "b"}, {"_id": "_design/e"})


def delete(store: Store) -> None:
    [rev] = store.leaves("a")
    store.bulk({"_id": "a", "_rev": rev, "_deleted": True}, {"_id": "gone", "n": 2})


def replicate(store: Store) -> None:
    histories = {
        "forked": (3, ["ee", "bb", "aa"]),
        "stub": (3, ["dd", "cc", "bb", "aa"]),
        "new": (2, ["bb", "aa"]),
        "a": (1, ["99"]),
    }
    documents = [{"_id": id, "_revisions": {"start": start, "ids": ids}} for id, (start, ids) in histories.items()]
    store.bulk(*documents, new_edits=False)


def fill(store: Store) -> None:
    store.bulk({"_id": "stub", "_revisions": {"start": 2, "ids": ["cc", "bb"]}, "n": 0}, new_edits=False)


def write_local(store: Store) -> None:
    store.bulk({"_id": "_local/one", "_rev": "0-1"}, {"_id": "_local/two"})


def delete_local(store: Store) -> None:
    store.bulk({"_id": "_local/one", "_deleted": True})


def purge(store: Store) -> None:
    named = {"forked": store.leaves("forked")[:1], "a": store.leaves("a"), "_design/d": []}
    store.db.purge([(docid, [parse_rev(rev) for rev in revs]) for docid, revs in named.items()])


def compact(store: Store) -> None:
    store.db.compact()


def change_settings(store: Store) -> None:
    store.db.change_setting(security={"admins": {"names": ["ann"]}}, revs_limit=7, purged_infos_limit=8)


def write_more(store: Store) -> None:
    """Change the documents once more, whatever was done before."""
    for docid in ("a", "forked", "stub", "b"):
        store.replicate(docid, 9, "77", n=9)
    store.put("_local/one", n=9)


WORKS = [update, delete, replicate, fill, write_local, delete_local, purge, compact, change_settings]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
def test_a_change_that_is_cut_off_at_any_line_is_done_as_a_whole_or_not_at_all(work: Callable[[Store], None]) -> None:
    done = prepared()
    before = state(done.db)
    work(done)
    after = state(done.db)
    assert after != before
    undone = 0
    for line in itertools.count(1):
        store = prepared()
        try:
            with interrupted_at(line, "sortedcontainers"):
                work(store)
        except Interrupt:
            pass
        else:
            break
        assert not is_locked(store.db), line
        found = state(store.db)
        assert found in (before, after), line
        if found == before:
            undone += 1
            work(store)
            assert state(store.db) == after, line
    assert undone > 10


@pytest.mark.parametrize("work", [update, replicate, purge], ids=lambda work: work.__name__)
def test_a_snapshot_is_not_touched_by_a_change_that_is_cut_off(work: Callable[[Store], None]) -> None:
    for line in itertools.count(1, 7):
        store = prepared()
        before = state(store.db)
        snapshot = journal.begin(store.db, {})
        try:
            with interrupted_at(line, "sortedcontainers"):
                work(store)
        except Interrupt:
            pass
        else:
            break
        write_more(store)
        work_done = state(store.db)
        assert state(journal.restore(snapshot)[0]) == before != work_done, line


def test_a_second_interrupt_is_repaired_before_the_next_use(store: Store) -> None:
    store.put("a", n=1)
    before = state(store.db)
    transaction = store.db.begin([])
    transaction.note("a", store.entry("a"))
    store.entry("a").tree.leaves = ()
    store.db.by_seq.clear()
    transaction.running = False  # where ``abort`` was cut off
    assert state(store.db) == before


def test_all_that_was_noted_is_put_back_before_the_next_use() -> None:
    store = prepared()
    before = state(store.db)
    snapshot = journal.begin(store.db, {})
    transaction = store.db.begin([])
    [parent] = [node for node in store.entry("stub").tree.nodes() if node.body is None]
    transaction.note_purges()
    transaction.note("new", None)
    transaction.note_fill(parent)
    transaction.note_local("_local/one", store.db.local_documents["_local/one"])
    transaction.note_local("_local/new", None)
    snapshot.keep("new", None)
    parent.body = store.entry("a").leaves()[0].body
    store.db.entries["new"] = store.db.entries["a"]
    store.db.local_documents["_local/new"] = store.db.local_documents.pop("_local/one")
    store.db.purges.add("a", [parse_rev("1-aa")])
    transaction.running = False
    assert state(store.db) == before
    assert snapshot.entries == {}


def test_feeds_and_caches_hear_of_a_write_that_is_cut_off_once_it_is_committed(store: Store) -> None:
    def interrupted(database: Database, edits: list[Edit]) -> None:
        if not store.hooks.written:
            store.hooks.written.append([])
            raise Interrupt
        store.hooks.written.append([edit.id for edit in edits])

    store.hooks.after_doc_update = interrupted  # type: ignore[method-assign]
    with pytest.raises(Interrupt):
        store.put("a", n=1)
    assert store.hooks.written == [[], ["a"]]
    assert store.db.notified_seq == store.db.update_seq == 1
