"""A database's books: counts, orders and sizes, held against a count from scratch."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from couchfake.storage.activity import Activity

from .conftest import Store

IDS = ["a", "b", "_design/d", "é"]
HASHES = ["aa", "bb", "cc"]

ids = st.sampled_from(IDS)
members = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(0, 300),
        "t": st.text("xé", max_size=3),
        "_deleted": st.booleans(),
        "_attachments": st.just({"f": {"data": "YWJj", "content_type": "text/plain"}}),
    },
)
histories = st.tuples(st.integers(0, 2), st.lists(st.sampled_from(HASHES), min_size=1, max_size=3))


class Books(RuleBasedStateMachine):
    """Any work on a database, with the books checked after each step."""

    @initialize(limit=st.sampled_from([1, 2, 1000]))
    def open(self, limit: int) -> None:
        self.store = Store()
        self.store.db.revs_limit = limit
        self.purged = False

    def leaf(self, docid: str, which: int) -> str | None:
        """One of the leaves that there are."""
        entry = self.store.db.entry(docid)
        return None if entry is None else entry.leaves()[which % len(entry.leaves())].rev

    @rule(docid=ids, which=st.none() | st.integers(0, 2), body=members)
    def edit(self, docid: str, which: int | None, body: dict[str, object]) -> None:
        self.store.put(docid, None if which is None else self.leaf(docid, which), **body)

    @rule(bucket=st.lists(st.tuples(ids, st.none() | st.integers(0, 1), members), max_size=4))
    def edit_many(self, bucket: list[tuple[str, int | None, dict[str, object]]]) -> None:
        documents = []
        for docid, which, body in bucket:
            rev = None if which is None else self.leaf(docid, which)
            documents.append({"_id": docid, **({} if rev is None else {"_rev": rev}), **body})
        self.store.bulk(*documents)

    @rule(docid=ids, history=histories, body=members)
    def replicate(self, docid: str, history: tuple[int, list[str]], body: dict[str, object]) -> None:
        below, hashes = history
        self.store.replicate(docid, below + len(hashes), *hashes, **body)

    @rule(docid=ids, which=st.integers(0, 2), several=st.booleans())
    def purge(self, docid: str, which: int, several: bool) -> None:
        rev = self.leaf(docid, which)
        if rev is not None:
            self.purged = True
            self.store.purge(docid, rev, *(self.store.leaves(docid) if several else ()))

    @rule()
    def compact(self) -> None:
        self.store.db.compact()

    @rule(limit=st.integers(1, 3))
    def limit(self, limit: int) -> None:
        self.store.db.change_setting(revs_limit=limit)

    @rule()  # not an invariant: between two reads of the size any number of leaves come and go
    def the_size_is_that_of_all_leaves(self) -> None:
        found = 0
        for entry in self.store.db.entries.values():
            for leaf in entry.leaves():
                assert leaf.body is not None
                found += len(json.dumps(leaf.body.value, separators=(",", ":"), ensure_ascii=False).encode())
                found += sum(attachment.encoded_length for attachment in leaf.attachments)
        if not self.purged:  # purged leaves count until the database is compacted
            assert self.store.db.external_size == found
        assert self.store.db.external_size >= found

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.the_size_is_that_of_all_leaves()

    @invariant()
    def the_live_are_those_whose_winner_lives(self) -> None:
        db = self.store.db
        live = sorted((entry.id for entry in db.entries.values() if not entry.winner.deleted), key=str.encode)
        assert list(db.live_ids) == live
        assert [entry.id for entry in db.ddocs()] == [docid for docid in live if docid.startswith("_design/")]
        assert db.ddoc_ids == {docid for docid in db.entries if docid.startswith("_design/")}

    @invariant()
    def each_document_is_once_in_the_order_of_changes(self) -> None:
        db = self.store.db
        assert sorted(entry.id for entry in db.by_seq.values()) == sorted(db.entries)
        assert all(entry.seq == seq and db.entries[entry.id] is entry for seq, entry in db.by_seq.items())
        assert max(db.by_seq, default=0) <= db.update_seq

    @invariant()
    def documents_are_counted(self) -> None:
        db = self.store.db
        if not self.purged:  # the real server's counts go wrong by purges, and so do these
            states = [entry.deleted for entry in db.entries.values()]
            assert self.store.counts() == (states.count(False), states.count(True))

    @invariant()
    def forests_are_whole(self) -> None:
        for entry in self.store.db.entries.values():
            nodes = list(entry.tree.nodes())
            assert {node.key for node in nodes if not node.children} == {leaf.key for leaf in entry.leaves()}
            assert all(child.parent is node for node in nodes for child in node.children)
            assert entry.winner.rank() == max(leaf.rank() for leaf in entry.leaves())
            for leaf in entry.leaves():
                # Histories that contradict each other may bring one revision twice.
                found = entry.tree.find(leaf.key)
                assert found is not None
                assert found.key == leaf.key
                assert list(leaf.lineage())[-1] in entry.tree.roots


Books.TestCase.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestBooks = Books.TestCase


def test_changes_are_given_from_after_a_sequence(store: Store) -> None:
    rev = store.put("a")
    store.put("b")
    store.put("a", rev, x=1)
    assert store.changes() == [(2, "b"), (3, "a")]
    assert store.changes(2) == [(3, "a")]
    assert store.changes(3) == []
    assert (store.db.count_since(0), store.db.count_since(2)) == (2, 1)


def test_settings_take_a_sequence(store: Store) -> None:
    store.db.change_setting(security={"admins": {"names": ["x"]}})
    assert store.db.update_seq == 1
    assert store.db.security == {"admins": {"names": ["x"]}}


def test_compaction_forgets_the_bodies_of_old_revisions_only(store: Store) -> None:
    first = store.put("a", x=1)
    second = store.put("a", first, x=2)
    store.db.compact()
    assert [node.body is None for node in store.entry("a").winner.lineage()] == [False, True]
    assert store.history("a") == [second, first]


def test_whoever_reads_a_revision_has_it_whole_while_it_is_compacted(store: Store) -> None:
    rev = store.put("a", x=1)
    found = store.db.open_leaf("a")
    store.put("a", rev, x=2)
    store.db.compact()
    assert found is not None
    assert store.db.open_doc(*found) == {"_id": "a", "_rev": rev, "x": 1}


def test_compaction_keeps_every_branch(store: Store) -> None:
    store.replicate("a", 3, "c3", "b2", "a1", n=1)
    store.replicate("a", 2, "b2", "a1", n=2)
    store.replicate("a", 2, "x2", "a1", n=3)
    store.db.compact()
    assert store.leaves("a") == ["3-c3", "2-x2"]
    node = store.entry("a").tree.find((2, b"b2"))
    assert node is not None
    assert node.body is None
    assert [each.rev for each in store.entry("a").tree.leaves_below(node)] == ["3-c3"]
    assert store.put("a", "3-c3", n=4).startswith("4-")


def test_opening_a_revision_that_is_not_there_finds_nothing(store: Store) -> None:
    store.put("a")
    assert store.db.open_leaf("b") is None
    assert store.db.open_leaf("a", (9, b"x")) is None


def test_a_closed_database_wakes_those_who_wait(store: Store) -> None:
    woken = []
    store.db.changed.notify_all = lambda: woken.append(store.db.closed)  # type: ignore[method-assign]
    store.db.close()
    assert woken == [True]


def test_what_was_done_in_another_database_is_added() -> None:
    total, done = Activity(), Activity()
    for number, name in enumerate(Activity.__slots__):
        setattr(done, name, 1 << number)
    total.add(done, own=False)
    total.add(done, own=True)
    assert {name: getattr(total, name) // getattr(done, name) for name in Activity.__slots__} == {
        **dict.fromkeys(Activity.__slots__, 2),
        "reads": 1,
        "writes": 1,
    }
