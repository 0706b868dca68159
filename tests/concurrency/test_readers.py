"""Readers beside writers: whole documents, all of them, each once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Client, Couch

IDS = ["a", "b", "c", "d"]
DDOC = {"_id": "_design/d", "views": {"n": {"map": "function (doc) { emit(doc.n, doc.twice); }", "reduce": "_count"}}}
FORKED = {
    "docs": [{"_id": "forked", "_rev": f"1-{hash * 32}", "n": 1, "twice": "11"} for hash in "abc"],
    "new_edits": False,
}


@pytest.fixture
def filled(couch: Couch) -> Couch:
    """Documents whose ``n`` is their generation, a forked one, a view and an index."""
    couch.db.json("POST", "/_bulk_docs", {"docs": [DDOC, *({"_id": each, "n": 1, "twice": "11"} for each in IDS)]})
    couch.db.json("POST", "/_bulk_docs", FORKED)
    couch.db.json("POST", "/_index", {"index": {"fields": ["n"]}, "name": "n"})
    couch.db.json("GET", "/_design/d/_view/n")
    return couch


def whole(document: dict[str, Any]) -> dict[str, Any]:
    """A document as one writer wrote it: its members belong together, and to its revision."""
    n = int(document["_rev"].partition("-")[0])
    assert document["n"] == n, document
    assert document["twice"] == f"{n}{n}", document
    return document


def updates(docid: str, times: int = 25) -> Callable[[Client], None]:
    def write(client: Client) -> None:
        rev = client.json("GET", f"/{docid}")["_rev"]
        first = int(rev.partition("-")[0]) + 1
        for n in range(first, first + times):
            rev = client.json("PUT", f"/{docid}", {"_rev": rev, "n": n, "twice": f"{n}{n}"})["rev"]

    return write


def get(client: Client) -> None:
    for docid in IDS:
        found = whole(client.json("GET", f"/{docid}"))
        assert whole(client.json("GET", f"/{docid}?rev={found['_rev']}")) == found
        history = client.json("GET", f"/{docid}?revs=true&local_seq=true")
        assert len(whole(history)["_revisions"]["ids"]) == history["n"]


def forked(client: Client) -> None:
    found = whole(client.json("GET", "/forked?conflicts=true"))
    revs = [found["_rev"], *found["_conflicts"]]
    assert len(set(revs)) == 3
    leaves = client("GET", "/forked?open_revs=all", headers={"Accept": "application/json"}).json()
    assert len([whole(each["ok"]) for each in leaves]) == 3


def all_docs(client: Client) -> None:
    found = client.json("GET", "/_all_docs?include_docs=true")
    ids = [row["id"] for row in found["rows"]]
    assert [docid for docid in ids if not docid.startswith("_")] == [*IDS, "forked"]
    assert len(ids) == found["total_rows"] == 7
    for row in found["rows"]:
        assert row["doc"]["_rev"] == row["value"]["rev"]
        if not row["id"].startswith("_"):
            whole(row["doc"])


def by_keys(client: Client) -> None:
    rows = client.json("POST", "/_all_docs?include_docs=true", {"keys": IDS})["rows"]
    assert [whole(row["doc"])["_id"] for row in rows] == IDS
    results = client.json("POST", "/_bulk_get", {"docs": [{"id": each} for each in IDS]})["results"]
    assert [whole(row["docs"][0]["ok"])["_id"] for row in results] == IDS


def changes(client: Client) -> None:
    found = client.json("GET", "/_changes?include_docs=true&style=all_docs")
    numbers = [int(row["seq"].partition("-")[0]) for row in found["results"]]
    assert numbers == sorted(set(numbers))
    assert sorted(row["id"] for row in found["results"] if not row["id"].startswith("_")) == [*IDS, "forked"]
    for row in found["results"]:
        assert row["doc"]["_rev"] == row["changes"][0]["rev"]
        if not row["id"].startswith("_"):
            whole(row["doc"])


def view(client: Client) -> None:
    found = client.json("GET", "/_design/d/_view/n?reduce=false&include_docs=true")
    assert sorted(row["id"] for row in found["rows"]) == [*IDS, "forked"]
    for row in found["rows"]:
        assert row["value"] == f"{row['key']}{row['key']}"
        assert whole(row["doc"])["n"] >= row["key"]
    assert client.json("GET", "/_design/d/_view/n")["rows"] == [{"key": None, "value": 5}]


def find(client: Client) -> None:
    for index in ("n", "_all_docs"):
        query = {"selector": {"n": {"$gt": 0}}, **({"use_index": "n"} if index == "n" else {})}
        found = client.json("POST", "/_find", query)
        assert sorted(whole(doc)["_id"] for doc in found["docs"]) == [*IDS, "forked"]


def info(client: Client) -> None:
    found = client.json("GET")
    assert (found["doc_count"], found["doc_del_count"]) == (7, 0)


READERS = [get, forked, all_docs, by_keys, changes, view, find, info]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_reader_sees_whole_documents_while_they_change(reader: Callable[[Client], None], filled: Couch) -> None:
    def split(client: Client) -> None:
        for n in range(2, 12):
            rev = client.json("GET", "/forked")["_rev"]
            client.json("PUT", "/forked", {"_rev": rev, "n": n, "twice": f"{n}{n}"})

    filled.while_writing([updates("a"), updates("b"), split], [reader, reader])


def test_all_kinds_of_readers_at_once_see_whole_documents(filled: Couch) -> None:
    filled.while_writing([updates("c"), updates("d")], READERS)


def test_compaction_and_purges_of_others_disturb_no_reader(filled: Couch) -> None:
    def compact(client: Client) -> None:
        for _ in range(15):
            client("POST", "/_compact", headers={"Content-Type": "application/json"}).raise_for_status()
            client("POST", "/_view_cleanup", headers={"Content-Type": "application/json"}).raise_for_status()

    def purge(client: Client) -> None:
        for number in range(15):
            rev = client.json("PUT", f"/_design/gone{number % 2}", {})["rev"]
            client.json("POST", "/_purge", {f"_design/gone{number % 2}": [rev]})

    def read(client: Client) -> None:
        for docid in IDS:
            whole(client.json("GET", f"/{docid}"))
        for row in client.json("GET", '/_all_docs?include_docs=true&startkey="a"')["rows"]:
            whole(row["doc"])
        for row in client.json("GET", "/_changes?include_docs=true")["results"]:
            if not row["id"].startswith("_"):
                whole(row["doc"])

    filled.while_writing([updates("a"), compact, purge], [read, read, view, find])


def test_an_index_that_is_built_by_many_at_once_is_built_right(couch: Couch) -> None:
    couch.db.json("POST", "/_bulk_docs", {"docs": [{"_id": f"{n:03}", "n": n, "twice": f"{n}{n}"} for n in range(200)]})
    couch.db.json("PUT", "/_design/d", {"views": DDOC["views"]})

    def read(client: Client) -> None:
        rows = client.json("GET", "/_design/d/_view/n?reduce=false")["rows"]
        keys = [row["key"] for row in rows]
        assert keys[:200] == list(range(200))
        assert keys[200:] == list(range(200, len(keys)))

    def write(client: Client) -> None:
        for n in range(200, 215):
            client.json("PUT", f"/{n}", {"n": n, "twice": f"{n}{n}"})

    couch.while_writing([write], [read] * 4)
    assert len(couch.db.json("GET", "/_design/d/_view/n?reduce=false")["rows"]) == 215


def test_views_that_change_while_they_are_read_answer_as_one_or_the_other(filled: Couch) -> None:
    bodies = itertools.cycle(["emit(doc.n, 1)", "emit(doc.n, 2)"])

    def rewrite(client: Client) -> None:
        for _ in range(12):
            ddoc = client.json("GET", "/_design/d")
            ddoc["views"]["n"]["map"] = f"function (doc) {{ {next(bodies)}; }}"
            client.json("PUT", "/_design/d", ddoc)

    def read(client: Client) -> None:
        rows = client.json("GET", "/_design/d/_view/n?reduce=false")["rows"]
        assert len(rows) == 5
        values = {row["value"] if isinstance(row["value"], int) else 0 for row in rows}
        assert len(values) == 1

    filled.while_writing([rewrite, updates("a", 12)], [read, read])


def test_indexes_come_and_go_while_they_are_used(filled: Couch) -> None:
    def make(client: Client) -> None:
        for _ in range(10):
            made = client.json("POST", "/_index", {"index": {"fields": ["twice"]}, "name": "twice"})
            client.json("DELETE", f"/_index/{made['id'].removeprefix('_design/')}/json/twice")

    def read(client: Client) -> None:
        found = client.json("POST", "/_find", {"selector": {"twice": {"$gt": ""}}})
        assert sorted(whole(doc)["_id"] for doc in found["docs"]) == [*IDS, "forked"]

    filled.while_writing([make, updates("b", 12)], [read, read])


def test_databases_that_come_and_go_give_no_other_answers_than_there_or_not_there(couch: Couch) -> None:
    def remake(client: Client) -> None:
        for _ in range(8):
            client.json("DELETE", status=(200,))
            client.json("PUT", status=(201,))
            client.json("PUT", "/_design/d", {"views": DDOC["views"]}, status=(201,))

    def request(method: str, path: str, body: Any = None, *statuses: int) -> Callable[[Client], None]:
        def work(client: Client) -> None:
            found = client.json(method, path, body, status=(200, 201, 202, 404, *statuses))
            if isinstance(found, dict) and "error" in found:
                assert found["error"] in ("not_found", "conflict"), found

        return work

    couch.while_writing(
        [remake],
        [
            request("PUT", "/a", {"n": 1}, 409),
            request("GET", "/a"),
            request("POST", "/_bulk_docs", {"docs": [{"_id": "b", "n": 1}, {"n": 2}]}),
            request("GET", "/_all_docs?include_docs=true"),
            request("GET", "/_changes?include_docs=true"),
            request("GET", "/_changes?feed=longpoll&timeout=20"),
            request("GET", "/_design/d/_view/n"),
            request("POST", "/_find", {"selector": {"n": 1}}),
            request("GET", ""),
            request("PUT", "/_security", {"members": {"roles": []}}),
            request("POST", "/_purge", {"a": ["1-a"]}),
        ],
    )
