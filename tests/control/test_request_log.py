"""``fake.requests``: what was asked of a server, and what it answered."""

from __future__ import annotations

import json

import pytest

from couchfake import CouchFake
from couchfake.control.request_log import BEGINNING, KEPT_BYTES, RequestsDropped
from couchfake.settings import ADMINS

from .conftest import Client


def test_a_request_is_kept_with_its_answer(client: Client) -> None:
    client("PUT", "/shop/te%2Fa?batch=ok&w=1", json={"price": 3}, headers={"X-Shop": "a"})
    logged = client.fake.requests.last
    assert (logged.method, logged.path, logged.status) == ("PUT", "/shop/te%2Fa", 202)
    assert (logged.database, logged.document, logged.user) == ("shop", "te/a", None)
    assert logged.query == {"batch": "ok", "w": "1"}
    assert logged.url == "/shop/te%2Fa?batch=ok&w=1"
    assert logged.json == {"price": 3}
    assert logged.answer_json["ok"] is True
    assert logged.headers["X-Shop"] == "a"
    assert logged.answer_headers["Content-Type"] == "application/json"
    assert logged.seconds > 0
    assert logged.error is None


def test_an_error_is_shown_with_its_reason(client: Client) -> None:
    client("GET", "/shop/nothing")
    assert client.fake.requests.last.error == "not_found: missing"
    assert "GET /shop/nothing 404" in str(client.fake.requests.last)


@pytest.mark.parametrize(
    ("method", "pattern", "count"),
    [
        ("PUT", "/shop/*", 2), ("put", "/shop/*", 2), (None, "/shop/*", 3), ("GET", "**", 2), ("GET", "**/_view/*", 1),
        ("PUT", "shop/a", 1), ("PUT", "/shop", 0), (None, "/*/b c", 1), (None, "/shop/b%20c", 1), ("GET", "/shop/*", 1),
    ],
)  # fmt: skip
def test_requests_are_chosen_by_method_and_path(client: Client, method: str | None, pattern: str, count: int) -> None:
    client("PUT", "/shop/a", json={})
    client("PUT", "/shop/b%20c", json={})
    client("GET", "/shop/a")
    client("GET", "/shop/_design/d/_view/v")
    assert client.fake.requests.to(method, pattern).count == count


def test_a_selection_has_its_requests_and_their_bodies(client: Client) -> None:
    for price in (1, 2, 3):
        client("POST", "/shop", json={"price": price})
    chosen = client.fake.requests.to("POST", "/shop")
    assert chosen.json == [{"price": 1}, {"price": 2}, {"price": 3}]
    assert chosen.first.json == {"price": 1}
    assert chosen[-1] is chosen.last
    assert chosen.where(lambda each: each.json["price"] > 1).count == 2
    assert len(chosen[1:]) == 2


def test_an_assertion_that_fails_lists_what_came_instead_the_nearest_first(client: Client) -> None:
    client("GET", "/")
    client("POST", "/shop/_find", json={"selector": {}})
    with pytest.raises(AssertionError) as failure:
        client.fake.requests.to("POST", "/shop/_explain").assert_count(1)
    lines = str(failure.value).splitlines()
    assert lines[0] == "0 requests to POST /shop/_explain, not 1"
    assert lines[2].startswith("  POST /shop/_find 200")
    assert lines[3].startswith("  GET / 200")
    with pytest.raises(LookupError, match="no request to DELETE"):
        _ = client.fake.requests.to("DELETE").last


def asked(fake: CouchFake, *paths: str) -> None:
    session = fake.session()
    for path in paths:
        session.get(fake.session_url + path)


def test_the_log_keeps_the_latest_requests_and_refuses_to_count_what_it_has_dropped() -> None:
    fake = CouchFake()
    asked(fake, *["_up"] * 1005)
    log = fake.requests
    assert (len(log.all), log.total, log.dropped) == (1000, 1005, 5)
    chosen = log.to("GET", "/_up")
    for ask in (
        lambda: log.count, lambda: len(log), lambda: list(log), lambda: log[0], lambda: chosen.count,
        lambda: len(chosen), lambda: chosen.first, lambda: chosen.json, lambda: list(chosen), lambda: chosen[1:],
        lambda: chosen.assert_count(1000), lambda: chosen.where(bool).count, lambda: log.to("DELETE").count,
    ):  # fmt: skip
        with pytest.raises(RequestsDropped, match=r"made 1005 requests, .* keeps the last 1000\. Set requests\.limit"):
            ask()
    assert repr(chosen) == "<1000 requests to GET /_up, at least: the log has dropped 5 requests>"
    assert repr(log) == "<1005 requests, 5 of them dropped>"
    assert chosen.last is log[-1] is log.last


