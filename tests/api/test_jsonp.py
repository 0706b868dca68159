"""JSONP: answers as scripts that call a function of the page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Client


@pytest.fixture
def page(party: Client) -> Client:
    party.set("chttpd", "allow_jsonp", "true")
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/a", {"x": 1}, 201)
    party.json("PUT", "/db/_design/d", {"views": {"v": {"map": "function (doc) { emit(doc.x, null); }"}}}, 201)
    return party


def called(client: Client, path: str, name: str) -> Any:
    answer = client("GET", path)
    assert answer.headers["Content-Type"] == "application/javascript"
    head, tail = f"/* CouchDB */{name}(", ");\n"
    assert answer.text.startswith(head) and answer.text.endswith(tail)
    return json.loads(answer.text[len(head) : -len(tail)])


@pytest.mark.parametrize(
    "path", ["/", "/db", "/db/a", "/db/_all_docs", "/db/_design/d/_view/v", "/db/_changes", "/nowhere"]
)
def test_json_becomes_an_argument(page: Client, path: str) -> None:
    assert called(page, f"{path}?callback=window.got[0]", "window.got[0]") == page.json("GET", path)


def test_a_feed_is_closed_at_its_end(page: Client) -> None:
    assert called(page, "/db/_changes?feed=longpoll&callback=f", "f") == page.json("GET", "/db/_changes?feed=longpoll")
    page.json("POST", "/db/_bulk_docs", {"docs": [{"x": "y" * 1000} for _ in range(100)]}, 201)
    long = "/db/_changes?include_docs=true"
    assert called(page, f"{long}&callback=f", "f") == page.json("GET", long)


def test_only_names_are_called(page: Client) -> None:
    for name in ("foo%22", "a(", "x%20y"):
        assert page.refusal("GET", f"/db/a?callback={name}") == "400 bad_request: invalid_callback"
        assert page.refusal("GET", f"/db/_changes?callback={name}") == "400 bad_request: invalid_callback"
    assert page("GET", "/db/a?callback=").headers["Content-Type"] == "application/json"


def test_attachments_are_handed_out_as_they_are(page: Client) -> None:
    page("PUT", "/db/b/f.json", data=b"{}", headers={"Content-Type": "application/json"})
    assert page("GET", "/db/b/f.json?callback=f").text == "{}"


def test_callbacks_mean_nothing_where_they_are_not_allowed(page: Client) -> None:
    page.set("chttpd", "allow_jsonp", "false")
    answer = page("GET", "/db/a?callback=f")
    assert (answer.headers["Content-Type"], answer.json()["x"]) == ("application/json", 1)


def test_the_legacy_section_allows_them_too(party: Client) -> None:
    party.set("httpd", "allow_jsonp", "true")
    assert called(party, "/?callback=f", "f")["couchdb"] == "Welcome"
