"""Every reader beside every writer, with threads that change at each instruction: no answer but the usual ones."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import Client, Couch

JSON = {"Content-Type": "application/json"}
FIRST = {"_id": "_design/first", "views": {"n": {"map": "function (doc) { emit(doc.n, 1); }", "reduce": "_count"}}}


@pytest.fixture(autouse=True)
def _threads_change_all_the_time(_threads_change_often: None) -> None:
    sys.setswitchinterval(1e-6)


@pytest.fixture(autouse=True)
def _nothing_goes_wrong_unseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def request(method: str, path: str, body: Any = None, *statuses: int) -> Callable[[Client], None]:
    """A reader or one write. ``statuses`` are those that may come, 200 alone if none are given."""

    def work(client: Client) -> None:
        answer = client(method, path, body, headers=JSON)
        assert answer.status_code in (statuses or (200,)), (method, path, answer.status_code, answer.text)
        for chunk in answer.iter_content(1 << 16):
            assert chunk

    work.__name__ = f"{method} {path}"
    return work


READERS = [
    request("GET", "/_all_docs?include_docs=true"),
    request("GET", "/_all_docs?descending=true&limit=5"),
    request("POST", "/_all_docs", {"keys": ["a", "_design/first", "d3", "no"]}),
    request("GET", "/_design_docs"),
    request("GET", "/_local_docs?include_docs=true"),
    request("POST", "/_find", {"selector": {"n": {"$gt": 0}}}),
    request("POST", "/_find", {"selector": {"_id": {"$gt": None}}, "limit": 5}),
    request("POST", "/_explain", {"selector": {"n": {"$gt": 0}}}),
    request("GET", "/_index"),
    request("GET", "/_changes?include_docs=true"),
    request("GET", "/_changes?descending=true&style=all_docs"),
    request("GET", "/_changes?filter=_design"),
    request("POST", "/_changes?filter=_doc_ids", {"doc_ids": ["a", "d1", "no"]}),
    request("POST", "/_changes?filter=_selector", {"selector": {"n": 1}}),
    request("GET", "/_changes?feed=longpoll&timeout=1&since=now"),
    request("GET", "/_changes?feed=continuous&timeout=1"),
    request("GET", ""),
    request("GET", "/_design/first/_view/n"),
    request("GET", "/_design/first/_view/n?reduce=false&include_docs=true&conflicts=true"),
    request("GET", "/_design/first/_info"),
    request("GET", "/a?revs_info=true&conflicts=true&attachments=true", None, 200, 404),
    request("GET", "/a?open_revs=all", None, 200, 404),
    request("POST", "/_bulk_get", {"docs": [{"id": "a"}, {"id": "d1"}]}),
    request("POST", "/_revs_diff", {"a": ["1-a", "2-b"]}),
    request("GET", "/_purged_infos"),
    request("GET", "/_security"),
    request("GET", "/../_all_dbs"),
    request("GET", "/../_dbs_info"),
    request("GET", "/../_db_updates"),
    request("GET", "/../_active_tasks"),
    request("GET", "/../_node/_local/_stats"),
    request("GET", "/../_scheduler/jobs"),
]


def writes(client: Client) -> None:
    """Documents that come, change, fork and go."""
    for number in range(40):
        docid = f"/d{number % 4}"
        found = client("GET", docid)
        rev = {"_rev": found.json()["_rev"]} if found.status_code == 200 else {}
        request("PUT", docid, {"n": number, **rev}, 201, 409)(client)
        request("PUT", f"{docid}/file?rev=1-x", "text", 409)(client)
        leaf = {"_id": "a", "_revisions": {"start": 1, "ids": [f"{number:032x}"]}, "n": number}
        request("POST", "/_bulk_docs", {"docs": [leaf], "new_edits": False}, 201)(client)
        if number % 3 == 2:
            found = client("GET", docid)
            if found.status_code == 200:
                request("DELETE", f"{docid}?rev={found.json()['_rev']}", None, 200, 404, 409)(client)


def purges(client: Client) -> None:
    """Design documents and others that are purged."""
    for number in range(60):
        for docid in (f"_design/gone{number % 2}", f"p{number % 2}"):
            made = client("PUT", f"/{docid}", {"n": number})
            if made.status_code == 201:
                request("POST", "/_purge", {docid: [made.json()["rev"]]}, 201)(client)
        request("POST", "/_purge", {"a": [f"1-{number % 8:032x}"]}, 201)(client)


def indexes(client: Client) -> None:
    for _ in range(40):
        request("POST", "/_index", {"index": {"fields": ["n"]}, "ddoc": "i", "name": "i"})(client)
        request("DELETE", "/_index/i/json/i")(client)


def keeps_house(client: Client) -> None:
    for number in range(40):
        request("POST", "/_compact", None, 202)(client)
        request("POST", "/_view_cleanup", None, 202)(client)
        request("PUT", "/_security", {"members": {"roles": []}})(client)
        request("PUT", "/_revs_limit", 5 + number)(client)


def local_documents(client: Client) -> None:
    for number in range(100):
        request("PUT", f"/_local/{number % 3}", {"n": number}, 201)(client)
        request("DELETE", f"/_local/{number % 3}")(client)


def databases(client: Client) -> None:
    for number in range(30):
        request("PUT", f"/../other{number % 2}", None, 201)(client)
        request("PUT", f"/../other{number % 2}/a", {}, 201)(client)
        request("DELETE", f"/../other{number % 2}")(client)


WRITERS = [writes, purges, indexes, keeps_house, local_documents, databases]


@pytest.fixture
def filled(couch: Couch) -> Couch:
    couch.db.json("PUT", "/../_global_changes")
    documents = [{"_id": f"d{number}", "n": number} for number in range(4)]
    couch.db.json("POST", "/_bulk_docs", {"docs": [FIRST, {"_id": "a", "n": 1}, *documents]})
    return couch


def read(client: Client) -> None:
    """Read by one reader after the other, each thread in an order of its own."""
    for reader in random.sample(READERS, len(READERS)):
        reader(client)


@pytest.mark.parametrize("couch", ["in process"], indirect=True)
@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_no_reader_is_disturbed_by_a_writer(writer: Callable[[Client], None], filled: Couch) -> None:
    filled.while_writing([writer], [read, read, read])


@pytest.mark.parametrize("couch", ["in process"], indirect=True)
def test_no_lookup_of_design_documents_is_disturbed_by_purges(filled: Couch) -> None:
    readers = [request("GET", "/_index"), request("POST", "/_find", {"selector": {"n": 1}})]
    for _ in range(3):
        filled.while_writing([purges, purges], readers)


def test_no_reader_is_disturbed_by_all_writers_at_once(filled: Couch) -> None:
    filled.while_writing(WRITERS, [read, read])
