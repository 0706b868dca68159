"""One pass over the changes: which rows, and what progress is reported."""

from __future__ import annotations

from dataclasses import replace

import pytest

from couchfake.changes.feed import ChangesQuery, Scan
from couchfake.changes.filters import DesignDocuments, DocIds, Selector
from couchfake.storage.database import Database
from couchfake.values.collation import Collator

from .conftest import Writer, scanned

ALL = ChangesQuery()


@pytest.fixture
def five(writer: Writer) -> Writer:
    for docid in "abcde":
        writer.put(docid, odd=docid in "ace")
    return writer


def ids(rows: list[tuple[int, str]]) -> str:
    return "".join(docid for _, docid in rows)


def test_an_empty_database_has_no_changes(db: Database) -> None:
    assert scanned(db, ALL) == ([], 0, 0)
    assert scanned(db, replace(ALL, descending=True)) == ([], 0, 0)


def test_a_document_has_one_row_at_the_place_of_its_latest_change(five: Writer, db: Database) -> None:
    five.put("b")
    five.delete("a")
    assert scanned(db, ALL) == ([(3, "c"), (4, "d"), (5, "e"), (6, "b"), (7, "a")], 7, 0)


def test_a_pass_begins_after_its_sequence(five: Writer, db: Database) -> None:
    assert scanned(db, replace(ALL, since=3)) == ([(4, "d"), (5, "e")], 5, 0)
    assert scanned(db, replace(ALL, since=5)) == ([], 5, 0)


def test_a_limit_leaves_changes_pending(five: Writer, db: Database) -> None:
    assert scanned(db, replace(ALL, limit=2)) == ([(1, "a"), (2, "b")], 2, 3)
    assert scanned(db, replace(ALL, since=2, limit=3)) == ([(3, "c"), (4, "d"), (5, "e")], 5, 0)


def test_a_limit_of_zero_tells_nothing_but_how_much_there_is(five: Writer, db: Database) -> None:
    assert scanned(db, replace(ALL, since=1, limit=0)) == ([], 1, 4)


def test_a_negative_limit_means_no_limit(five: Writer, db: Database) -> None:
    assert ids(scanned(db, replace(ALL, limit=-1))[0]) == "abcde"


def test_a_descending_pass_goes_down_from_the_end(five: Writer, db: Database) -> None:
    rows, last_seq, pending = scanned(db, replace(ALL, since=5, descending=True, limit=2))
    assert (ids(rows), last_seq, pending) == ("ed", 4, 3)


def test_more_rows_than_a_batch_holds_come_in_order(writer: Writer, db: Database) -> None:
    for number in range(600):
        writer.put(f"{number:03}")
    rows, last_seq, pending = scanned(db, replace(ALL, since=10))
    assert [seq for seq, _ in rows] == list(range(11, 601))
    assert (last_seq, pending) == (600, 0)


def test_what_is_written_during_a_pass_does_not_disturb_it(five: Writer, db: Database) -> None:
    scan = Scan(db, ALL, 0, ALL.limit)
    five.put("a")
    five.delete("c")
    five.put("f")
    rows = [(change.seq, change.entry.id, change.leaves[0].pos) for batch in scan.rows() for change, _ in batch]
    assert rows == [(1, "a", 1), (2, "b", 1), (3, "c", 1), (4, "d", 1), (5, "e", 1)]
    assert scan.last_seq == scan.update_seq == 5


def test_all_leaves_are_shown_winner_first(writer: Writer, db: Database) -> None:
    writer.leaves("a", "1-a", "2-b", "3-c-")
    [[(_, revisions)]] = list(Scan(db, replace(ALL, style="all_docs"), 0, 10).rows())
    assert [revision.rev for revision in revisions] == ["2-b", "1-a", "3-c"]
    [[(_, revisions)]] = list(Scan(db, ALL, 0, 10).rows())
    assert [revision.rev for revision in revisions] == ["2-b"]


# ---- filters


def test_few_documents_are_looked_up_and_the_pass_ends_at_the_end_of_the_database(five: Writer, db: Database) -> None:
    query = replace(ALL, filter=DocIds(["d", "a", "zz"]))
    assert scanned(db, query) == ([(1, "a"), (4, "d")], 5, 3)
    assert scanned(db, replace(query, since=1)) == ([(4, "d")], 5, 3)
    assert scanned(db, replace(query, since=4)) == ([], 5, 1)
    assert scanned(db, replace(query, limit=1)) == ([(1, "a")], 1, 4)
    assert scanned(db, replace(query, since=5, descending=True)) == ([(4, "d"), (1, "a")], 1, 3)


def test_many_documents_are_picked_from_all_changes(five: Writer, db: Database) -> None:
    query = replace(ALL, filter=DocIds(["d", "a", "zz"], looked_up=2))
    assert scanned(db, query) == ([(1, "a"), (4, "d")], 5, 0)


def test_deleted_design_documents_are_shown_too(five: Writer, db: Database) -> None:
    five.put("_design/one")
    five.put("_design/two")
    five.delete("_design/one")
    rows, _, pending = scanned(db, replace(ALL, filter=DesignDocuments()))
    assert rows == [(7, "_design/two"), (8, "_design/one")]
    assert pending == 5


def odd() -> Selector:
    return Selector({"odd": True}, None, Collator())


def test_a_selector_lets_matching_documents_pass(five: Writer, db: Database) -> None:
    assert scanned(db, replace(ALL, filter=odd())) == ([(1, "a"), (3, "c"), (5, "e")], 5, 0)


def test_one_change_behind_the_limit_counts_as_read_if_it_does_not_pass(five: Writer, db: Database) -> None:
    assert scanned(db, replace(ALL, filter=odd(), limit=1)) == ([(1, "a")], 2, 4)
    assert scanned(db, replace(ALL, filter=odd(), limit=3)) == ([(1, "a"), (3, "c"), (5, "e")], 5, 0)


def test_with_a_limit_of_zero_one_change_is_looked_at(five: Writer, db: Database) -> None:
    assert scanned(db, replace(ALL, filter=odd(), limit=0)) == ([], 0, 5)
    assert scanned(db, replace(ALL, filter=odd(), since=1, limit=0)) == ([], 2, 3)


def test_a_selector_looks_at_each_leaf_if_all_are_shown(writer: Writer, db: Database) -> None:
    writer.leaves("a", "1-a", odd=True)
    writer.leaves("a", "2-b", odd=False)
    assert scanned(db, replace(ALL, filter=odd()))[0] == []
    [[(change, revisions)]] = list(Scan(db, replace(ALL, filter=odd(), style="all_docs"), 0, 10).rows())
    assert [revision.rev for revision in revisions] == ["1-a"]
    assert change.leaves[0].rev == "2-b"


def test_a_selector_sees_the_conflicts_of_a_winner(writer: Writer, db: Database) -> None:
    writer.leaves("a", "1-a", "1-b", "1-c-")
    writer.put("plain")
    query = replace(ALL, filter=Selector({"_conflicts": ["1-a"]}, None, Collator()))
    assert ids(scanned(db, query)[0]) == "a"
    assert scanned(db, replace(query, style="all_docs"))[0] == []


def test_a_selector_sees_tombstones(five: Writer, db: Database) -> None:
    five.delete("c")
    rows, _, _ = scanned(db, replace(ALL, filter=Selector({"_deleted": True}, None, Collator())))
    assert rows == [(6, "c")]
