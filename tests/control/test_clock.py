"""``fake.clock``: the server's time, frozen and advanced by a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

import pytest
import requests
from werkzeug.test import create_environ, run_wsgi_app

from couchfake import CouchFake
from couchfake.values.clock import Clock, Signal

from .conftest import Client

NEW_YEAR = datetime(2030, 1, 1, tzinfo=timezone.utc)


def seconds_of(moment: datetime) -> float:
    return moment.timestamp()


# ---- the clock itself


def test_it_is_real_by_default() -> None:
    assert abs(Clock()() - time.time()) < 60


def test_it_is_frozen_advanced_and_resumed() -> None:
    clock = Clock(lambda: 100.0)
    clock.freeze()
    assert clock() == 100.0
    clock.advance(5)
    assert clock() == 105.0
    clock.freeze(NEW_YEAR)
    assert clock() == seconds_of(NEW_YEAR)
    clock.resume()
    assert clock() == seconds_of(NEW_YEAR)
    assert not clock.is_frozen
    clock.reset()
    assert clock() == 100.0


def test_deadlines_come_nearer_with_each_advance() -> None:
    clock = Clock()
    deadline = clock.deadline(1000)
    clock.advance(400)
    clock.advance(500)
    assert not deadline.passed
    assert deadline.remaining is not None
    assert deadline.remaining <= 100
    clock.advance(100)
    assert deadline.passed


def test_a_moment_without_a_zone_is_in_utc() -> None:
    clock = Clock()
    clock.freeze(datetime(2030, 1, 1))  # noqa: DTZ001
    assert clock() == seconds_of(NEW_YEAR)


def test_it_is_frozen_within_a_block() -> None:
    clock = Clock(lambda: 100.0)
    clock.advance(1)
    with clock.frozen(NEW_YEAR) as same:
        assert same() == seconds_of(NEW_YEAR)
    assert clock() == 101.0


def test_it_goes_forwards_only() -> None:
    with pytest.raises(ValueError, match="cannot be advanced by -1 seconds"):
        Clock().advance(-1)


def test_a_wait_ends_when_the_clock_is_advanced_beyond_it() -> None:
    clock = Clock()
    signal = Signal(clock)
    ended: list[bool] = []
    waiter = threading.Thread(target=lambda: ended.append(signal.wait(3600)))
    waiter.start()
    while not clock._waiting:
        time.sleep(0)
    clock.advance(3601)
    waiter.join(30)
    assert ended == [False]


def test_a_wait_ends_at_once_where_waits_are_skipped() -> None:
    clock = Clock()
    with clock.skip_waits():
        assert not Signal(clock).wait(3600)


def test_a_signal_that_is_set_ends_a_wait() -> None:
    signal = Signal(Clock())
    threading.Thread(target=signal.set).start()
    assert signal.wait(30)


# ---- what follows it


def in_background(ask: Callable[[], requests.Response]) -> tuple[threading.Thread, list[requests.Response]]:
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    return thread, answers


def wait_until_it_waits(clock: Clock) -> None:
    while not clock._waiting:
        time.sleep(0)


@pytest.mark.parametrize("path", ["/shop/_changes", "/_db_updates"])
def test_a_longpoll_times_out_when_the_clock_is_advanced(client: Client, path: str) -> None:
    client("PUT", "/_global_changes")
    thread, answers = in_background(lambda: client("GET", f"{path}?feed=longpoll&since=now&timeout=50000"))
    wait_until_it_waits(client.fake.clock)
    client.fake.clock.advance(51)
    thread.join(30)
    assert answers[0].json()["results"] == []


@pytest.mark.parametrize("feed", ["longpoll", "continuous"])
def test_a_feed_ends_at_once_where_waits_are_skipped(client: Client, feed: str) -> None:
    with client.fake.clock.skip_waits():
        answer = client("GET", f"/shop/_changes?feed={feed}&since=now&timeout=60000")
    assert '"last_seq"' in answer.text


def test_heartbeats_come_when_the_clock_is_advanced(client: Client) -> None:
    with client("GET", "/shop/_changes?feed=continuous&since=now&heartbeat=50000", stream=True) as answer:
        pieces: list[bytes] = []
        reader = threading.Thread(target=lambda: pieces.extend(islice(answer.iter_content(1), 2)))
        reader.start()
        while len(pieces) < 1 and reader.is_alive() and not client.fake.clock._waiting:
            time.sleep(0)
        client.fake.clock.advance(51)
        while reader.is_alive():
            client.fake.clock.advance(51)
            reader.join(0.01)
    assert pieces == [b"\n", b"\n"]


def test_a_session_expires_when_the_clock_is_advanced() -> None:
    fake = CouchFake(admins={"adm": "pass"}, clock=NEW_YEAR)
    session = fake.session()
    url = fake.session_url + "_session"
    cookie = session.post(url, json={"name": "adm", "password": "pass"}).cookies["AuthSession"]
    session.cookies.clear()
    headers = {"Cookie": f"AuthSession={cookie}"}
    assert session.get(url, headers=headers).json()["userCtx"]["name"] == "adm"
    fake.clock.advance(601)
    session.cookies.clear()
    assert session.get(url, headers=headers).json()["userCtx"]["name"] is None


def test_a_lockout_ends_when_the_clock_is_advanced() -> None:
    fake = CouchFake(admins={"adm": "pass"})
    session = fake.session()
    for _ in range(6):
        session.get(fake.session_url + "_all_dbs", auth=("adm", "wrong"))
    assert session.get(fake.session_url + "_all_dbs", auth=("adm", "pass")).status_code == 403
    fake.clock.advance(301)
    assert session.get(fake.session_url + "_all_dbs", auth=("adm", "pass")).status_code == 200


def test_the_start_of_a_database_is_the_servers_time() -> None:
    fake = CouchFake(clock=NEW_YEAR)
    fake.node.create_database("shop")
    assert fake.ask("GET", "/shop")["instance_start_time"] == str(int(seconds_of(NEW_YEAR)))


def test_a_delay_ends_when_the_clock_is_advanced(client: Client) -> None:
    client.fake.faults.delay(3600)
    thread, answers = in_background(lambda: client("GET", "/"))
    wait_until_it_waits(client.fake.clock)
    client.fake.clock.advance(3600)
    thread.join(30)
    assert answers[0].status_code == 200


def test_a_failed_replication_is_retried_when_the_clock_is_advanced(client: Client) -> None:
    fake = client.fake
    fault = fake.faults.stop_replication(0, database="copy")
    client("PUT", "/shop/tea", json={})
    client("PUT", "/copy")
    client("PUT", "/_replicator/r", json={"source": client.url + "shop", "target": client.url + "copy"})

    def state() -> Any:
        return client("GET", "/_scheduler/docs/_replicator/r").json().get("state")

    while state() != "crashing":
        time.sleep(0)
    fault.end()
    while state() != "completed":
        fake.clock.advance(60)
        time.sleep(0)
    assert client("GET", "/copy/tea").status_code == 200


@pytest.mark.parametrize("by_function", [True, False])
def test_two_runs_with_a_frozen_clock_and_the_same_ids_give_equal_answers(by_function: bool) -> None:
    def run() -> list[bytes]:
        numbers = iter(range(100))
        uuids = (lambda: f"{next(numbers):032x}") if by_function else 7
        fake = CouchFake(clock=NEW_YEAR, uuids=uuids, admins={"adm": "pass"})
        session = fake.session()
        session.auth = ("adm", "pass")
        url = fake.session_url
        asked = [
            session.put(url + "shop"),
            session.post(url + "shop", json={"price": 3}),
            session.get(url + "shop/_changes"),
            session.get(url + "shop"),
            session.get(url + "shop/_all_docs?update_seq=true"),
        ]
        return [answer.content for answer in asked]

    assert run() == run()


# ---- other clocks


@pytest.fixture(params=["freezegun", "time_machine"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[None]:
    """The process's own time, moved by a library."""
    library = pytest.importorskip(request.param)
    context = library.freeze_time(NEW_YEAR) if request.param == "freezegun" else library.travel(NEW_YEAR, tick=False)
    with context:
        yield


