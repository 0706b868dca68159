"""``/{db}/_changes`` over HTTP: parameters, filters, the bytes of each feed, and feeds that many hold open."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.transports.client import ENVIRON_KEY
from couchfake.transports.client import Client as HttpClient

from .conftest import Client


@pytest.fixture
def db(party: Client) -> Client:
    """A database ``/db`` with the documents a, b and c."""
    party.json("PUT", "/db", status=201)
    for docid in "abc":
        party.json("PUT", f"/db/{docid}", {"n": docid}, 201)
    return party


def ids(client: Client, query: str = "", method: str = "GET", body: Any = None) -> str:
    return "".join(row["id"] for row in client.json(method, f"/db/_changes{query}", body, 200)["results"])


# ---- parameters


def test_sequences_serve_as_since(db: Client) -> None:
    rows = db.json("GET", "/db/_changes")["results"]
    assert ids(db, f"?since={rows[0]['seq']}") == "bc"
    assert ids(db, f"?since=%22{rows[1]['seq']}%22") == "c"
    assert ids(db, f"?since={rows[1]['seq'].partition('-')[2]}") == "c"
    assert ids(db, f"?last-event-id={rows[1]['seq']}") == "c"
    assert ids(db, "?since=now") == ""
    assert ids(db, "?since=0") == "abc"


@pytest.mark.parametrize("since", ["1", "abc", "", "-1", "1-xyz", "NOW", "%220%22", "null"])
def test_anything_else_is_refused_as_since(db: Client, since: str) -> None:
    refusal = "400 bad_request: Malformed sequence supplied in 'since' parameter."
    for feed in ("normal", "longpoll", "continuous", "eventsource"):
        assert db.refusal("GET", f"/db/_changes?feed={feed}&since={since}&timeout=0") == refusal


def test_a_sequence_of_another_server_counts_from_the_start(db: Client) -> None:
    other = Client(CouchFake())
    other.json("PUT", "/db")
    assert ids(db, f"?since={other.json('GET', '/db/_changes')['last_seq']}") == "abc"
    term = zlib.compress(b"l\x00\x00\x00\x01h\x00j")  # real servers compress theirs
    opaque = base64.urlsafe_b64encode(b"\x83P\x00\x00\x00\x08" + term).decode().rstrip("=")
    assert ids(db, f"?since=4-{opaque}") == "abc"


def test_a_cut_sequence_is_refused(db: Client) -> None:
    last = db.json("GET", "/db/_changes")["last_seq"]
    assert db.refusal("GET", f"/db/_changes?since={last[:-8]}").startswith("400 bad_request: Malformed sequence")


def test_names_of_parameters_may_be_written_in_any_case(db: Client) -> None:
    assert ids(db, "?LIMIT=1&Descending=true") == "c"


@pytest.mark.parametrize("query", ["limit=x", "timeout=1.5", "style=other", "limit="])
def test_what_crashes_the_real_server_is_an_error(db: Client, query: str) -> None:
    assert db.refusal("GET", f"/db/_changes?{query}").startswith("500 unknown_error")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("feed=nonsense", "Supported `feed` types: normal, continuous, live, longpoll, eventsource"),
        ("heartbeat=x", "Invalid heartbeat value. Expecting a positive integer value (in milliseconds)."),
        ("heartbeat=0", "The heartbeat value should be a positive integer (in milliseconds)."),
        ("seq_interval=0", "invalid_seq_interval"),
        ("filter=_nope", "unknown builtin filter name"),
        ("filter=one", "`filter` must be of the form `designname/filtername`"),
        ("filter=a/b/c", "`filter` must be of the form `designname/filtername`"),
        ("filter=_view", "`view` filter parameter is not provided."),
        ("filter=_view&view=/", "`view` must be of the form `designname/viewname`"),
        ("filter=_doc_ids&doc_ids={}", "`doc_ids` filter parameter is not a list of doc ids."),
        ("filter=_doc_ids&doc_ids=a", "invalid UTF-8 JSON"),
        ("filter=_selector", "Selector must be specified in POST payload"),
    ],
)
def test_bad_parameters_are_refused(db: Client, query: str, reason: str) -> None:
    assert db.refusal("GET", f"/db/_changes?{query}") == f"400 bad_request: {reason}"


def test_an_empty_filter_name_means_no_filter(db: Client) -> None:
    assert ids(db, "?filter=") == ids(db, "?filter=/") == "abc"


def test_bodies_are_read_for_filters_only(db: Client) -> None:
    assert ids(db, "?limit=2", "POST", {"limit": 1, "since": "now", "doc_ids": ["a"]}) == "ab"
    assert ids(db, "?filter=_doc_ids", "POST", {"doc_ids": ["c", "a"]}) == "ac"
    assert ids(db, '?filter=_doc_ids&doc_ids=["b"]') == "b"
    assert ids(db, "?filter=_selector", "POST", {"selector": {"n": {"$gt": "a"}}}) == "bc"
    answer = db("POST", "/db/_changes", headers={"Content-Type": "application/json"})
    assert len(answer.json()["results"]) == 3


def test_the_number_of_documents_that_are_looked_up_is_configured(db: Client) -> None:
    query = '/db/_changes?filter=_doc_ids&doc_ids=["a","b"]'
    assert db.json("GET", query)["pending"] == 1
    db.set("couchdb", "changes_doc_ids_optimization_threshold", "1")
    assert db.json("GET", query)["pending"] == 0


def test_the_normal_feed_has_an_etag_that_changes_with_the_database(db: Client) -> None:
    first = db("GET", "/db/_changes")
    etag = first.headers["ETag"]
    again = db("GET", "/db/_changes", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    db.json("PUT", "/db/d", {})
    answer = db("GET", "/db/_changes", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag
    assert "ETag" not in db("GET", "/db/_changes?feed=longpoll").headers


def test_a_head_request_to_a_feed_does_not_wait(db: Client) -> None:
    for feed in ("normal", "longpoll", "continuous", "eventsource"):
        answer = db("HEAD", f"/db/_changes?feed={feed}&since=now&heartbeat=true")
        assert (answer.status_code, answer.content) == (200, b"")


# ---- the bytes of the feeds


def test_the_normal_feed_is_one_object_with_a_row_on_each_line(db: Client) -> None:
    answer = db("GET", "/db/_changes?limit=2")
    head, first, second, end, last, empty, rest = answer.text.split("\n")
    assert (head, end, empty, rest) == ('{"results":[', "],", "", "")
    assert first.endswith("},\r")
    assert second.endswith("}]}")
    assert last.startswith('"last_seq":"2-')
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "must-revalidate"


def test_short_answers_have_a_length_and_long_ones_are_sent_in_pieces(db: Client) -> None:
    assert "Content-Length" in db("GET", "/db/_changes").headers
    db.json("POST", "/db/_bulk_docs", {"docs": [{"_id": f"d{n}"} for n in range(1000)]}, 201)
    answer = db("GET", "/db/_changes")
    assert "Content-Length" not in answer.headers
    assert len(answer.json()["results"]) == 1003


def test_a_longpoll_that_times_out_is_an_empty_list(db: Client) -> None:
    answer = db("GET", "/db/_changes?feed=longpoll&since=now&timeout=0")
    assert answer.json()["results"] == []
    assert answer.json()["last_seq"].startswith("3-")


def test_a_continuous_feed_has_a_line_for_each_change(db: Client) -> None:
    answer = db("GET", "/db/_changes?feed=continuous&timeout=0&since=0")
    lines = answer.text.split("\n")
    assert [json.loads(line)["id"] for line in lines[:3]] == ["a", "b", "c"]
    assert json.loads(lines[3]).keys() == {"last_seq", "pending"}
    assert lines[4:] == ["", ""]
    assert answer.headers["Content-Type"] == "application/json"


def test_live_is_another_word_for_continuous(db: Client) -> None:
    live, continuous = (db("GET", f"/db/_changes?feed={feed}&timeout=0") for feed in ("live", "continuous"))
    assert live.text == continuous.text


def test_an_event_source_gets_events(db: Client) -> None:
    answer = db("GET", "/db/_changes?feed=eventsource&timeout=0")
    events = answer.text.split("\n\n")
    assert len(events) == 4
    for event in events[:3]:
        data, number = event.split("\n")
        row = json.loads(data.removeprefix("data: "))
        assert json.loads(number.removeprefix("id: ")) == row["seq"]
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_an_event_source_takes_up_where_its_last_event_was(db: Client) -> None:
    seq = db.json("GET", "/db/_changes")["results"][1]["seq"]
    headers = {"Last-Event-ID": seq}
    answer = db("GET", "/db/_changes?feed=eventsource&timeout=0&since=0", headers=headers)
    assert answer.text.count("data: ") == 1
    assert len(db.json("GET", "/db/_changes", headers=headers)["results"]) == 3


@pytest.mark.parametrize(
    ("feed", "beat"), [("longpoll", b"\n"), ("continuous", b"\n"), ("eventsource", b"event: heartbeat\ndata: \n\n")]
)
def test_heartbeats_come_at_the_requested_interval(db: Client, feed: str, beat: bytes) -> None:
    answer = db("GET", f"/db/_changes?feed={feed}&since=now&heartbeat=1", stream=True)
    chunks = answer.iter_content(None)
    assert next(chunks).endswith(b"\n")
    assert [next(chunks) for _ in range(3)] == [beat, beat, beat]
    answer.close()


def test_the_time_without_changes_is_bounded_by_the_configuration(db: Client) -> None:
    db.set("chttpd", "changes_timeout", "1")
    assert db.json("GET", "/db/_changes?feed=longpoll&since=now&timeout=600000")["results"] == []


def test_an_error_of_a_filter_is_an_error_answer(db: Client) -> None:
    selector = {"selector": {"n": {"$regex": "("}}}
    assert db.refusal("POST", "/db/_changes?filter=_selector", selector).startswith("400 ")


def test_fields_of_a_selector_may_be_omitted_but_are_not_null(db: Client) -> None:
    assert ids(db, "?filter=_selector", "POST", {"selector": {}}) == "abc"
    refusal = db.refusal("POST", "/db/_changes?filter=_selector", {"selector": {}, "fields": None})
    assert refusal == "400 bad_request: Selector error: fields must be JSON array"


# ---- many at once


def lines(answer: requests.Response) -> Iterator[dict[str, Any]]:
    """The rows of a continuous feed, heartbeats left out."""
    for line in answer.iter_lines(chunk_size=1):
        if line:
            yield json.loads(line)


def test_twenty_continuous_feeds_end_when_the_server_stops() -> None:
    fake = CouchFake()
    url = fake.start()
    requests.put(url + "db", timeout=10)
    requests.put(url + "db/a", json={}, timeout=10)
    begun = threading.Semaphore(0)

    def follow() -> None:
        with requests.get(url + "db/_changes?feed=continuous&heartbeat=60000", stream=True, timeout=60) as answer:
            try:
                for _ in lines(answer):
                    begun.release()
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                pass  # the answer was cut off, as it must be

    followers = [threading.Thread(target=follow, daemon=True) for _ in range(20)]
    for follower in followers:
        follower.start()
    for _ in followers:
        assert begun.acquire(timeout=30)
    fake.stop()
    for follower in followers:
        follower.join(30)
    assert not any(follower.is_alive() for follower in followers)


def test_eight_writers_and_a_feed_lose_nothing(party: Client) -> None:
    fake = party.fake
    party.json("PUT", "/db", status=201)
    written: dict[str, str] = {}

    def write(number: int) -> None:
        client = Client(fake)
        for turn in range(25):
            docid = f"{number}-{turn % 5}"
            rev = written.get(docid)
            document = {"turn": turn} if rev is None else {"turn": turn, "_rev": rev}
            written[docid] = client.json("PUT", f"/db/{docid}", document, 201)["rev"]

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    seen: dict[str, str] = {}
    sequences: list[int] = []
    with fake.session().get(fake.url + "db/_changes?feed=continuous&heartbeat=1000", stream=True, timeout=60) as answer:
        for writer in writers:
            writer.start()
        for row in lines(answer):
            seen[row["id"]] = row["changes"][0]["rev"]
            sequences.append(int(row["seq"].partition("-")[0]))
            if sequences[-1] == 200:
                break
    for writer in writers:
        writer.join()
    assert seen == written
    assert sequences == sorted(set(sequences))


def test_a_feed_leaves_nothing_behind_when_its_client_closes_it(db: Client) -> None:
    client = HttpClient()
    answer = db.fake.wsgi(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/db/_changes",
            "QUERY_STRING": "feed=continuous&heartbeat=1000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            ENVIRON_KEY: client,
        },
        lambda status, headers, exc_info=None: lambda data: None,
    )
    chunks = iter(answer)
    assert b'"id":"c"' in next(chunks)
    answer.close()  # type: ignore[attr-defined]
    assert list(chunks) == []


def test_a_feed_ends_when_its_database_is_deleted(db: Client) -> None:
    with db.fake.session().get(db.fake.url + "db/_changes?feed=continuous", stream=True, timeout=60) as answer:
        rows = lines(answer)
        assert [next(rows)["id"] for _ in range(3)] == ["a", "b", "c"]
        deleter = threading.Thread(target=db.json, args=("DELETE", "/db"))
        deleter.start()
        assert next(rows)["last_seq"].startswith("3-")
        deleter.join()


@pytest.mark.parametrize("query", ["", "&feed=continuous&timeout=1", "&feed=longpoll", "&filter=_design"])
def test_a_style_that_is_a_word_to_the_server_is_refused_when_a_change_is_shown(party: Client, query: str) -> None:
    party.json("PUT", "/db", status=201)
    assert party("GET", "/db/_changes?style=x").status_code == 200
    party.json("PUT", "/db/_design/d", {}, 201)
    answer = party("GET", f"/db/_changes?style=x{query}")
    assert (answer.status_code, answer.json()) == (500, {"error": "unknown_error", "reason": "function_clause"})
    assert party("GET", "/db/_changes?style=x&filter=_doc_ids&doc_ids=[]").status_code == 200
    assert party.refusal("GET", "/db/_changes?style=no_such_word") == "500 unknown_error: badarg"


def test_filters_that_open_documents_refuse_such_a_style_in_their_own_way(party: Client) -> None:
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/a", {}, 201)
    answer = party("POST", "/db/_changes?style=x&filter=_selector", json={"selector": {}})
    assert (answer.status_code, answer.json()) == (500, {"error": "case_clause", "reason": "x"})
