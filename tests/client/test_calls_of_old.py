"""Calls that programs written for couchdb-python make, and what they expect of them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from couchdb_client import Database, Resource, ResourceConflict, Server, ServerError, Session, client
from couchdb_client.http import urljoin
from couchdb_client.session import DEFAULT_TIMEOUT


def test_a_string_as_keys_is_refused_by_the_server(people: Database) -> None:
    with pytest.raises(ServerError) as caught:
        people.view("_all_docs", keys="abc").rows  # type: ignore[call-overload]  # noqa: B018
    assert caught.value.status == 400


def test_a_string_as_keys_is_not_taken_for_its_letters(wire: Any, db: Database) -> None:
    wire.says(b'{"rows":[]}')
    db.view("_all_docs", keys="abc").rows  # type: ignore[call-overload]  # noqa: B018
    assert wire.json() == {"keys": "abc"}


@pytest.mark.parametrize("keys", [["a"], ("a",), {"a"}, frozenset("a"), {"a": 1}.keys()])
def test_keys_may_be_any_collection(wire: Any, db: Database, keys: Any) -> None:
    wire.says(b'{"rows":[]}')
    db.view("_all_docs", keys=keys).rows  # noqa: B018
    assert wire.json() == {"keys": ["a"]}


def test_no_document_has_an_empty_id(people: Database) -> None:
    assert "" not in people


@pytest.mark.parametrize(
    ("destination", "copied"),
    [
        ("plain", "plain"),
        ("a/b", "a/b"),
        ("a%2Fb", "a/b"),
        ("s%C3%BC%C3%9F", "süß"),
        ("_design/a%20b", "_design/a b"),
        ("a+b", "a+b"),
        ("100%", "100%"),
        ("süß", "süß"),
        ("why?", "why?"),
    ],
)
def test_a_copy_goes_where_its_text_says_escaped_or_not(people: Database, destination: str, copied: str) -> None:
    people["source"] = {"n": 1}
    people.copy("source", destination)
    assert people[copied]["n"] == 1


def test_a_copy_may_name_the_revision_that_it_overwrites(people: Database) -> None:
    people.update([{"_id": "source", "n": 1}, {"_id": "a/b", "n": 2}])
    with pytest.raises(ResourceConflict):
        people.copy("source", "a%2Fb")
    rev = people.copy("source", f"a%2Fb?rev={people['a/b'].rev}")
    assert (people["a/b"]["n"], people["a/b"].rev) == (1, rev)


@pytest.mark.parametrize("destination", ["100%25 or more", "ü%20"])
def test_a_destination_that_can_be_read_either_way_is_refused(wire: Any, db: Database, destination: str) -> None:
    with pytest.raises(ValueError, match="may be an escaped ID or not"):
        db.copy("source", destination)
    assert wire.lines == []


def test_queries_have_no_time_limit_of_reading_and_documents_have_one(wire: Any, db: Database) -> None:
    for answer in (b"{}", b'{"rows":[]}', b'{"rows":[]}', b'{"docs":[]}', b'{"results":[]}', b"{}"):
        wire.says(answer)
    db.get("x")
    db.view("app/v").rows  # noqa: B018
    db.view("_all_docs", keys=["a"]).rows  # noqa: B018
    db.find({"selector": {}})
    db.changes()
    db.list("app/l", "v")
    db.index()["a", "b"] = ["c"]
    limits = [settings["timeout"] for settings in wire.settings]
    assert limits == [DEFAULT_TIMEOUT, *[(DEFAULT_TIMEOUT[0], None)] * 6]


def test_a_time_out_that_was_chosen_applies_to_queries_too(wire: Any, transport: requests.Session) -> None:
    db = Database("http://couch.example/db", session=Session(timeout=5, transport=transport))
    wire.says(b'{"rows":[]}')
    db.view("app/v").rows  # noqa: B018
    db.changes(feed="longpoll", timeout=2000)
    assert [settings["timeout"] for settings in wire.settings] == [(5, 5), (5, 7)]


def test_json_is_made_and_read_by_the_module_at_each_call(
    wire: Any, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("couchdb_client.json.encode", lambda value: '{"encoded":true}')
    monkeypatch.setattr("couchdb_client.json.decode", lambda text: {"id": "x", "rev": "1-a", "text": text})
    wire.says(b'{"n": 1}', 201)
    assert db.save({"_id": "x", "n": object()}) == ("x", "1-a")
    assert wire.json() == {"encoded": True}
    wire.says(b'{"n": 1}')
    assert db["x"]["text"] == '{"n": 1}'


def test_a_session_of_ones_own_kind_sees_every_request(transport: requests.Session) -> None:
    seen = []

    class Watched(Session):
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            seen.append(f"{method} {url}")
            return super().request(method, url, *args, **kwargs)

    Server("http://couch.example/", session=Watched(transport=transport)).create("a").commit()
    assert seen == ["PUT http://couch.example/a", "POST http://couch.example/a/_ensure_full_commit"]


@pytest.mark.parametrize(
    "path",
    [
        ["_design", "app", "_view", "by name"],
        ["_design", "app", "_list", "l", "v"],
        ["_partition", "p", "_all_docs"],
        ["_changes"],
        ["_find"],
    ],
)
def test_a_query_by_its_url_has_no_time_limit_of_reading_either(wire: Any, db: Database, path: list[str]) -> None:
    db.resource.get(path, limit=1)
    db.resource.get(["_design", "app", "_info"])
    limits = [settings["timeout"] for settings in wire.settings]
    assert limits == [(DEFAULT_TIMEOUT[0], None), DEFAULT_TIMEOUT]


def test_a_resource_of_ones_own_kind_sees_every_request(transport: requests.Session) -> None:
    seen = []

    class Watched(Resource):
        def _request(self, method: str, path: Any = None, *args: Any, **kwargs: Any) -> Any:
            seen.append((method, path))
            raise ConnectionAbortedError

    server = Server(Watched("http://couch.example/", Session(transport=transport)))
    for call in (server.version, lambda: server["db"], lambda: server.create("db"), lambda: server.resource.get("x")):
        with pytest.raises(ConnectionAbortedError):
            call()
    assert seen == [("GET", None), ("HEAD", None), ("PUT", "db"), ("GET", "x")]


def test_a_session_may_be_given_another_user_agent(wire: Any, transport: requests.Session) -> None:
    session = Session(transport=transport)
    session.user_agent = "mine/1.0"
    assert session.user_agent == "mine/1.0"
    Server("http://couch.example/", session=session).resource.get()
    assert wire.requests[0].headers["User-Agent"] == "mine/1.0"


def test_joined_urls_end_without_a_slash_and_the_servers_own_keeps_its_own(
    wire: Any, transport: requests.Session
) -> None:
    assert urljoin("http://couch.example/") == "http://couch.example"
    assert urljoin("http://couch.example/", count=1) == "http://couch.example?count=1"
    Server("http://couch.example/", session=transport).resource.get(count=[1, True, None])
    assert wire.requests[0].url == "http://couch.example/?count=1&count=true"


@pytest.mark.parametrize("name", ["a/b+c", "a%2Fb%2Bc"])
def test_a_database_by_its_name_alone_may_be_escaped_already(transport: requests.Session, name: str) -> None:
    assert Database(name, session=transport).resource.url == client.DEFAULT_BASE_URL.rstrip("/") + "/a%2Fb%2Bc"
