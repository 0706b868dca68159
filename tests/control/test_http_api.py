"""The test kit over HTTP, below ``/_couchfake/``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from couchfake import CouchFake

Ask = Callable[..., requests.Response]


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake() as made:
        made.serve_control()
        yield made


@pytest.fixture
def ask(fake: CouchFake) -> Ask:
    def asks(method: str, path: str, json: Any = None, **options: Any) -> requests.Response:
        options.setdefault("headers", {"X-CouchFake": "1"})
        return requests.request(method, fake.url.rstrip("/") + path, json=json, timeout=10, **options)

    return asks


def test_it_is_not_there_unless_it_is_switched_on() -> None:
    with CouchFake() as fake:
        assert requests.get(fake.url + "_couchfake/docs", timeout=10).status_code == 404


def test_the_documentation_lists_every_operation(ask: Ask) -> None:
    rows = ask("GET", "/_couchfake/docs").json()
    assert {"method": "POST", "path": "/_couchfake/reset"}.items() <= rows[1].items()
    assert all(row["description"].endswith(".") for row in rows)
    page = ask("GET", "/_couchfake/docs", headers={"Accept": "text/html"}).text
    assert all(row["path"] in page for row in rows)


def test_reset_brings_back_the_start(fake: CouchFake, ask: Ask) -> None:
    ask("PUT", "/shop")
    ask("POST", "/_couchfake/faults", {"fault": "refuse", "status": 503, "path": "/x"})
    ask("POST", "/_couchfake/clock", {"freeze": 5})
    assert ask("POST", "/_couchfake/reset").json() == {"ok": True}
    assert ask("GET", "/shop").status_code == 404
    assert ask("GET", "/_couchfake/faults").json() == []
    assert not fake.clock.is_frozen
    assert ask("GET", "/_couchfake/docs").status_code == 200


def test_snapshots_are_taken_and_restored(ask: Ask) -> None:
    ask("PUT", "/shop")
    first = ask("POST", "/_couchfake/snapshots").json()["id"]
    ask("PUT", "/shop/tea", {})
    second = ask("POST", "/_couchfake/snapshots").json()["id"]
    assert ask("GET", "/_couchfake/snapshots").json() == [first, second]
    assert ask("POST", f"/_couchfake/snapshots/{first}/restore").json() == {"ok": True}
    assert ask("GET", "/shop/tea").status_code == 404
    assert ask("GET", "/_couchfake/snapshots").json() == [first]
    assert ask("POST", f"/_couchfake/snapshots/{second}/restore").status_code == 404
    assert ask("DELETE", f"/_couchfake/snapshots/{first}").json() == {"ok": True}
    assert ask("GET", "/_couchfake/snapshots").json() == []


def test_documents_are_loaded_or_none_of_them(ask: Ask) -> None:
    assert ask("POST", "/_couchfake/load", {"shop": [{"_id": "tea"}, {"_id": "coffee"}]}).json()["documents"] == 2
    assert ask("GET", "/shop").json()["doc_count"] == 2
    answer = ask("POST", "/_couchfake/load", {"other": [{"_id": "x"}, {"_id": "_bad"}]})
    assert answer.status_code == 400
    assert "_bad" in answer.json()["reason"]
    assert ask("GET", "/other").status_code == 404
    assert ask("POST", "/_couchfake/load", {"shop": {}}).status_code == 400


def test_requests_are_listed_with_numbers_to_go_on_from(ask: Ask) -> None:
    ask("PUT", "/shop")
    ask("PUT", "/shop/tea", {"price": 3})
    ask("GET", "/shop/tea")
    found = ask("GET", "/_couchfake/requests?method=PUT&path=/shop/*").json()
    assert found["total"] == 3
    assert [(each["number"], each["url"], each["status"]) for each in found["requests"]] == [(1, "/shop/tea", 201)]
    assert found["requests"][0]["body"] == '{"price": 3}'
    assert [each["number"] for each in ask("GET", "/_couchfake/requests?since=2").json()["requests"]] == [2]
    assert ask("GET", "/_couchfake/requests?limit=1").json()["skipped"] == 2
    assert ask("GET", "/_couchfake/requests?limit=x").status_code == 400
    ask("DELETE", "/_couchfake/requests")
    assert ask("GET", "/_couchfake/requests").json()["requests"] == []


def test_faults_are_switched_on_and_off(ask: Ask) -> None:
    key = ask("POST", "/_couchfake/faults", {"fault": "refuse", "status": 503, "path": "/shop"}).json()["id"]
    assert ask("GET", "/shop").status_code == 503
    [row] = ask("GET", "/_couchfake/faults").json()
    assert row == {"id": key, "fault": "refuse", "text": "refuse 503 path='/shop'", "hits": 1, "test": None}
    ask("DELETE", f"/_couchfake/faults/{key}")
    assert ask("GET", "/shop").status_code == 404
    answer = ask("POST", "/_couchfake/faults", {"fault": "explode"})
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    ask("POST", "/_couchfake/faults", {"fault": "starting"})
    assert ask("GET", "/").status_code == 503
    assert ask("GET", "/_couchfake/faults").status_code == 200
    ask("DELETE", "/_couchfake/faults")
    assert ask("GET", "/").status_code == 200


def test_the_clock_is_frozen_and_advanced(fake: CouchFake, ask: Ask) -> None:
    assert ask("POST", "/_couchfake/clock", {"freeze": 1000.5}).json() == {
        "now": 1000.5, "frozen": True, "skips_waits": False,
    }  # fmt: skip
    ask("POST", "/_couchfake/clock", {"advance": 60})
    assert fake.clock() == 1060.5
    assert ask("POST", "/_couchfake/clock", {"skip_waits": True}).json()["skips_waits"] is True
    assert ask("POST", "/_couchfake/clock", {"skip_waits": False, "reset": True}).json()["frozen"] is False
    assert ask("POST", "/_couchfake/clock", {"freeze": True}).json()["frozen"] is True
    assert ask("POST", "/_couchfake/clock", {"resume": True}).json()["frozen"] is False
    for wrong in ({"advance": -1}, {"advance": "x"}, {"stop": True}, {"freeze": "now"}):
        assert ask("POST", "/_couchfake/clock", wrong).status_code == 400


def test_conflicts_are_made_and_trees_shown(ask: Ask) -> None:
    ask("PUT", "/shop")
    made = ask("POST", "/_couchfake/conflicts", {"db": "shop", "docid": "a/b", "bodies": [{"n": 1}, {"n": 2}]}).json()
    assert len(made["conflicts"]) == 1
    tree = ask("GET", "/_couchfake/trees/shop/a%2Fb").json()
    assert sorted(each["state"] for each in tree["revisions"]) == ["conflict", "winner"]
    headers = {"Accept": "text/plain"}
    assert ask("GET", "/_couchfake/trees/shop/a%2Fb", headers=headers).text.startswith("a/b\n├─ 1-")
    headers = {"Accept": "image/svg+xml"}
    assert ask("GET", "/_couchfake/trees/shop/a%2Fb", headers=headers).text.startswith("<svg ")
    assert ask("GET", "/_couchfake/trees/shop/missing").status_code == 404
    assert ask("POST", "/_couchfake/conflicts", {"db": "shop", "docid": "x"}).status_code == 400
    assert ask("POST", "/_couchfake/conflicts", {"db": "shop", "docid": "x", "bodies": [1]}).status_code == 400


def test_logs_and_feeds_are_listed(ask: Ask) -> None:
    ask("PUT", "/shop")
    ask("PUT", "/shop/_design/d", {"views": {"v": {"map": "function (doc) { log('seen'); }"}}})
    ask("PUT", "/shop/tea", {})
    ask("GET", "/shop/_design/d/_view/v")
    assert any("seen" in each["message"] for each in ask("GET", "/_couchfake/logs").json())
    with ask("GET", "/shop/_changes?feed=continuous&since=0", stream=True) as answer:
        lines = answer.iter_lines(1)
        next(lines)
        assert ask("GET", "/_couchfake/feeds").json() == ["/shop/_changes?feed=continuous&since=0"]


def test_what_is_not_there_says_where_to_look(ask: Ask) -> None:
    answer = ask("GET", "/_couchfake/nothing")
    assert (answer.status_code, answer.json()["reason"]) == (
        404,
        "there is nothing at /_couchfake/nothing; see /_couchfake/docs",
    )
    assert ask("PUT", "/_couchfake/clock").status_code == 405


def test_an_admin_is_needed_where_there_are_admins() -> None:
    with CouchFake(admins={"adm": "pass"}) as fake:
        fake.serve_control()
        url = fake.url + "_couchfake/docs"
        assert requests.get(url, timeout=10).status_code == 401
        assert requests.get(url, auth=("adm", "pass"), timeout=10).status_code == 200
        assert requests.get(url, auth=("adm", "wrong"), timeout=10).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example", "X-CouchFake": "1"},
        {"Host": "evil.example", "X-CouchFake": "1"},
        {"Host": "evil.example:5984", "Origin": "http://evil.example:5984", "X-CouchFake": "1"},
        {"Origin": "null", "X-CouchFake": "1"},
    ],
)
def test_pages_of_other_origins_are_refused(ask: Ask, headers: dict[str, str]) -> None:
    answer = ask("POST", "/_couchfake/reset", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


def test_what_a_form_of_another_origin_sends_is_refused(ask: Ask) -> None:
    assert ask("POST", "/_couchfake/reset", headers={"Content-Type": "text/plain"}, data="x").status_code == 415
    assert ask("POST", "/_couchfake/reset", {}, headers={}).status_code == 200


def test_a_host_name_can_be_allowed() -> None:
    with CouchFake() as fake:
        fake.serve_control(["couchdb"])
        answer = requests.get(fake.url + "_couchfake/docs", headers={"Host": "couchdb:5984"}, timeout=10)
        assert answer.status_code == 200


def test_requests_to_the_kit_are_not_logged(fake: CouchFake, ask: Ask) -> None:
    ask("GET", "/_couchfake/docs")
    assert len(fake.requests) == 0
