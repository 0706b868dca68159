"""Views over HTTP, as clients see them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from couchfake.app import CouchFake
from couchfake.mango.index import MANGO_INDEXES
from couchfake.query_server import ENGINE_NAMES, EngineUnavailable
from couchfake.views.database_indexes import KEPT, VIEW_INDEXES

from .conftest import Client

BY_K = {"v": {"map": "function (doc) { if ('k' in doc) { emit(doc.k, doc.v); } }"}}
SUM = {"v": {**BY_K["v"], "reduce": "_sum"}}


class Views(Client):
    """A server with a database ``db``."""

    def __init__(self, fake: CouchFake) -> None:
        super().__init__(fake)
        self.json("PUT", "/db", status=201)

    def design(self, views: Any, name: str = "d", **members: Any) -> str:
        entry = self.fake.node.database("db").entry(f"_design/{name}")
        rev = {} if entry is None else {"_rev": entry.winner.rev}
        return str(self.json("PUT", f"/db/_design/{name}", {"views": views, **rev, **members}, 201)["rev"])

    def save(self, *docs: dict[str, Any]) -> None:
        assert all("ok" in row for row in self.json("POST", "/db/_bulk_docs", {"docs": docs}, 201))

    def ask(self, path: str = "/db/_design/d/_view/v", status: int = 200, **params: Any) -> Any:
        return self.json("GET", path, params={name: json.dumps(value) for name, value in params.items()}, status=status)

    def rows(self, **params: Any) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.ask(**params)["rows"]]


@pytest.fixture
def views() -> Views:
    return Views(CouchFake())


@pytest.fixture(params=ENGINE_NAMES)
def on_each_engine(request: pytest.FixtureRequest) -> Iterator[Views]:
    try:
        fake = CouchFake(js_engine=request.param)
    except EngineUnavailable as unavailable:
        pytest.skip(str(unavailable))
    yield Views(fake)
    fake.node.query_server.close()


def test_each_row_has_a_line_of_its_own(views: Views) -> None:
    views.design(BY_K)
    assert views("GET", "/db/_design/d/_view/v").text == '{"total_rows":0,"offset":0,"rows":[\r\n\r\n]}\n'
    views.save({"_id": "a", "k": "ü", "v": 1e30}, {"_id": "b", "k": [1]})
    answer = views("GET", "/db/_design/d/_view/v?update_seq=true")
    head, one, two, end = answer.text.split("\r\n")
    assert head.startswith('{"total_rows":2,"offset":0,"update_seq":"3-')
    assert head.endswith('","rows":[')
    assert one == '{"id":"a","key":"ü","value":1e+30},'
    assert (two, end) == ('{"id":"b","key":[1],"value":null}', "]}\n")
    assert answer.headers["Content-Type"] == "application/json"
    assert "ETag" not in answer.headers


def test_long_answers_come_whole_as_well(views: Views) -> None:
    views.design({"v": {"map": "function (doc) { for (var i = 0; i < doc.n; i++) { emit(i, null); } }"}})
    views.save({"_id": "a", "n": 2500})
    for n in (999, 1000, 1001, 1999, 2000, 2001, 2500):
        answer = views.ask(limit=n)
        assert [row["key"] for row in answer["rows"]] == list(range(n))
        assert answer["total_rows"] == 2500


def test_rows_follow_writes_at_once(on_each_engine: Views) -> None:
    on_each_engine.design(BY_K)
    for n in range(5):
        on_each_engine.save({"_id": f"d{n}", "k": -n})
        assert on_each_engine.rows()[0] == (f"d{n}", -n, None)


def test_included_documents_are_the_current_ones_or_those_that_are_linked(views: Views) -> None:
    views.design({"v": {"map": "function (doc) { if (doc.to) { emit(doc._id, doc.to); } }"}}, autoupdate=False)
    views.save({"_id": "target", "n": 1}, {"_id": "gone"})
    old = views.json("GET", "/db/target")["_rev"]
    new = views.json("PUT", "/db/target", {"_rev": old, "n": 2})["rev"]
    gone = views.json("GET", "/db/gone")["_rev"]
    views.json("DELETE", f"/db/gone?rev={gone}", status=200)
    links = {
        "a": ({"_id": "target"}, {"_id": "target", "_rev": new, "n": 2}),
        "b": ({"_id": "target", "_rev": old}, {"_id": "target", "_rev": old, "n": 1}),
        "c": ({"_id": "gone"}, None),
        "d": ({"_id": None}, None),
        "e": ({"_id": 5}, None),
        "f": ({"_id": "never"}, None),
    }
    views.save(*({"_id": docid, "to": value} for docid, (value, _) in links.items()), {"_id": "z", "to": "text"})
    found = {row["id"]: row["doc"] for row in views.ask(include_docs=True)["rows"]}
    assert found.pop("z")["to"] == "text"
    assert found == {docid: doc for docid, (_, doc) in links.items()}


def test_attachments_and_conflicts_come_with_included_documents(views: Views) -> None:
    views.design({"v": {"map": "function (doc) { emit(doc._id, null); }"}})
    attached = {"f": {"content_type": "text/plain", "data": "aGk="}}
    views.save({"_id": "a", "_attachments": attached})
    revs = ["1-" + "1" * 32, "1-" + "2" * 32]
    docs = [{"_id": "b", "_rev": rev} for rev in revs]
    views.json("POST", "/db/_bulk_docs", {"docs": docs, "new_edits": False}, 201)
    a, b = (row["doc"] for row in views.ask(include_docs=True, attachments=True, conflicts=True)["rows"])
    assert a["_attachments"]["f"]["data"] == "aGk="
    assert b["_conflicts"] == revs[:1]
    a, b = (row["doc"] for row in views.ask(include_docs=True)["rows"])
    assert a["_attachments"]["f"]["stub"] is True
    assert "_conflicts" not in b


def test_reduced_answers_have_neither_total_nor_offset(views: Views) -> None:
    views.design(SUM)
    assert views.ask() == {"rows": []}
    views.save({"_id": "a", "k": ["x", 1], "v": 1}, {"_id": "b", "k": ["x", 2], "v": 2}, {"_id": "c", "k": "y", "v": 4})
    assert views.ask() == {"rows": [{"key": None, "value": 7}]}
    assert views.rows(group_level=1) == [("y", 4), (["x"], 3)]
    assert views.rows(group=True, descending=True, limit=2) == [(["x", 2], 2), (["x", 1], 1)]
    assert views.ask(reduce=False, limit=1)["total_rows"] == 3


def test_javascript_reduces_its_rows_backwards_and_then_once_more(on_each_engine: Views) -> None:
    reduce = "function (keys, values, rereduce) { return {keys: keys, values: values, rereduce: rereduce}; }"
    on_each_engine.design({"v": {**BY_K["v"], "reduce": reduce}})
    on_each_engine.save({"_id": "a", "k": 1, "v": 10}, {"_id": "b", "k": 2, "v": 20})
    first = {"keys": [[2, "b"], [1, "a"]], "values": [20, 10], "rereduce": False}
    assert on_each_engine.rows() == [(None, {"keys": None, "values": [first], "rereduce": True})]


def test_a_javascript_reduce_of_thousands_of_rows_agrees_with_the_built_in(on_each_engine: Views) -> None:
    sum_ = "function (keys, values) { return sum(values); }"
    on_each_engine.design({"v": SUM["v"], "js": {**BY_K["v"], "reduce": sum_}})
    on_each_engine.save(*({"_id": f"d{n:04}", "k": [n % 7, n % 3], "v": n} for n in range(2000)))
    for params in ({}, {"group": True}, {"group_level": 1}, {"startkey": [2], "endkey": [4, 1]}):
        assert on_each_engine.ask("/db/_design/d/_view/js", **params) == on_each_engine.ask(**params)


def test_what_fails_one_view_fails_all_of_the_design_document_and_goes_with_its_cause(views: Views) -> None:
    views.design({"v": {**BY_K["v"], "reduce": "_stats"}, "w": BY_K["v"]})
    views.save({"_id": "a", "k": 1, "v": "text"})
    for name in ("v", "w"):
        answer = views("GET", f"/db/_design/d/_view/{name}")
        assert answer.status_code == 500
        assert answer.json()["error"] == "invalid_value"
        assert isinstance(answer.json()["ref"], int)
    rev = views.json("GET", "/db/a")["_rev"]
    views.json("PUT", "/db/a", {"_rev": rev, "k": 1, "v": 2}, 201)
    assert views.ask("/db/_design/d/_view/w")["total_rows"] == 1


def test_a_map_function_that_throws_skips_its_document_and_says_so_in_the_log(
    on_each_engine: Views, caplog: pytest.LogCaptureFixture
) -> None:
    on_each_engine.design({"v": {"map": "function (doc) {\n  emit(doc._id, null);\n  doc.nothing.here;\n}"}})
    on_each_engine.save({"_id": "good", "nothing": {}}, {"_id": "bad"})
    with caplog.at_level(logging.INFO, "couchfake"):
        assert on_each_engine.rows() == [("good", "good", None)]
    text = caplog.text
    assert "_design/d" in text
    assert "_view/v" in text
    assert "bad" in text


def test_views_of_the_same_signature_share_their_index(views: Views) -> None:
    views.design(BY_K)
    views.save({"_id": "a", "k": 1})
    views.ask()
    views.design(BY_K, "twin", autoupdate=False)
    info = views.json("GET", "/db/_design/twin/_info")["view_index"]
    assert info["signature"] == views.json("GET", "/db/_design/d/_info")["view_index"]["signature"]
    assert info["update_seq"] == 2
    assert views.ask("/db/_design/twin/_view/v", update=False)["total_rows"] == 1


def test_info_tells_the_state_of_the_index(views: Views) -> None:
    views.design(BY_K, autoupdate=False)
    views.save({"_id": "a", "k": 1})
    before = views.json("GET", "/db/_design/d/_info")
    views.ask()
    after = views.json("GET", "/db/_design/d/_info")
    assert list(before) == ["name", "view_index"]
    assert before["view_index"]["updates_pending"] == {"minimum": 2, "preferred": 2, "total": 2}
    assert before["view_index"]["update_seq"] == 0
    assert before["view_index"]["sizes"]["external"] == 0
    assert after["view_index"]["updates_pending"]["total"] == 0
    assert after["view_index"]["update_seq"] == 2
    assert after["view_index"]["sizes"]["external"] > 0
    assert after["view_index"]["language"] == "javascript"


def test_cleanup_drops_indexes_that_no_design_document_has_any_more(views: Views) -> None:
    views.design(BY_K)
    views.save({"_id": "a", "k": 1})
    views.ask()
    views.design({"v": {"map": "function (doc) { emit(doc._id, null); }"}})
    views.ask()
    db = views.fake.node.database("db")
    assert len(VIEW_INDEXES.keys(db)) == 2
    assert views.json("POST", "/db/_view_cleanup", {}, 202) == {"ok": True}
    assert len(VIEW_INDEXES.keys(db)) == 1
    assert views.rows() == [("a", "a", None)]


def test_cleanup_drops_mango_indexes_too(views: Views) -> None:
    views.save({"_id": "a", "k": 1})
    views.json("POST", "/db/_index", {"index": {"fields": ["k"]}, "ddoc": "d", "name": "n"})
    views.json("POST", "/db/_find", {"selector": {"k": 1}})
    db = views.fake.node.database("db")
    assert len(MANGO_INDEXES.keys(db)) == 1
    views.json("DELETE", "/db/_index/d/json/n")
    views.json("POST", "/db/_view_cleanup", {}, 202)
    assert MANGO_INDEXES.keys(db) == []


def test_only_a_few_indexes_of_former_signatures_stay(views: Views) -> None:
    views.save({"_id": "a", "k": 1})
    for n in range(10):
        views.design({"v": {"map": f"function (doc) {{ emit(doc._id, {n}); }}"}})
        assert views.rows() == [("a", "a", n)]
    assert len(VIEW_INDEXES.keys(views.fake.node.database("db"))) == KEPT + 1


def test_indexes_are_built_as_if_in_the_background(views: Views) -> None:
    views.design(BY_K)
    views.save(*({"_id": f"d{n}", "k": n} for n in range(3)))
    for parameter in ("update=false", "stale=ok"):
        assert len(views.json("GET", f"/db/_design/d/_view/v?{parameter}")["rows"]) == 3
    views.save({"_id": "d3", "k": 3})
    assert views.json("GET", "/db/_design/d/_info")["view_index"]["updates_pending"]["total"] == 0
    views.save({"_id": "d4", "k": 4})
    assert len(views.json("GET", "/db/_design/d/_view/v?update=false")["rows"]) == 5


def test_an_index_that_cannot_be_built_in_the_background_stays_as_it_is(views: Views) -> None:
    views.design({"v": {"map": "function (doc) { throw(['fatal', 'x', 'y']); }"}})
    views.save({"_id": "a"})
    assert views.json("GET", "/db/_design/d/_view/v?update=false")["rows"] == []
    assert views.json("GET", "/db/_design/d/_info")["view_index"]["updates_pending"]["total"] == 2


def test_stale_answers_come_from_the_index_as_it_is(views: Views) -> None:
    views.design(BY_K, autoupdate=False)
    views.save({"_id": "a", "k": 1})
    stale = "/db/_design/d/_view/v?stale=ok"
    assert views.json("GET", stale)["rows"] == []
    assert views.json("GET", "/db/_design/d/_view/v?update=lazy")["rows"] == []
    assert len(views.json("GET", stale)["rows"]) == 1
    views.save({"_id": "b", "k": 1})
    assert len(views.json("GET", "/db/_design/d/_view/v?stale=update_after")["rows"]) == 1
    assert len(views.json("GET", stale)["rows"]) == 2


def test_several_queries_are_answered_in_their_order(views: Views) -> None:
    views.design(SUM)
    views.save(*({"_id": f"d{n}", "k": n, "v": n} for n in range(4)))
    path = "/db/_design/d/_view/v/queries"
    queries = [{"reduce": False, "limit": 1}, {"startkey": 2}, {"keys": [3, 1], "group": True}]
    one, two, three = views.json("POST", path, {"queries": queries}, 200)["results"]
    assert (one["total_rows"], [row["id"] for row in one["rows"]]) == (4, ["d0"])
    assert two["rows"] == [{"key": None, "value": 5}]
    assert three["rows"] == [{"key": 3, "value": 3}, {"key": 1, "value": 1}]
    assert views.json("POST", path, {"queries": []}) == {"results": []}
    assert views.refusal("POST", path, {"queries": [{}, {"limit": -1}]}) == (
        "400 query_parse_error: Invalid value for positive integer: -1"
    )
    assert views("POST", path, json={"queries": [5]}).status_code == 500


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        ("GET", "_design/d/_view/none", "404 not_found: missing_named_view"),
        ("GET", "_design/none/_view/v", "404 not_found: missing"),
        ("GET", "_design/d/_view", "405 method_not_allowed: Only GET,POST,HEAD allowed"),
        ("GET", "_design/d/_view/v/more", "405 method_not_allowed: Only GET,POST,HEAD allowed"),
        ("DELETE", "_design/d/_view/v", "405 method_not_allowed: Only GET,POST,HEAD allowed"),
        ("GET", "_design/d/_view/v/queries", "405 method_not_allowed: Only POST allowed"),
        ("POST", "_design/d/_info", "405 method_not_allowed: Only GET allowed"),
        ("POST", "_compact/none", "404 not_found: missing"),
    ],
)
def test_paths_and_methods_that_lead_nowhere(views: Views, method: str, path: str, refusal: str) -> None:
    views.design(BY_K)
    assert views.refusal(method, f"/db/{path}", {} if method == "POST" else None) == refusal


def test_a_deleted_design_document_takes_its_views_along(views: Views) -> None:
    rev = views.design(BY_K)
    views.json("DELETE", f"/db/_design/d?rev={rev}", status=200)
    assert views.refusal("GET", "/db/_design/d/_view/v") == "404 not_found: deleted"


def test_a_changed_map_function_shows_at_once(views: Views) -> None:
    views.design(BY_K)
    views.save({"_id": "a", "k": 1, "v": 2})
    assert views.rows() == [("a", 1, 2)]
    views.design({"v": {"map": "function (doc) { emit(doc.v, doc.k); }"}})
    assert views.rows() == [("a", 2, 1)]


def test_many_readers_and_writers_find_whole_documents_in_the_index(views: Views) -> None:
    views.design({"v": {"map": "function (doc) { emit(doc.n, 1); emit(-doc.n, 1); }", "reduce": "_count"}})
    answers: list[Any] = []

    def work(worker: int) -> None:
        client = Client(views.fake)
        for n in range(8):
            client.json("PUT", f"/db/w{worker}-{n}", {"n": n}, 201)
            answers.append(client.json("GET", "/db/_design/d/_view/v", status=200)["rows"][0]["value"])

    workers = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(answers) == 48
    assert all(answer % 2 == 0 for answer in answers)
    assert views.rows() == [(None, 96)]


def test_an_empty_end_key_docid_means_the_other_side_of_the_key_if_the_end_is_omitted(views: Views) -> None:
    views.design(BY_K)
    views.save(*({"_id": docid, "k": k} for k, docid in enumerate("abcd", 1)))

    def ids(query: str) -> str:
        return "".join(row["id"] for row in views.ask(f"/db/_design/d/_view/v?{query}")["rows"])

    assert ids("endkey=3&endkey_docid=") == "ab"
    assert ids("endkey=3&endkey_docid=&inclusive_end=false") == "abc"
    assert ids("endkey=3&inclusive_end=false") == "ab"
    assert ids("endkey=2&endkey_docid=&descending=true") == "dcb"
    assert ids("endkey=2&endkey_docid=&inclusive_end=false&descending=true") == "dc"


@pytest.mark.parametrize("path", ["/db/_design/d/_view/v", "/db/_all_docs"])
@pytest.mark.parametrize("parameter", ["key", "startkey", "keys"])
def test_a_key_whose_bytes_are_not_utf_8_is_not_json(views: Views, path: str, parameter: str) -> None:
    views.design(BY_K)
    value = '["%E9"]' if parameter == "keys" else '"%E9"'
    assert views.refusal("GET", f"{path}?{parameter}={value}") == "400 bad_request: invalid UTF-8 JSON"


def test_the_bound_of_limits_is_a_setting(views: Views) -> None:
    views.design(BY_K)
    views.set("query_server_config", "query_limit", "2")
    assert views.refusal("GET", "/db/_design/d/_view/v?limit=3") == (
        "400 query_parse_error: Limit is too large, must not exceed 2"
    )


def test_the_bound_of_limits_is_the_default_limit(views: Views) -> None:
    views.design(BY_K)
    views.save(*({"_id": docid, "k": docid} for docid in "abc"))
    views.set("query_server_config", "query_limit", "2")
    assert len(views.rows()) == 2
    assert len(views.ask("/db/_all_docs")["rows"]) == 2
    several = views.json("POST", "/db/_design/d/_view/v/queries", {"queries": [{}, {"limit": 1}]}, 200)["results"]
    assert [len(each["rows"]) for each in several] == [2, 1]


def test_a_view_of_a_mango_index_counts_its_rows(views: Views) -> None:
    views.json("POST", "/db/_index", {"index": {"fields": ["k"]}, "ddoc": "m", "name": "by-k"}, 200)
    views.save({"_id": "a", "k": 2}, {"_id": "b", "k": 1}, {"_id": "c"})
    path = "/db/_design/m/_view/by-k"
    assert views.ask(path) == {"rows": [{"key": None, "value": 2}]}
    assert [row["key"] for row in views.ask(path, reduce=False)["rows"]] == [[1], [2]]
    assert views.refusal("GET", "/db/_design/m/_view/none") == "404 not_found: missing_named_view"


def test_views_in_a_language_that_nobody_speaks_are_written_but_not_run(views: Views) -> None:
    views.save({"_id": "a"})
    views.design({"v": {"map": "fun({Doc}) -> Emit(1, null) end."}}, language="erlang")
    refused = views.ask(status=500)
    assert (refused["error"], refused["reason"]) == ("unknown_query_language", "erlang")


def test_one_key_for_a_list_over_a_reduce_view_needs_group(views: Views) -> None:
    views.design(SUM, lists={"l": "function () { var row, n = 0; while (row = getRow()) n++; return String(n); }"})
    views.save({"_id": "a", "k": 1, "v": 1})
    refused = views.refusal("GET", "/db/_design/d/_list/l/v?keys=[1]")
    assert refused == "400 query_parse_error: Multi-key fetches for reduce views must use `group=true`"
    for parameters in ("keys=[1]&group=true", "key=1", "keys=[1]&reduce=false"):
        assert views("GET", f"/db/_design/d/_list/l/v?{parameters}").text == "1"
    assert views.ask(keys=[1])["rows"] == [{"key": None, "value": 1}]


@pytest.mark.parametrize(
    "path",
    [
        "/db/_design/e/_view/v",
        "/db/_design/e/_view/v?include_docs=true",
        "/db/_all_docs",
        "/db/_all_docs?include_docs=true",
        "/db/_changes?include_docs=true",
        "/db/%1B",
        "/db/_find",
    ],
)
def test_escapes_of_control_characters_have_capital_digits(party: Client, path: str) -> None:
    """As the real server writes them; Python's digits are small."""
    party.json("PUT", "/db", status=201)
    party.json("PUT", "/db/_design/e", {"views": {"v": {"map": "function (doc) { emit(doc._id, [doc._id]) }"}}}, 201)
    party.json("PUT", "/db/%1B", {"text": "\x1f", "\x0e": "\\u001b"}, 201)
    answer = party("POST", path, json={"selector": {}}) if path.endswith("_find") else party("GET", path)
    text = answer.text
    assert r"\u001B" in text
    assert "\\u001b" not in text.replace(r"\\u001b", "")
