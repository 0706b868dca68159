"""``fake.faults``: what goes wrong between an application and its database."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.control.addresses import SharedServer

from .conftest import Client

BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, "unauthorized"), (403, "forbidden"), (404, "not_found"), (409, "conflict"), (412, "file_exists"),
     (413, "too_large"), (429, "too_many_requests"), (500, "internal_server_error"), (503, "service_unavailable")],
)  # fmt: skip
def test_requests_are_refused_within_the_block(client: Client, status: int, error: str) -> None:
    with client.fake.faults.refuse(status, path="/shop/**") as fault:
        answer = client("PUT", "/shop/tea", json={})
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert client("GET", "/").status_code == 200
        assert fault.hits == 1
    assert client("GET", "/shop/tea").status_code == 404


def test_a_refusal_may_say_when_to_come_back_and_why(client: Client) -> None:
    client.fake.faults.refuse(429, retry_after=3, error="slow", reason="down")
    answer = client("GET", "/")
    assert answer.headers["Retry-After"] == "3"
    assert answer.json() == {"error": "slow", "reason": "down"}


@pytest.mark.parametrize(
    ("conditions", "statuses"),
    [
        ({"times": 2}, [503, 503, 404, 404]),
        ({"nth": 3}, [404, 404, 503, 404]),
        ({"share": 0.0}, [404] * 4),
        ({"share": 1.0}, [503] * 4),
        ({"method": "PUT"}, [404] * 4),
        ({"method": "get"}, [503] * 4),
        ({"database": "shop"}, [503] * 4),
        ({"database": "other"}, [404] * 4),
        ({"document": "tea"}, [503] * 4),
        ({"document": "coffee"}, [404] * 4),
        ({"path": "/shop/t*"}, [503] * 4),
        ({"path": "/*"}, [404] * 4),
    ],
)
def test_conditions_choose_the_requests(client: Client, conditions: dict[str, Any], statuses: list[int]) -> None:
    with client.fake.faults.refuse(503, **conditions):
        assert [client("GET", "/shop/tea").status_code for _ in range(4)] == statuses


def test_a_share_is_the_same_with_the_same_seed(client: Client) -> None:
    def run(seed: int) -> list[int]:
        with client.fake.faults.refuse(503, share=0.5, seed=seed):
            return [client("GET", "/").status_code for _ in range(40)]

    assert run(1) == run(1) != run(2)
    assert {200, 503} == set(run(1))


def test_a_user_is_a_condition() -> None:
    fake = CouchFake(admins={"adm": "pass", "eve": "pass"})
    fake.faults.refuse(503, user="eve")
    session = fake.session()
    statuses = [session.get(fake.url + "_all_dbs", auth=(name, "pass")).status_code for name in ("adm", "eve")]
    assert statuses == [200, 503]
    assert session.get(fake.url + "_all_dbs", auth=("eve", "wrong")).status_code == 401


def test_a_delay_waits_before_the_request_on_the_servers_clock() -> None:
    fake = CouchFake()
    arrived = threading.Event()

    def arrive(request: Any) -> bool:
        arrived.set()
        return True

    fake.faults.delay(3600, where=arrive)
    asking = threading.Thread(target=lambda: fake.session().put(fake.session_url + "shop"))
    asking.start()
    assert arrived.wait(60)
    assert "shop" not in fake.node.databases
    while asking.is_alive():  # the request may not be waiting yet
        fake.clock.advance(3600)
        asking.join(0.1)
    assert "shop" in fake.node.databases


def test_a_connection_dropped_before_the_request_leaves_nothing_behind(client: Client) -> None:
    with client.fake.faults.drop("before", method="PUT"), pytest.raises(BROKEN):
        client("PUT", "/shop/tea", json={})
    assert client("GET", "/shop/tea").status_code == 404
    assert client.fake.requests.to("PUT").last.status == 0


def test_a_connection_dropped_in_the_middle_breaks_the_answer(client: Client) -> None:
    with client.fake.faults.drop("middle"), pytest.raises(BROKEN):
        client("GET", "/shop")
    assert client("GET", "/shop").status_code == 200


def test_a_connection_dropped_after_the_answer_is_opened_again(client: Client) -> None:
    with client.fake.faults.drop("after"):
        assert [client("GET", "/shop").status_code for _ in range(3)] == [200] * 3


def test_a_lost_answer_leaves_the_write_behind(client: Client) -> None:
    with client.fake.faults.lose_answer(method="PUT"), pytest.raises(BROKEN):
        client("PUT", "/shop/tea", json={"price": 3})
    assert client("GET", "/shop/tea").json()["price"] == 3


def test_a_write_conflicts_with_a_revision_that_somebody_else_wrote(client: Client) -> None:
    rev = client("PUT", "/shop/tea", json={"price": 3}).json()["rev"]
    with client.fake.faults.conflict(document_id="tea", times=1):
        assert client("GET", "/shop/tea").json()["_rev"] == rev
        assert client("PUT", "/shop/tea", json={"price": 4, "_rev": rev}).status_code == 409
        there = client("GET", "/shop/tea").json()
        assert there["_rev"].startswith("2-")
        assert (there["price"], there["changed_by"]) == (3, "somebody else")
        assert client("PUT", "/shop/tea", json={"price": 4, "_rev": there["_rev"]}).status_code == 201


def test_a_new_document_conflicts_with_one_that_was_made_meanwhile(client: Client) -> None:
    with client.fake.faults.conflict({"price": 9}):
        assert client("PUT", "/shop/coffee", json={"price": 4}).status_code == 409
    assert client("GET", "/shop/coffee").json()["price"] == 9


def read_until_broken(answer: requests.Response) -> str:
    """What comes of an answer before its connection breaks."""
    pieces: list[bytes] = []
    with pytest.raises(BROKEN):
        pieces.extend(answer.iter_content(1))
    return b"".join(pieces).decode()


@pytest.mark.parametrize("feed", ["normal", "longpoll", "continuous", "eventsource"])
def test_a_feed_is_cut_after_some_rows(client: Client, feed: str) -> None:
    client("POST", "/shop/_bulk_docs", json={"docs": [{"_id": each} for each in "abcd"]})
    with client.fake.faults.cut_feed(2):
        answer = client("GET", f"/shop/_changes?feed={feed}&timeout=0&since=0", stream=True)
        text = read_until_broken(answer)
    assert text.count('"seq":') == 2


@pytest.mark.parametrize("row", [1, 3])
@pytest.mark.parametrize("feed", ["normal", "continuous", "eventsource"])
def test_a_row_of_a_feed_comes_twice(client: Client, feed: str, row: int) -> None:
    client("POST", "/shop/_bulk_docs", json={"docs": [{"_id": each} for each in "abc"]})
    with client.fake.faults.repeat_row(row):
        text = client("GET", f"/shop/_changes?feed={feed}&timeout=0&since=0").text
    ids = list("abc")
    ids.insert(row, ids[row - 1])
    readers: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "normal": lambda: json.loads(text)["results"],
        "continuous": lambda: [json.loads(line) for line in text.splitlines() if '"seq"' in line],
        "eventsource": lambda: [json.loads(each[6:]) for each in text.splitlines() if each.startswith('data: {"seq"')],
    }
    assert [each["id"] for each in readers[feed]()] == ids


def test_a_full_disk_refuses_writes_only(client: Client) -> None:
    with client.fake.faults.disk_full():
        assert client("PUT", "/shop/tea", json={}).json()["error"] == "insufficient_storage"
        assert client("POST", "/shop/_find", json={"selector": {}}).status_code == 200
        assert client("GET", "/shop").status_code == 200


def test_a_server_that_is_read_only_starting_or_in_maintenance(client: Client) -> None:
    with client.fake.faults.read_only():
        assert client("DELETE", "/shop").status_code == 403
        assert client("GET", "/shop").status_code == 200
    with client.fake.faults.starting():
        assert client("GET", "/").status_code == 503
    with client.fake.faults.maintenance():
        assert client("GET", "/_up").json() == {"status": "maintenance_mode"}
        assert client("GET", "/shop").status_code == 200


def test_faults_are_listed_while_they_are_on(client: Client) -> None:
    faults = client.fake.faults
    faults.test = "test_shop.py::test_it"
    with faults.refuse(503, path="/shop/*", times=2) as first:
        second = faults.drop("middle")
        assert list(faults) == [first, second]
        assert str(first) == "refuse 503 path='/shop/*', times=2"
        assert first.test == "test_shop.py::test_it"
    assert not first.is_on
    faults.clear()
    assert not second.is_on
    assert len(faults) == 0


@pytest.mark.parametrize(
    ("fault", "arguments", "message"),
    [
        ("explode", {}, "there is no fault 'explode'; there are refuse, delay"),
        ("clear", {}, "there is no fault 'clear'"),
    ],
)
def test_a_fault_that_does_not_exist_is_one_sentence(fault: str, arguments: dict[str, Any], message: str) -> None:
    faults = CouchFake().faults
    with pytest.raises(ValueError, match=message):
        faults.add(fault, **arguments)
    assert len(faults) == 0


def test_a_view_is_answered_without_the_latest_writes(client: Client) -> None:
    client("PUT", "/shop/_design/d", json={"views": {"v": {"map": "function (doc) { emit(doc._id); }"}}})
    client("PUT", "/shop/tea", json={})
    path = "/shop/_design/d/_view/v"
    assert len(client("GET", path).json()["rows"]) == 1
    client("PUT", "/shop/coffee", json={})
    with client.fake.faults.stale_view(database="shop"):
        assert len(client("GET", path).json()["rows"]) == 1
    assert len(client("GET", path).json()["rows"]) == 2


def test_a_replication_stops_after_some_documents_and_goes_on_without_the_fault(client: Client) -> None:
    client("POST", "/shop/_bulk_docs", json={"docs": [{"_id": str(n)} for n in range(5)]})
    client("PUT", "/copy")
    order = {"source": "shop", "target": "copy"}
    with client.fake.faults.stop_replication(3, database="copy"):
        answer = client("POST", "/_replicate", json=order)
        assert (answer.status_code, answer.json()["error"]) == (500, "replication_stopped")
        assert client("GET", "/copy").json()["doc_count"] == 3
    assert client("POST", "/_replicate", json=order).json()["ok"] is True
    assert client("GET", "/copy").json()["doc_count"] == 5


@pytest.mark.parametrize("way", ["in process", "socket"])
def test_a_delay_ends_when_the_client_leaves_and_the_request_is_processed(way: str) -> None:
    with CouchFake() as fake:
        processed = threading.Event()
        fake.requests.listeners.append(lambda logged: processed.set())
        session, url = (requests.Session(), fake.url) if way == "socket" else (fake.session(), fake.session_url)
        with session, fake.faults.delay(3600), pytest.raises(requests.ReadTimeout):
            session.put(url + "shop", timeout=0.2)
        assert processed.wait(60)
        assert "shop" in fake.node.databases


def test_a_delay_ends_when_the_server_leaves_its_address() -> None:
    shared = SharedServer().start()
    arrived = threading.Event()

    def arrive(request: Any) -> bool:
        arrived.set()
        return True

    with CouchFake() as fake:
        fake.stop()
        url = fake.start(shared=shared)
        fake.faults.delay(3600, where=arrive)
        asking = threading.Thread(target=lambda: requests.put(url + "shop", timeout=60))
        asking.start()
        assert arrived.wait(60)
        fake.stop()
        asking.join(60)
        assert not asking.is_alive()
    shared.stop()


@pytest.mark.parametrize(
    ("fault", "arguments", "message"),
    [
        ("refuse", {"status": 503, "metod": "PUT"}, "refuse has no argument 'metod'; did you mean 'method'?"),
        ("refuse", {"statsu": 503}, "refuse has no argument 'statsu'; did you mean 'status'?"),
        ("refuse", {}, "refuse needs the argument 'status'"),
        ("refuse", {"status": "503"}, "refuse: status must be a number from 400 to 599, not '503'"),
        ("refuse", {"status": 200}, "refuse: status must be a number from 400 to 599, not 200"),
        ("refuse", {"status": True}, "refuse: status must be a number from 400 to 599, not True"),
        ("refuse", {"status": 503, "retry_after": "x"}, "refuse: retry_after must be a number of at least 0, not 'x'"),
        ("delay", {"seconds": "1"}, "delay: seconds must be a number of at least 0, not '1'"),
        ("delay", {"seconds": -1}, "delay: seconds must be a number of at least 0, not -1"),
        ("cut_feed", {"rows": "1"}, "cut_feed: rows must be a number of at least 0, not '1'"),
        ("repeat_row", {"row": 0}, "repeat_row: row must be a number of at least 1, not 0"),
        (
            "stop_replication",
            {"documents": None},
            "stop_replication: documents must be a number of at least 0, not None",
        ),
        ("drop", {"when": "later"}, "drop: when must be 'before', 'middle' or 'after', not 'later'"),
        ("starting", {"method": 5}, "starting: method must be a string, not 5"),
        ("starting", {"nth": "1"}, "starting: nth must be a number of at least 1, not '1'"),
        ("starting", {"times": 0}, "starting: times must be a number of at least 1, not 0"),
        ("starting", {"share": 2}, "starting: share must be a number from 0 to 1, not 2"),
        ("starting", {"where": "x"}, "starting: where must be a function of a request, not 'x'"),
        ("conflict", {"document": "tea"}, "conflict: document must be a dict, not 'tea'"),
    ],
)
def test_a_wrong_argument_is_one_sentence(client: Client, fault: str, arguments: dict[str, Any], message: str) -> None:
    faults = client.fake.faults
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        faults.add(fault, **arguments)
    if arguments:
        with pytest.raises((TypeError, ValueError)) as raised:
            getattr(faults, fault)(**arguments)
        assert str(raised.value) == message or "statsu" in arguments
    assert len(faults) == 0


def test_the_log_names_the_faults_that_happened_to_a_request_after_they_have_ended() -> None:
    with CouchFake() as fake, fake.session() as session:
        url = "http://couchfake.invalid/"
        with fake.faults.drop("middle", path="/"), pytest.raises(requests.exceptions.ChunkedEncodingError):
            session.get(url).json()
        with fake.faults.lose_answer(), pytest.raises(requests.ConnectionError):
            session.put(url + "shop")
        with fake.faults.refuse(503, times=1):
            session.get(url + "shop")
            session.get(url + "shop")
        assert [each.faults for each in fake.requests] == [["drop middle"], ["lose_answer"], ["refuse 503"], []]
        assert str(fake.requests[0]).endswith("ms) (fault: drop middle)")
        assert "(fault: refuse 503) service_unavailable: " in str(fake.requests[2])
        assert "fault" not in str(fake.requests[3])