@pytest.mark.usefixtures("elsewhere")
def test_under_other_libraries_the_server_has_their_time_and_does_not_hang() -> None:
    fake = CouchFake()
    session = fake.session()
    url = fake.session_url
    session.put(url + "shop")
    assert session.get(url + "shop").json()["instance_start_time"] == str(int(seconds_of(NEW_YEAR)))
    answer = session.get(url + "shop/_changes?feed=longpoll&since=now&timeout=30", timeout=30)
    assert answer.json()["results"] == []
    with pytest.raises((requests.exceptions.Timeout, requests.exceptions.ConnectionError)):
        session.get(url + "shop/_changes?feed=longpoll&since=now", timeout=0.05)
    session.put(url + "shop/_design/d", json={"views": {"v": {"map": "function (doc) { emit(1); }"}}})
    session.put(url + "shop/tea", json={})
    assert len(session.get(url + "shop/_design/d/_view/v").json()["rows"]) == 1
    fake.close()


@pytest.mark.usefixtures("elsewhere")
def test_under_other_libraries_a_socket_is_served() -> None:
    with CouchFake() as fake:
        answer = requests.get(fake.url + "_all_dbs", timeout=30)
        assert answer.headers["Date"] == "Tue, 01 Jan 2030 00:00:00 GMT"


@pytest.mark.parametrize("way", ["in process", "socket", "WSGI"])
def test_the_header_date_follows_the_clock(way: str) -> None:
    fake = CouchFake()

    def date() -> str | None:
        if way == "WSGI":
            found = run_wsgi_app(fake.wsgi, create_environ("/_up", "http://localhost/"))[2]
            return found.get("Date")
        if way == "socket":
            return requests.get(fake.start() + "_up", timeout=10).headers["Date"]
        return fake.session().get(fake.session_url + "_up").headers["Date"]

    with fake.clock.frozen(NEW_YEAR):
        assert date() == "Tue, 01 Jan 2030 00:00:00 GMT"
        fake.clock.advance(61)
        assert date() == "Tue, 01 Jan 2030 00:01:01 GMT"
    fake.clock.advance(10 * 365 * 24 * 3600)
    later = date()
    assert later is not None
    assert parsedate_to_datetime(later) > datetime.now(timezone.utc) + timedelta(days=3000)
    fake.clock.reset()
    now = date()
    assert now is None if way == "WSGI" else abs(parsedate_to_datetime(str(now)).timestamp() - time.time()) < 60
    fake.close()
