"""What the page asks of the test kit over HTTP, without a browser."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.inspector.operations import try_map
from couchfake.query_server.engines import ENGINE_NAMES, EngineUnavailable, choose_engine

Send = Callable[..., Any]
OWN = {"X-CouchFake": "inspector"}


@pytest.fixture(params=ENGINE_NAMES)
def engine(request: pytest.FixtureRequest) -> str:
    try:
        choose_engine(request.param)
    except EngineUnavailable as error:
        pytest.skip(str(error))
    return str(request.param)


def test_requests_of_the_page_are_neither_logged_nor_subject_to_faults(fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    fake.faults.refuse(503)
    assert couch("GET", "/shop", headers=OWN)["doc_count"] == 0
    assert couch("GET", "/shop", headers={"X-CouchFake": "1"})["error"] == "service_unavailable"
    assert [each.method for each in fake.requests] == ["PUT", "GET"]


def test_a_request_of_the_log_is_shown_by_its_number(fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"price": 3})
    found = couch("GET", "/_couchfake/requests?brief=true&since=1")["requests"]
    assert [(each["number"], each["url"]) for each in found] == [(1, "/shop/tea")]
    assert "body" not in found[0] and "headers" not in found[0]
    assert couch("GET", "/_couchfake/requests/1")["body"] == '{"price": 3}'
    for number in ("2", "-1", "x"):
        assert couch("GET", f"/_couchfake/requests/{number}")["error"] == "not_found"
    fake.requests.clear()
    assert couch("GET", "/_couchfake/requests/1")["error"] == "not_found"


def test_conflicts_are_counted(fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {})
    fake.conflict("shop", "milk", {"n": 1}, {"n": 2})
    fake.grow("shop", "rum", {"n": 1}, None)  # a deleted branch is not a conflict
    assert couch("GET", "/_couchfake/conflicts/shop") == {"total": 1, "ids": ["milk"]}
    assert couch("GET", "/_couchfake/conflicts/none")["error"] == "not_found"


def test_a_query_that_no_index_serves_gets_a_proposal(couch: Send) -> None:
    couch("PUT", "/shop")
    query = {"selector": {"price": {"$gt": 2}, "type": "tea", "name": {"$regex": "x"}}}
    found = couch("POST", "/_couchfake/explain/shop", query)
    assert found["suggestion"] == {"index": {"fields": ["type", "price"]}}
    couch("POST", "/shop/_index", found["suggestion"])
    found = couch("POST", "/_couchfake/explain/shop", query)
    assert (found["suggestion"], found["explain"]["index"]["type"]) == (None, "json")
    assert "error" in couch("POST", "/_couchfake/explain/shop", {"selector": {"$x": 1}})


def test_it_is_known_who_wrote_a_revision(couch: Send) -> None:
    couch("PUT", "/shop")
    first = couch("PUT", "/shop/a%2Fb", {"n": 1})["rev"]
    second = couch("POST", "/shop/_bulk_docs", {"docs": [{"_id": "a/b", "_rev": first}, {"_id": "other"}]})[0]["rev"]
    copied = {"_id": "a/b", "_rev": "1-" + "a" * 32}
    couch("POST", "/shop/_bulk_docs", {"docs": [copied], "new_edits": False})
    put = "1-" + "b" * 32
    couch("PUT", "/shop/a%2Fb?new_edits=false", {"_rev": put})
    couch("PUT", "/shop/a%2Fb", {"n": 2})  # refused
    found = couch("GET", "/_couchfake/origins/shop/a%2Fb")
    by = {rev: each["by"] for rev, each in found.items()}
    assert by == {first: "edit", second: "edit", copied["_rev"]: "replication", put: "replication"}


def test_a_dump_is_a_zip_file_of_a_seed(couch: Send, fake: CouchFake, tmp_path: Path) -> None:
    couch("PUT", "/shop")
    fake.conflict("shop", "tea", {"n": 1}, {"n": 2})
    answer = requests.get(fake.url + "_couchfake/dump", timeout=10)
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    with CouchFake(seed=tmp_path / "dump") as loaded:
        assert str(loaded.revision_tree("shop", "tea")) == str(fake.revision_tree("shop", "tea"))


def test_a_map_function_is_tried_on_a_document(engine: str) -> None:
    source = "function (doc) { log('at ' + doc._id); emit(doc.n, {a: 1}); emit([1], null); }"
    assert try_map(engine, source, {"_id": "x", "n": 3}) == {
        "rows": [{"key": 3, "value": {"a": 1}}, {"key": [1], "value": None}],
        "log": ["at x"],
        "error": None,
        "line": None,
    }


def test_a_map_function_uses_the_library(engine: str) -> None:
    source = "function (doc) { emit(require('views/lib/twice').twice(doc.n), null); }"
    found = try_map(engine, source, {"n": 3}, {"twice": "exports.twice = function (n) { return 2 * n; };"})
    assert [row["key"] for row in found["rows"]] == [6]


def test_an_error_of_a_map_function_names_its_line() -> None:
    found = try_map("quickjs", "function (doc) {\n  log('before');\n  emit(doc.a.b);\n}", {"_id": "x"})
    assert (found["rows"], found["log"], found["line"]) == ([], ["before"], 3)
    assert found["error"].startswith("function raised exception TypeError")
    found = try_map("quickjs", "function (doc) {\n  emit(1 2);\n}", {"_id": "x"})
    assert (found["error"], found["line"]) == ("SyntaxError: Unexpected number", 2)


def test_a_map_function_that_does_not_end_is_stopped() -> None:
    assert try_map("quickjs", "function (doc) { for (;;); }", {})["error"] == "OS process timed out."


def test_trying_a_map_function_needs_a_document(couch: Send) -> None:
    for body in ({"map": "x"}, {"map": "x", "db": "shop"}, {"map": 1, "doc": {}}, {"map": "x", "doc": []}):
        assert couch("POST", "/_couchfake/try_map", body)["error"] == "bad_request"
    assert couch("POST", "/_couchfake/try_map", {"map": "x", "db": "none", "docid": "x"})["error"] == "not_found"


def test_changed_settings_come_first_with_what_they_mean(couch: Send) -> None:
    couch("PUT", "/_node/_local/_config/couchdb/max_document_size", "1000")
    couch("PUT", "/_node/_local/_config/own/key", "x")
    rows = couch("GET", "/_couchfake/configuration")
    assert [(row["section"], row["key"], row["value"]) for row in rows if row["changed"]] == [
        ("couchdb", "max_document_size", "1000"),
        ("own", "key", "x"),
    ]
    assert all(row["changed"] for row in rows[:2])
    assert (rows[0]["default"], rows[1]["default"]) == ("8000000", None)
    assert rows[0]["description"]


def test_every_fault_is_offered_with_its_arguments(couch: Send, fake: CouchFake) -> None:
    found = couch("GET", "/_couchfake/fault_kinds")
    kinds = {kind["name"]: kind for kind in found["kinds"]}
    assert kinds["refuse"]["arguments"][0] == {"name": "status", "required": True}
    assert {"method", "path", "times"} <= set(found["conditions"])
    assert all(kind["description"].endswith(".") for kind in kinds.values())
    fault = fake.faults.refuse(503, path="/x")
    (listed,) = couch("GET", "/_couchfake/faults")
    couch("DELETE", f"/_couchfake/faults/{listed['id']}", headers=OWN)
    assert not fault.is_on