def test_a_higher_limit_keeps_more() -> None:
    fake = CouchFake()
    asked(fake, "_up")
    fake.requests.limit = 2000
    asked(fake, *["_up"] * 1500)
    assert (fake.requests.count, fake.requests.limit, fake.requests.dropped) == (1501, 2000, 0)


def test_clearing_the_log_makes_it_count_again() -> None:
    fake = CouchFake()
    fake.requests.limit = 2
    asked(fake, "_up", "_up", "_up")
    fake.requests.clear()
    assert fake.requests.count == 0
    asked(fake, "_up")
    assert (fake.requests.count, fake.requests.total) == (1, 4)


def test_counting_begins_with_a_test_and_all_has_what_came_before() -> None:
    fake = CouchFake()
    fake.requests.limit = 3
    asked(fake, "_up", "_all_dbs")
    fake.requests.begin()
    assert (fake.requests.count, list(fake.requests), repr(fake.requests)) == (0, [], "<0 requests>")
    asked(fake, "_session", "_up")
    assert [each.path for each in fake.requests] == ["/_session", "/_up"]
    assert fake.requests.to("GET", "/_up").count == 1
    assert fake.requests[0].path == "/_session"
    assert [each.path for each in fake.requests.all] == ["/_all_dbs", "/_session", "/_up"]


def test_a_failed_count_lists_the_most_recent_requests_first() -> None:
    fake = CouchFake()
    asked(fake, *(f"_up?n={n}" for n in range(30)))
    lines = fake.requests.to("GET", "/_up").explain()
    assert lines[0] == "requests to GET /_up, the most recent first:"
    assert lines[1].startswith("  GET /_up?n=29 200")
    assert lines[-1] == "  and 10 more"


def test_a_streaming_answer_is_kept_without_its_body(client: Client) -> None:
    client("POST", "/shop/_bulk_docs", json={"docs": [{"_id": str(n), "text": "x" * 500} for n in range(300)]})
    assert len(client("GET", "/shop/_all_docs?include_docs=true").json()["rows"]) == 300
    logged = client.fake.requests.last
    assert (logged.path, logged.status, logged.answer) == ("/shop/_all_docs", 200, b"")


def test_listeners_hear_of_each_request(client: Client) -> None:
    heard: list[str] = []
    client.fake.requests.listeners.append(lambda logged: heard.append(str(logged)))
    client("GET", "/shop")
    assert heard[0].startswith("GET /shop 200")


def test_no_secret_is_shown() -> None:
    fake = CouchFake(admins={"adm": "PASS1"})
    session = fake.session()
    session.auth = ("adm", "PASS1")
    url = fake.session_url
    session.put(url + "_users/org.couchdb.user:jan", json={
        "_id": "org.couchdb.user:jan", "name": "jan", "type": "user", "roles": [], "password": "PASS2",
    })  # fmt: skip
    stored = session.get(url + "_users/org.couchdb.user:jan").json()
    cookie = session.post(url + "_session", data={"name": "jan", "password": "PASS2"}).cookies["AuthSession"]
    session.post(url + "_session", json={"name": "jan", "password": "PASS2"})
    session.get(url + "_session", headers={"Cookie": f"AuthSession={cookie}"})
    session.cookies.clear()
    assert session.put(url + "_node/_local/_config/admins/eve", json="PASS3").status_code == 200
    session.get(url + "_node/_local/_config")
    session.get(url + "_node/_local/_config/admins")
    session.post(url + "_replicate", json={"source": "http://jan:PASS4@host/a", "target": "b", "create_target": 1})
    session.get(url + "_all_dbs?password=PASS5&next=http://u:PASS6@host/")
    shown = repr(
        [
            (str(each), each.url, each.query, each.headers, each.answer_headers, each.body, each.answer, each.json)
            for each in fake.requests
        ]
    )
    hashed = fake.node.config.entry(ADMINS, "eve")
    secrets = [*(f"PASS{n}" for n in range(1, 7)), cookie, stored["derived_key"], stored["salt"], hashed]
    assert [secret for secret in secrets if secret in shown] == []
    assert "YWRtOlBBU1Mx" not in shown
    assert json.dumps(stored["name"]) in shown


def test_a_large_body_is_kept_as_its_beginning(client: Client) -> None:
    for size, kept in ((KEPT_BYTES, KEPT_BYTES), (KEPT_BYTES + 1, BEGINNING)):
        client("PUT", f"/shop/{size}/file", data=b"x" * size, headers={"Content-Type": "application/octet-stream"})
        client("GET", f"/shop/{size}/file")
        assert client.fake.requests.last.answer == b"x" * kept
