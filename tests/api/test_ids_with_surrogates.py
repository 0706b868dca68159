"""Ids with halves of surrogate pairs, which JSON cannot hold: the server stores their bytes and shows U+FFFD."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Client

HALF = "%ED%A0%80"
SHOWN = "\ufffd"
DESIGN = {
    "views": {"v": {"map": "function (doc) { emit(doc._id, doc._id.length) }"}},
    "filters": {"f": "function (doc) { return doc._id.length === 1 }"},
    "shows": {"s": "function (doc) { return doc._id + doc._id.length }"},
    "lists": {"l": "function () { var row; while (row = getRow()) send(row.id + row.key.length) }"},
    "updates": {"u": "function (doc) { doc.n = doc._id.length; return [doc, doc._id] }"},
    "validate_doc_update": "function (doc) { if (doc._id.length > 3) throw({forbidden: doc._id}) }",
}


@pytest.fixture
def client(party: Client) -> Client:
    party.json("PUT", "/db", status=201)
    party.json("PUT", f"/db/{HALF}", {"n": 1}, 201)
    party.json("PUT", "/db/%ED%9F%BF", {}, 201)
    party.json("PUT", "/db/%EE%80%80", {}, 201)
    return party


def test_such_an_id_is_its_bytes(client: Client) -> None:
    answer = client("PUT", f"/db/b{HALF}", json={})
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/db/b{HALF}")
    assert answer.json()["id"] == "b" + SHOWN
    assert client.json("GET", f"/db/{HALF}") == {"_id": SHOWN, "_rev": "1-731bef401491606a3b246ed178e697c1", "n": 1}
    assert client.refusal("PUT", f"/db/{HALF}", {}) == "409 conflict: Document update conflict."
    assert client.refusal("GET", "/db/%EF%BF%BD") == "404 not_found: missing"
    assert client.refusal("GET", "/db/%ED%A0%81") == "404 not_found: missing"


def test_two_halves_are_another_id_than_their_character_but_are_shown_as_it(client: Client) -> None:
    assert client.json("PUT", "/db/%ED%A0%BD%ED%B8%80", {}, 201)["id"] == "\U0001f600"
    assert client.refusal("GET", "/db/%F0%9F%98%80") == "404 not_found: missing"


def test_such_ids_are_listed_in_the_order_of_their_bytes(client: Client) -> None:
    order = ["\ud7ff", SHOWN, "\ue000"]
    rows = client.json("GET", "/db/_all_docs?include_docs=true")["rows"]
    assert [row["id"] for row in rows] == [row["key"] for row in rows] == [row["doc"]["_id"] for row in rows] == order
    [row] = client.json("GET", "/db/_all_docs?limit=1&skip=1")["rows"]
    assert row["id"] == SHOWN


@pytest.mark.parametrize("query", ["", "?include_docs=true", "?feed=longpoll&since=0", "?style=all_docs"])
def test_feeds_show_such_ids(client: Client, query: str) -> None:
    assert client.json("GET", f"/db/_changes{query}")["results"][0]["id"] == SHOWN


def test_functions_see_one_character(client: Client) -> None:
    client.json("PUT", "/db/_design/d", DESIGN, 201)
    rows = client.json("GET", "/db/_design/d/_view/v?include_docs=true")["rows"]
    assert {(row["id"], row["key"], row["value"], row["doc"]["_id"]) for row in rows} >= {(SHOWN, SHOWN, 1, SHOWN)}
    assert len(client.json("GET", "/db/_changes?filter=d/f")["results"]) == 3
    assert client("GET", f"/db/_design/d/_show/s/{HALF}").text == SHOWN + "1"
    assert SHOWN + "1" in client("GET", "/db/_design/d/_list/l/v").text
    assert client("PUT", f"/db/_design/d/_update/u/{HALF}").status_code == 409
    client.json("PUT", f"/db/ab{HALF}", {}, 201)
    assert client.refusal("PUT", f"/db/abc{HALF}", {}) == f"403 forbidden: abc{SHOWN}"


def test_such_ids_are_found_and_their_bookmarks_lead_on(client: Client) -> None:
    client.json("POST", "/db/_index", {"index": {"fields": ["n"]}}, 200)
    for docid in ("x", "y"):
        client.json("PUT", f"/db/{docid}", {"n": 1}, 201)
    found: list[str] = []
    page: dict[str, Any] = {"bookmark": ""}
    while page.get("docs") != []:
        asked = {"selector": {"n": 1}, "limit": 1} | ({"bookmark": page["bookmark"]} if page["bookmark"] else {})
        page = client.json("POST", "/db/_find", asked, 200)
        found += [each["_id"] for each in page["docs"]]
    assert found == ["x", "y", SHOWN]


def test_such_ids_are_replicated_here(client: Client) -> None:
    client.json("POST", "/_replicate", {"source": "db", "target": "copy", "create_target": True}, 200)
    assert client.json("GET", f"/copy/{HALF}")["n"] == 1


@pytest.mark.parametrize(
    "docid",
    [
        *("%FF", "%C0%80", "%ED%A0", "%80", "a%ED", "%ED%A0%80%FF"),
        *("%E0%80%80", "%F0%80%80%80", "%F4%90%80%80"),  # which the real server stores
    ],
)
def test_other_bytes_are_refused(client: Client, docid: str) -> None:
    assert client.refusal("PUT", f"/db/{docid}", {}) == "400 illegal_docid: Document id must be valid UTF-8"


def test_such_ids_are_local_and_design_documents_too(client: Client) -> None:
    for kind in ("_local", "_design"):
        client.json("PUT", f"/db/{kind}/{HALF}", {}, 201)
        assert client.json("GET", f"/db/{kind}/{HALF}")["_id"] == f"{kind}/{SHOWN}"
    assert client.json("GET", "/db/_local_docs")["rows"][0]["id"] == f"_local/{SHOWN}"
    assert client.json("GET", "/db/_design_docs")["rows"][0]["id"] == f"_design/{SHOWN}"


def test_attachments_have_such_names_too(client: Client) -> None:
    rev = client.json("GET", f"/db/{HALF}")["_rev"]
    answer = client("PUT", f"/db/{HALF}/{HALF}?rev={rev}", data=b"x", headers={"Content-Type": "image/png"})
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/db/{HALF}/{HALF}")
    assert list(client.json("GET", f"/db/{HALF}")["_attachments"]) == [SHOWN]
    assert client("GET", f"/db/{HALF}/{HALF}").content == b"x"
    related = client("GET", f"/db/{HALF}?attachments=true", headers={"Accept": "multipart/related"})
    assert b'filename="\xed\xa0\x80"' in related.content
    assert client.refusal("PUT", "/db/x/%FF", data=b"x") == "400 bad_request: Attachment name is not UTF-8 encoded"
