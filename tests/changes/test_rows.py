"""Changes as JSON text."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from couchfake.changes.feed import ChangesQuery, RowWriter, Scan
from couchfake.changes.filters import DocIds, Selector
from couchfake.storage.database import Database
from couchfake.storage.documents import DocOptions
from couchfake.values.collation import Collator

from .conftest import Writer

ALL = ChangesQuery()
WITH_DOCS = ChangesQuery(include_docs=True)


def texts(database: Database, query: ChangesQuery) -> list[bytes]:
    writer = RowWriter(database, query)
    scan = Scan(database, query, query.since, query.limit)
    return [text for rows in scan.rows() for text in writer.write(rows, writer.sequences(rows))]


def values(database: Database, query: ChangesQuery) -> list[Any]:
    return [json.loads(text) for text in texts(database, query)]


def everything(**shown: Any) -> ChangesQuery:
    return replace(WITH_DOCS, shown=DocOptions(**shown))


def test_a_row_names_sequence_id_and_revision(db: Database, writer: Writer) -> None:
    rev = writer.put("a")
    [text] = texts(db, ALL)
    assert text == f'{{"seq":"{db.pack_seq(1)}","id":"a","changes":[{{"rev":"{rev}"}}]}}'.encode()


def test_a_tombstone_is_marked(db: Database, writer: Writer) -> None:
    writer.put("a")
    rev = writer.delete("a")
    assert values(db, ALL) == [{"seq": db.pack_seq(2), "id": "a", "changes": [{"rev": rev}], "deleted": True}]


def test_ids_are_quoted_as_json_wants_it(db: Database, writer: Writer) -> None:
    names = ['quo"te', "back\\slash", "new\nline", "é☎𝄞", "\x01"]
    for name in names:
        writer.put(name)
    assert [row["id"] for row in values(db, ALL)] == names


def test_revisions_that_are_not_hashes_keep_their_text(db: Database, writer: Writer) -> None:
    writer.leaves("a", "1-abc")
    assert values(db, ALL)[0]["changes"] == [{"rev": "1-abc"}]


def test_sequences_packed_together_are_those_packed_one_by_one(db: Database) -> None:
    seqs = [0, 1, 255, 256, 65_535, 70_000, 16_777_216, 2**31 - 1]
    assert db.pack_seqs(seqs) == [db.pack_seq(seq) for seq in seqs]
    assert [db.unpack_seq(text) for text in db.pack_seqs(seqs)] == seqs


def test_all_sequences_but_every_nth_can_be_omitted(db: Database, writer: Writer) -> None:
    for number in range(600):
        writer.put(f"{number}")
    rows = values(db, replace(ALL, seq_interval=100, limit=550))
    given = [place for place, row in enumerate(rows) if row["seq"] is not None]
    assert given == [50, 150, 250, 350, 450]


def test_documents_come_with_the_requested_additions(db: Database, writer: Writer) -> None:
    attachment = {"content_type": "text/x", "data": "YQ=="}
    rev = writer.put("a", n=1e3, _attachments={"f": attachment})
    doc = values(db, WITH_DOCS)[0]["doc"]
    assert (doc["_id"], doc["_rev"], doc["n"]) == ("a", rev, 1000.0)
    assert doc["_attachments"]["f"]["stub"] is True
    doc = values(db, everything(attachments=True))[0]["doc"]
    assert doc["_attachments"]["f"]["data"] == "YQ=="
    doc = values(db, everything(att_encoding_info=True))[0]["doc"]
    assert doc["_attachments"]["f"]["encoding"] == "gzip"


def test_the_winner_is_shown_whichever_leaf_passes_the_filter(db: Database, writer: Writer) -> None:
    writer.leaves("a", "1-a", odd=True)
    writer.leaves("a", "2-b", odd=False)
    query = replace(WITH_DOCS, style="all_docs", filter=Selector({"odd": True}, None, Collator()))
    [row] = values(db, query)
    assert row["changes"] == [{"rev": "1-a"}]
    assert row["doc"] == {"_id": "a", "_rev": "2-b", "odd": False}


def test_conflicts_are_shown_where_there_are_some(db: Database, writer: Writer) -> None:
    writer.leaves("a", "1-a", "1-b", "1-c-")
    writer.put("b")
    first, second = values(db, everything(conflicts=True))
    assert first["doc"]["_conflicts"] == ["1-a"]
    assert "_conflicts" not in second["doc"]
    assert "_conflicts" not in values(db, WITH_DOCS)[0]["doc"]


def test_a_filter_that_reads_all_leaves_shows_conflicts_even_if_there_are_none(db: Database, writer: Writer) -> None:
    writer.leaves("a", "1-a", "1-b", "1-c-")
    writer.put("b")
    query = replace(everything(conflicts=True), style="all_docs", filter=Selector({}, None, Collator()))
    assert [row["doc"]["_conflicts"] for row in values(db, query)] == [["1-a"], []]
    by_name = replace(query, filter=DocIds(["b"]))
    assert "_conflicts" not in values(db, by_name)[0]["doc"]


def test_a_selector_can_ask_for_some_members_only(db: Database, writer: Writer) -> None:
    writer.put("a", x={"y": 1, "z": 2}, w=3)
    query = replace(WITH_DOCS, filter=Selector({"w": 3}, ["x.y", "_id"], Collator()))
    assert values(db, query)[0]["doc"] == {"x": {"y": 1}, "_id": "a"}
