"""Virtual hosts, as CouchDB's documentation has them."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def hosts(party: Any) -> Any:
    """Configure virtual hosts, and send requests to a host."""
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/doc", {"x": 1}, 201)
    party.json("PUT", "/blog", status=201)

    def get(host: str, path: str, vhosts: dict[str, str], method: str = "GET") -> Any:
        for name, target in vhosts.items():
            party.set("vhosts", name, target)
        return party(method, path, headers={"Host": host})

    return get


@pytest.mark.parametrize(
    ("name", "target", "host", "path"),
    [
        ("example.com", "/db", "example.com", "/doc"),
        ("example.com", "/db/", "example.com", "//doc/"),
        ("example.com", "/", "example.com", "/db/doc"),
        ("example.com:5984", "/db", "example.com:5984", "/doc"),
        ("example.com", "/db", "example.com:1234", "/doc"),
        ("*.example.com", "/db", "www.example.com", "/doc"),
        ("*", "/db", "any.where", "/doc"),
        ("*.example.com", "/*", "db.example.com", "/doc"),
        (":name.example.com", "/:name", "db.example.com", "/doc"),
        (":id.:name.example.com", "/:name/:id", "doc.db.example.com", "/"),
        ("example.com/sub/path", "/db", "example.com", "/sub/path/doc"),
    ],
)
def test_a_host_is_answered_below_its_path(hosts: Any, name: str, target: str, host: str, path: str) -> None:
    assert hosts(host, path, {name: target}).json()["_id"] == "doc"


@pytest.mark.parametrize(
    ("name", "host", "path"),
    [
        ("example.com", "www.example.com", "/"),
        ("example.com", "example.org", "/"),
        ("example.com:5984", "example.com", "/"),
        ("*.example.com", "example.com", "/"),
        (":a.example.com", "a.b.example.com", "/"),
        ("example.com/sub", "example.com", "/"),
    ],
)
def test_another_host_is_answered_as_without(hosts: Any, name: str, host: str, path: str) -> None:
    assert hosts(host, path, {name: "/db"}).json()["couchdb"] == "Welcome"


@pytest.mark.parametrize("path", ["/_uuids", "/_session", "/_utils/"])
def test_global_handlers_stay_where_they_are(hosts: Any, path: str) -> None:
    assert hosts("example.com", path, {"example.com": "/db"}).status_code == 200


def test_a_literal_host_wins_over_a_binding_and_a_binding_over_a_wildcard(hosts: Any) -> None:
    vhosts = {"*.example.com": "/nowhere", ":a.example.com": "/blog", "db.example.com": "/db"}
    assert hosts("db.example.com", "/", vhosts).json()["db_name"] == "db"
    assert hosts("other.example.com", "/", vhosts).json()["db_name"] == "blog"
    assert hosts("a.other.example.com", "/", vhosts).status_code == 404


def test_the_query_and_escapes_are_kept(hosts: Any) -> None:
    assert "_revisions" in hosts("example.com", "/%64oc?revs=true", {"example.com": "/db"}).json()


def test_functions_see_the_path_that_was_requested(hosts: Any, party: Any) -> None:
    show = "function(doc, req) { return {json: req.requested_path}; }"
    party.json("PUT", "/db/_design/d", {"shows": {"s": show}}, 201)
    assert hosts("example.com", "/s/a", {"example.com": "/db/_design/d/_show"}).json() == ["s", "a"]


def test_a_removed_host_is_forgotten(hosts: Any, party: Any) -> None:
    assert hosts("example.com", "/", {"example.com": "/db"}).json()["db_name"] == "db"
    party.fake.node.config.delete("vhosts", "example.com")
    assert hosts("example.com", "/", {}).json()["couchdb"] == "Welcome"
