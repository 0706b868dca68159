"""Shows, lists, updates and rewrites over HTTP, where the recordings leave something open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Party = Any
Functions = Callable[..., str]


@pytest.fixture
def functions(party: Party) -> Functions:
    """Puts a design document with these members into a database with the documents a and b; gives its path."""

    def put(**members: Any) -> str:
        party.json("PUT", "/db", status=201)
        for docid, n in (("a", 1), ("b", 2)):
            party.json("PUT", f"/db/{docid}", {"n": n}, 201)
        party.json("PUT", "/db/_design/d", members, 201)
        return "/db/_design/d"

    return put


# ---- the request object


def shown_request(party: Party, functions: Functions, query: str = "", **options: Any) -> Any:
    path = functions(shows={"req": "function (doc, req) { return {json: req}; }"})
    method = options.pop("method", "GET")
    return party.json(method, f"{path}/_show/req{query}", **options)


def test_headers_are_named_in_capitalised_words_and_credentials_are_left_out(
    party: Party, functions: Functions
) -> None:
    sent = {"x-mine": "\u00fc".encode(), "COOKIE": "a=1", "X-Other-One": "2"}
    req = shown_request(party, functions, headers=sent)
    assert (req["headers"]["X-Mine"], req["headers"]["X-Other-One"]) == ("\u00fc", "2")
    assert "Cookie" not in req["headers"]
    assert req["cookie"] == {}
    assert list(req["headers"]) == sorted(req["headers"], key=str.lower)


def test_parameters_that_views_take_as_json_are_values(party: Party, functions: Functions) -> None:
    req = shown_request(party, functions, '?key={"a":1}&descending=true&other=[1]&other=2&limit=5')
    assert req["query"] == {"key": {"a": 1}, "descending": True, "other": "2", "limit": "5"}


def test_a_parameter_that_should_be_json_and_is_not_is_refused(party: Party, functions: Functions) -> None:
    path = functions(shows={"req": "function () { return ''; }"})
    assert party.refusal("GET", f"{path}/_show/req?key=x") == "400 bad_request: invalid UTF-8 JSON"


def test_forms_are_read(party: Party, functions: Functions) -> None:
    req = shown_request(
        party,
        functions,
        method="POST",
        data="a=1&b=%C3%BC+x",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (req["form"], req["body"]) == ({"a": "1", "b": "\u00fc x"}, "a=1&b=%C3%BC+x")


def test_a_path_is_shown_as_sent_and_in_parts(party: Party, functions: Functions) -> None:
    path = functions(shows={"req": "function (doc, req) { return {json: [req.path, req.raw_path, req.id]}; }"})
    parts, raw, docid = party.json("GET", f"{path}/_show/req/no%2Fone?x=1")
    assert parts == ["db", "_design", "d", "_show", "req", "no/one"]
    assert (raw, docid) == (f"{path}/_show/req/no%2Fone?x=1", "no/one")


def test_the_before_path_of_a_proxy_is_the_requested_path(party: Party, functions: Functions) -> None:
    path = functions(shows={"req": "function (doc, req) { return {json: req.requested_path}; }"})
    headers = {"X-CouchDB-Requested-Path": "/there/b%20c?q=1"}
    assert party.json("GET", f"{path}/_show/req", headers=headers) == ["there", "b c?q=1"]


# ---- lists over _all_docs

ROWS = (
    "function (head, req) { var rows = [], row; while (row = getRow()) rows.push(row); return toJSON([head, rows]); }"
)


def test_a_list_over_all_documents(party: Party, functions: Functions) -> None:
    path = functions(lists={"l": ROWS})
    head, rows = party.json("GET", f"{path}/_list/l/_all_docs?include_docs=true&limit=1&update_seq=true")
    assert {**head, "update_seq": 0} == {"total_rows": 3, "offset": 0, "update_seq": 0}
    [row] = rows
    assert (row["id"], row["key"], list(row["value"]), row["doc"]["_id"]) == (
        ("_design/d", "_design/d", ["rev"], "_design/d")
    )


def test_a_list_over_documents_that_are_named(party: Party, functions: Functions) -> None:
    path = functions(lists={"l": ROWS})
    _, rows = party.json("POST", f"{path}/_list/l/_all_docs", {"keys": ["b", "nope", "a"]})
    assert [row["id"] for row in rows] == ["b", "error", "a"]
    assert rows[1] == {"id": "error", "key": "nope", "value": "not_found"}


def test_a_list_over_all_documents_by_another_design_document(party: Party, functions: Functions) -> None:
    path = functions(lists={"l": ROWS})
    party.json("PUT", "/db/_design/e", {}, 201)
    _, rows = party.json("GET", f"{path}/_list/l/e/_all_docs")
    assert [row["id"] for row in rows] == ["_design/d", "_design/e", "a", "b"]


def test_a_list_over_users_is_for_admins(admin: Party, add_user: Callable[..., Party]) -> None:
    user = add_user("eve")
    admin.json("PUT", "/_users/_design/d", {"lists": {"l": ROWS}}, 201)
    assert len(admin.json("GET", "/_users/_design/d/_list/l/_all_docs")[1]) > 1
    assert user("GET", "/_users/_design/d/_list/l/_all_docs").status_code == 403


# ---- rewrites


def test_rules_that_lead_to_themselves_end(party: Party, functions: Functions) -> None:
    path = functions(rewrites=[{"from": "*", "to": "_rewrite/again"}])
    refusal = "400 bad_request: Exceeded rewrite recursion limit"
    assert party.refusal("GET", f"{path}/_rewrite/x") == refusal
    party.set("httpd", "rewrite_limit", "3")
    assert party.refusal("GET", f"{path}/_rewrite/x") == refusal


def test_rules_may_lead_out_of_the_database_where_that_is_allowed(party: Party, functions: Functions) -> None:
    path = functions(rewrites=[{"from": "*", "to": "../../../_all_dbs"}])
    assert party("GET", f"{path}/_rewrite/x").status_code == 500
    party.set("httpd", "secure_rewrites", "false")
    assert "db" in party.json("GET", f"{path}/_rewrite/x")


def test_heads_are_rewritten(party: Party, functions: Functions) -> None:
    path = functions(rewrites=[{"from": "doc", "to": "../../a", "method": "GET"}])
    answer = party("HEAD", f"{path}/_rewrite/doc")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["ETag"] == party("HEAD", "/db/a").headers["ETag"]


def test_bodies_go_along(party: Party, functions: Functions) -> None:
    path = functions(rewrites=[{"from": "new/:id", "to": "../../:id", "method": "PUT"}])
    assert party.json("PUT", f"{path}/_rewrite/new/c", {"n": 3}, 201)["id"] == "c"
    assert party.json("GET", "/db/c")["n"] == 3


def test_a_function_may_answer_itself(party: Party, functions: Functions) -> None:
    path = functions(rewrites="function (req) { return {code: 418, body: req.method, headers: {'X-A': 'b'}}; }")
    answer = party("PUT", f"{path}/_rewrite/x")
    assert (answer.status_code, answer.text, answer.headers["X-A"]) == (418, "PUT", "b")


# ---- updates and shows


def test_headers_cannot_be_split(party: Party, functions: Functions) -> None:
    path = functions(shows={"s": "function () { return {body: 'x', headers: {'X-A': 'b\\r\\nX-C: d'}}; }"})
    answer = party("GET", f"{path}/_show/s")
    assert answer.headers["X-A"] == "b X-C: d"
    assert "X-C" not in answer.headers


@pytest.mark.parametrize("header", ["'Content-Length': 'zz'", "'content-length': '-5'", "'Content-Length': '999'"])
def test_a_function_cannot_misstate_the_length_of_its_answer(party: Party, functions: Functions, header: str) -> None:
    path = functions(shows={"s": f"function () {{ return {{body: 'x', headers: {{{header}}}}}; }}"})
    answer = party("GET", f"{path}/_show/s")
    assert (answer.status_code, answer.text, answer.headers["Content-Length"]) == (200, "x", "1")


def test_an_update_that_runs_forever_leaves_the_server_alive(party: Party, functions: Functions) -> None:
    party.set("couchdb", "os_process_timeout", "200")
    path = functions(updates={"u": "function () { for (;;) {} }", "v": "function () { return [null, 'fine']; }"})
    assert party.refusal("POST", f"{path}/_update/u") == "500 os_process_error: OS process timed out."
    assert party("POST", f"{path}/_update/v").text == "fine"


def test_an_update_writes_what_validation_allows(party: Party, functions: Functions) -> None:
    path = functions(
        updates={"u": "function (doc, req) { return [{_id: req.id, n: +req.query.n}, 'done']; }"},
        validate_doc_update="function (doc) { if (doc.n < 0) throw {forbidden: 'negative'}; }",
    )
    assert party.refusal("PUT", f"{path}/_update/u/c?n=-1") == "403 forbidden: negative"
    answer = party("PUT", f"{path}/_update/u/c?n=1")
    assert (answer.status_code, answer.headers["X-Couch-Id"]) == (201, "c")
    assert party.json("GET", "/db/c")["_rev"] == answer.headers["X-Couch-Update-NewRev"]


def test_a_function_may_lead_to_any_document(party: Party, functions: Functions) -> None:
    path = functions(rewrites="function (req) { return {path: '../../\u00fc b\\ud800', query: {q: '\u00fc&'}}; }")
    assert party.json("PUT", f"{path}/_rewrite/x", {}, 201)["id"] == "\u00fc b\ufffd"
