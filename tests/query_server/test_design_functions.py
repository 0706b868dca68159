from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from couchfake.errors import CouchError, Crash, Forbidden, NotFound, ServerError, Unauthorized
from couchfake.query_server import DesignFunctions, QueryServer, parse_response

REQ = {"method": "GET", "headers": {"Accept": "*/*"}, "query": {}, "path": ["db", "_design", "d", "_show", "s"]}
Functions = Callable[..., DesignFunctions]


@pytest.fixture
def functions(server: QueryServer) -> Functions:
    """``functions(shows={...}, ...)``: those of a design document with these members."""
    return lambda **members: server.design_functions({"_id": "_design/d", "_rev": "1-a", **members})


def refusal(call: Callable[[], Any]) -> tuple[int, str, Any]:
    with pytest.raises(CouchError) as caught:
        call()
    return caught.value.status, caught.value.error, caught.value.reason


# ---- validation


def test_a_validation_function_that_accepts_a_document_raises_nothing(functions: Functions) -> None:
    accepting = functions(validate_doc_update="function () { return {forbidden: 'not thrown'}; }")
    accepting.validate_doc_update({"_id": "a"}, None, {}, {})


def test_a_validation_function_sees_both_documents_the_user_and_the_security(functions: Functions) -> None:
    telling = functions(validate_doc_update="function () { throw {forbidden: toJSON([].slice.call(arguments))}; }")
    arguments = [{"_id": "a", "n": 1}, {"_id": "a"}, {"db": "d", "name": None, "roles": []}, {"members": {}}]
    with pytest.raises(Forbidden) as caught:
        telling.validate_doc_update(*arguments)
    assert json.loads(caught.value.reason) == arguments


@pytest.mark.parametrize(
    ("thrown", "answer"),
    [
        ("{forbidden: 'no'}", (403, "forbidden", "no")),
        ("{unauthorized: 'who?'}", (401, "unauthorized", "who?")),
        ("{a: 'b'}", (500, "unknown_error", "b")),
        ("'text'", (500, "unknown_error", "text")),
        ("['error', 'my_name', 'why']", (500, "my_name", "why")),
        ("['error', 'not_found', 'why']", (404, "not_found", "why")),
        ("new Error('boom')", (500, "Error", "{[]}")),
        ("{a: 1, b: 2}", (500, "error", "internal_server_error")),
        ("{}", (500, "error", "internal_server_error")),
        ("[]", (500, "error", "internal_server_error")),
        ("2", (500, "error", "internal_server_error")),
        ("null", (500, "TypeError", "{[]}")),
    ],
)
def test_what_a_validation_function_throws(functions: Functions, thrown: str, answer: tuple[int, str, str]) -> None:
    throwing = functions(validate_doc_update=f"function () {{ throw {thrown}; }}")
    assert refusal(lambda: throwing.validate_doc_update({}, None, {}, {})) == answer


def test_refusals_have_types_of_their_own(functions: Functions) -> None:
    refusing = functions(validate_doc_update="function (doc) { throw doc; }")
    for document, kind in (({"forbidden": "no"}, Forbidden), ({"unauthorized": "no"}, Unauthorized)):
        with pytest.raises(kind):
            refusing.validate_doc_update(document, None, {}, {})


def test_this_is_the_design_document_and_keeps_what_is_written_there(functions: Functions) -> None:
    counting = functions(
        allowed=["a"],
        validate_doc_update="function (doc) {"
        " this.n = (this.n || 0) + 1; throw {forbidden: this._id + this.allowed[0] + this.n}; }",
    )
    reasons = [refusal(lambda: counting.validate_doc_update({}, None, {}, {}))[2] for _ in range(2)]
    assert reasons == ["_design/da1", "_design/da2"]


def test_a_changed_design_document_starts_with_fresh_globals(functions: Functions) -> None:
    source = "function () { this.n = (this.n || 0) + 1; throw {forbidden: String(this.n)}; }"
    for version in (1, 2):
        counting = functions(validate_doc_update=source, version=version)
        with pytest.raises(Forbidden, match=r"\b1\b"):
            counting.validate_doc_update({}, None, {}, {})


# ---- filters


def test_filters_pass_what_is_truthy(functions: Functions) -> None:
    values = ["true", "1", "'no'", "[]", "{}", "false", "0", "''", "null", "undefined", "NaN"]
    source = "function (doc, req) { return [" + ", ".join(values) + "][doc.n]; }"
    passes = functions(filters={"f": source}).filter_docs("f", [{"n": number} for number in range(len(values))], REQ)
    assert passes == [True] * 5 + [False] * 6


def test_filters_see_the_request_and_the_design_document(functions: Functions) -> None:
    source = "function (doc, req) { return doc.type === req.query.type && this.types.indexOf(doc.type) >= 0; }"
    filtering = functions(types=["a"], filters={"f": source})
    assert filtering.filter_docs("f", [{"type": "a"}, {"type": "b"}], {"query": {"type": "a"}}) == [True, False]


def test_a_map_function_filters_by_emitting(functions: Functions) -> None:
    filtering = functions(views={"v": {"map": "function (doc) { if (doc.n) { emit(1); emit(2); } }"}})
    assert filtering.filter_view("v", [{"n": 1}, {}, {"n": 2}]) == [True, False, True]


def test_a_filter_that_throws_fails(functions: Functions) -> None:
    throwing = functions(
        filters={
            "f": "function (doc) { doc.a.b.c.d(); }",
            "protocol": "function () { throw ['error', 'mine', 'why']; }",
        }
    )
    assert refusal(lambda: throwing.filter_docs("f", [{}], REQ))[:2] == (500, "TypeError")
    assert refusal(lambda: throwing.filter_docs("protocol", [{}], REQ)) == (500, "mine", "why")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda f: f.filter_docs("nope", [], REQ), "missing json key: filters"),
        (lambda f: f.show("nope", None, REQ), "missing json key: nope"),
        (lambda f: f.filter_view("nope", []), "missing json key: views"),
        (lambda f: f.update("u", None, REQ), "json_mismatch"),
    ],
)
def test_missing_functions_are_not_found(
    functions: Functions, call: Callable[[DesignFunctions], Any], reason: str
) -> None:
    with pytest.raises(NotFound, match=reason):
        call(functions(shows={"s": "function () {}"}, updates="text"))


# ---- shows


def shown(functions: Functions, source: str, doc: Any = None, req: Any = None) -> dict[str, Any]:
    return functions(shows={"s": source}).show("s", doc, {**REQ, **(req or {})})


@pytest.mark.parametrize(
    ("result", "response"),
    [
        ("'text'", {"body": "text"}),
        ("{body: 'b', code: 203}", {"body": "b", "code": 203}),
        ("{json: {doc: doc}}", {"json": {"doc": {"_id": "a"}}}),
        ("''", {}),
        ("0", {}),
        ("undefined", {}),
    ],
)
def test_what_a_show_returns_is_its_response(functions: Functions, result: str, response: Any) -> None:
    assert shown(functions, f"function (doc, req) {{ return {result}; }}", {"_id": "a"}) == response


@pytest.mark.parametrize("result", ["5", "true", "req.path"])
def test_a_result_that_is_not_a_response_is_an_error(
    functions: Functions, result: str, gap: Callable[[str], None]
) -> None:
    if result == "req.path":
        gap("own_realm")
    assert refusal(lambda: shown(functions, f"function (doc, req) {{ return {result}; }}")) == (
        500,
        "render_error",
        "undefined response from show function",
    )


def test_an_array_made_by_the_function_crashes_the_server(functions: Functions) -> None:
    with pytest.raises(ServerError, match="function_clause"):
        shown(functions, "function () { return [1]; }")


def test_start_and_send_make_headers_and_body(functions: Functions) -> None:
    source = "function () { start({'X-Foo': 'bar'}); send('one '); send(2); return {body: ' three', code: 203}; }"
    assert shown(functions, source) == {"body": "one 2 three", "code": 203, "headers": {"X-Foo": "bar"}}


@pytest.mark.parametrize(
    ("thrown", "answer"),
    [
        ("'text'", (500, "render_error", "function raised error: text \nstacktrace: undefined")),
        ("{forbidden: 'no'}", (500, "render_error", "function raised error: [object Object] \nstacktrace: undefined")),
        ("['error', 'mine', 'why']", (500, "mine", "why")),
        ("{error: 'mine', reason: 'why'}", (500, "mine", "why")),
    ],
)
def test_what_a_show_throws(functions: Functions, thrown: str, answer: tuple[int, str, str]) -> None:
    assert refusal(lambda: shown(functions, f"function () {{ throw {thrown}; }}")) == answer


def test_errors_of_shows_are_logged_with_their_function(functions: Functions, log: Any) -> None:
    assert refusal(lambda: shown(functions, "function () {\n throw new Error('boom'); }"))[:2] == (500, "render_error")
    assert log.texts("error")[0].startswith("_design/d/shows/s: function raised error: Error: boom")


def test_an_error_about_a_document_that_is_not_there_says_so(functions: Functions) -> None:
    path = {"path": [*REQ["path"], "missing"]}
    answer = refusal(lambda: shown(functions, "function (doc) { throw new Error('x'); }", None, path))
    assert answer == (404, "not_found", "document not found")


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("'text'", (500, "compilation_error", "Expression does not eval to a function. ('text')")),
        ("", (404, "not_found", "missing shows function s on design doc _design/d")),
    ],
)
def test_a_source_that_is_not_a_function_is_an_error(
    functions: Functions, source: str, answer: tuple[int, str, str]
) -> None:
    assert refusal(lambda: shown(functions, source)) == answer


PROVIDES = """function (doc, req) {
    registerType('odd', 'text/odd');
    provides('html', function () { return '<b>'; });
    provides('json', function () { return {body: '{}'}; });
    provides('odd', function () { send('sent '); return 'odd'; });
    return 'before ';
}"""


@pytest.mark.parametrize(
    ("accept", "query", "body", "content_type"),
    [
        ("text/html", {}, "before <b>", "text/html; charset=utf-8"),
        ("application/json", {}, "before {}", "application/json"),
        ("text/x-json;q=0.5, text/plain", {}, "before {}", "text/x-json"),
        ("text/odd", {}, "before sent odd", "text/odd"),
        ("*/*", {}, "before <b>", "text/html; charset=utf-8"),
        ("text/html;q=0.1, application/json;q=0.9", {}, "before {}", "application/json"),
        ("text/html", {"format": "json"}, "before {}", "application/json"),
        (None, {}, "before <b>", "text/html; charset=utf-8"),
    ],
)
def test_provides_chooses_by_format_or_accept(
    functions: Functions, accept: str | None, query: dict[str, str], body: str, content_type: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    response = shown(functions, PROVIDES, None, {"headers": headers, "query": query})
    assert response == {"body": body, "headers": {"Content-Type": content_type}}


def test_nothing_that_fits_is_not_acceptable(functions: Functions) -> None:
    assert refusal(lambda: shown(functions, PROVIDES, None, {"headers": {"Accept": "image/png"}})) == (
        406,
        "not_acceptable",
        "Content-Type image/png not supported, try one of: text/odd, application/json, text/x-json,"
        " text/html; charset=utf-8",
    )


# ---- updates


def updated(functions: Functions, result: str, method: str = "POST") -> Any:
    return functions(updates={"u": f"function (doc, req) {{ return {result}; }}"}).update(
        "u", {"_id": "a"}, {"method": method}
    )


def test_an_update_gives_a_document_and_a_response(functions: Functions) -> None:
    assert updated(functions, "[{_id: 'b', old: doc._id}, 'done']") == ({"_id": "b", "old": "a"}, {"body": "done"})
    assert updated(functions, "[null, {json: 1}]") == (None, {"json": 1})
    assert updated(functions, "'text'") == (None, {"body": "e"})


def test_updates_do_not_answer_get(functions: Functions) -> None:
    assert refusal(lambda: updated(functions, "[null, 'x']", "GET")) == (
        405,
        "method_not_allowed",
        "Update functions do not allow GET",
    )


@pytest.mark.parametrize("result", ["[{_id: 'x'}]", "[null, 5]"])
def test_an_update_without_a_response_is_an_error(functions: Functions, result: str) -> None:
    answer = (500, "render_error", "undefined response from update function")
    assert refusal(lambda: updated(functions, result)) == answer


def test_an_array_as_response_crashes_the_server(functions: Functions) -> None:
    with pytest.raises(Crash) as caught:
        updated(functions, "[null, [1]]")
    assert (caught.value.error, caught.value.reason) == ("case_clause", '[<<"up">>,null,[1]]')


# ---- lists

ROWS = ['{"id":"a","key":1,"value":null}', '{"id":"b","key":2,"value":"\u00fc"}']


def listed(functions: Functions, body: str, rows: list[str] = ROWS) -> Any:
    source = f"function (head, req) {{ {body} }}"
    return functions(lists={"l": source}).list("l", {"total_rows": 2}, REQ, rows)


def test_a_list_reads_rows_and_sends_chunks(functions: Functions) -> None:
    answer = listed(
        functions, "var row; send(head.total_rows + ':'); while (row = getRow()) send(toJSON(row)); return '.';"
    )
    assert b"".join(answer.chunks).decode() == "2:" + "".join(ROWS) + "."
    assert (answer.code, answer.headers, answer.started) == (200, [("Content-Type", "application/json")], True)


@pytest.mark.parametrize(
    ("body", "code", "header", "text"),
    [
        ("start({code: 404, headers: {'X-Foo': 'a'}}); send('x');", 404, "a", "x"),
        ("start({headers: {'X-Foo': 'a'}}); start({headers: {'X-Foo': 'b'}}); send('x');", 200, "b", "x"),
        ("send('x'); start({headers: {'X-Foo': 'late'}}); getRow(); send('y');", 200, "late", "xy"),
        ("getRow(); start({headers: {'X-Foo': 'later'}}); send('x');", 200, "later", "x"),
        ("send('x'); getRow(); start({headers: {'X-Foo': 'too late'}}); send('y');", 200, None, "xy"),
        ("start({headers: {'X-Foo': 'a'}}); return '';", 200, "a", ""),
        ("start({code: 302, headers: {'X-Foo': 'lost'}});", 200, None, ""),
        ("getRow(); return 'left one';", 200, None, "left one"),
        ("while (getRow()) {} return toJSON([getRow(), getRow()]);", 200, None, "[null,null]"),
    ],
)
def test_start_counts_until_something_is_sent(
    functions: Functions, body: str, code: int, header: str | None, text: str
) -> None:
    answer = listed(functions, body)
    assert (answer.code, dict(answer.headers).get("X-Foo"), b"".join(answer.chunks).decode()) == (code, header, text)


def test_a_list_that_throws_before_it_sends_is_an_error(functions: Functions) -> None:
    assert refusal(lambda: listed(functions, "throw ['error', 'mine', 'why'];")) == (500, "mine", "why")
    assert refusal(lambda: listed(functions, "throw new Error('boom');"))[:2] == (500, "render_error")


def test_a_list_that_throws_while_sending_ends_with_the_error(functions: Functions) -> None:
    answer = listed(functions, "send('a'); getRow(); throw ['error', 'mine', 'why'];")
    assert (answer.code, b"".join(answer.chunks)) == (200, b'a\n{"code":500,"error":"mine","reason":"why"}\n')


def test_a_list_that_throws_while_rows_remain_has_the_error_as_its_body(functions: Functions) -> None:
    answer = listed(functions, "start({headers: {'X-A': 'b'}}); getRow(); throw ['error', 'mine', 'why'];")
    assert b"".join(answer.chunks) == b'\n{"code":500,"error":"mine","reason":"why"}\n'


def test_a_list_that_throws_after_the_last_row_without_sending_is_an_ordinary_error(functions: Functions) -> None:
    body = "start({headers: {'X-A': 'b'}}); while (getRow()) {} throw ['error', 'mine', 'why'];"
    assert refusal(lambda: listed(functions, body)) == (500, "mine", "why")


def test_after_an_error_all_functions_of_the_design_document_begin_again(functions: Functions) -> None:
    counting = "function () { n = typeof n === 'undefined' ? 1 : n + 1; return String(n); }"
    design = functions(shows={"count": counting, "bad": "function () { throw new Error('boom'); }"})
    assert [design.show("count", None, REQ)["body"] for _ in range(3)] == ["1", "2", "3"]
    refusal(lambda: design.show("bad", None, REQ))
    assert design.show("count", None, REQ)["body"] == "1"


def test_a_refusal_by_validation_keeps_the_globals(functions: Functions) -> None:
    source = "function (doc) { n = typeof n === 'undefined' ? 1 : n + 1; throw {forbidden: String(n)}; }"
    design = functions(validate_doc_update=source)
    assert [refusal(lambda: design.validate_doc_update({}, None, {}, {}))[2] for _ in range(2)] == ["1", "2"]


def test_a_module_that_throws_is_reported_each_time(functions: Functions) -> None:
    source = "function () { return JSON.stringify(Object.keys(require('lib/bad'))); }"
    design = functions(lib={"bad": "exports.a = 1; throw new Error('boom')"}, shows={"s": source})
    assert [refusal(lambda: design.show("s", None, REQ))[:2] for _ in range(2)] == [(500, "compilation_error")] * 2


def test_functions_of_two_databases_share_nothing(server: QueryServer) -> None:
    source = "function () { n = typeof n === 'undefined' ? 1 : n + 1; return String(n); }"
    ddoc = {"_id": "_design/d", "shows": {"s": source}}
    of = [server.design_functions(ddoc, database=name) for name in ("a", "b")]
    assert [each.show("s", None, REQ)["body"] for each in (of[0], of[0], of[1])] == ["1", "2", "1"]


def test_lists_negotiate_too(functions: Functions) -> None:
    answer = listed(functions, "provides('csv', function () { send(getRow().id); return ';'; }); return 'ignored';")
    assert (dict(answer.headers), b"".join(answer.chunks)) == ({"Content-Type": "text/csv"}, b"a;")


# ---- rewrites


def rewritten(functions: Functions, result: str) -> Any:
    return functions(rewrites=f"function (req) {{ return {result}; }}").rewrite({"path": []})


def test_a_rewrite_is_a_path_or_an_object(functions: Functions) -> None:
    assert rewritten(functions, "'_show/s'") == {"path": "_show/s"}
    assert rewritten(functions, "{path: 'x', query: {a: 'b'}, code: 200}") == {
        "path": "x",
        "query": {"a": "b"},
        "code": 200,
    }
    assert rewritten(functions, "undefined") is None


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("5", "bad rewrite"),
        ("[]", "bad rewrite"),
        ("{code: 99}", "bad code"),
        ("{path: 5}", "bad path"),
        ("{method: 5}", "bad method"),
        ("{body: {}}", "bad body"),
        ("{headers: []}", "bad headers"),
        ("{query: 'a'}", "bad query"),
        ("{query: {a: 1}}", 'object key/value must be strings <<"a">>=1'),
    ],
)
def test_a_rewrite_of_the_wrong_form(functions: Functions, result: str, reason: str) -> None:
    assert refusal(lambda: rewritten(functions, result)) == (500, "rewrite_error", reason)


def test_a_rewrite_that_throws(functions: Functions) -> None:
    throwing = functions(rewrites="function () { throw {forbidden: 'no'}; }")
    reason = "function raised error: [object Object] \nstacktrace: undefined"
    assert refusal(lambda: throwing.rewrite({})) == (500, "rewrite_error", reason)


# ---- languages, responses


@pytest.mark.parametrize("language", ["erlang", "javascripts"])
def test_other_languages_are_unknown(functions: Functions, language: str) -> None:
    design = functions(language=language, shows={"s": "function () {}"})
    assert refusal(lambda: design.show("s", None, REQ)) == (500, "unknown_query_language", language)


@pytest.mark.parametrize("language", ["JavaScript", "JAVASCRIPT", "coffeescript"])
def test_the_case_of_a_language_does_not_matter_and_coffeescript_is_javascript(
    functions: Functions, language: str
) -> None:
    design = functions(language=language, shows={"s": "function () { return 'ran'; }"})
    assert design.show("s", None, REQ)["body"] == "ran"


@pytest.mark.parametrize(
    ("response", "code", "content_type", "content"),
    [
        ({}, 200, "application/json", b""),
        ({"body": "\u00fc"}, 200, "text/html; charset=utf-8", "\u00fc".encode()),
        ({"json": {"a": [1.0]}}, 200, "application/json", b'{"a":[1.0]}\n'),
        ({"base64": "aGVsbG8="}, 200, "application/binary", b"hello"),
        ({"code": 418, "body": "b", "headers": {"content-type": "text/plain"}}, 418, "text/plain", b"b"),
        ({"stop": True, "body": "b"}, 200, "text/html; charset=utf-8", b"b"),
        ({"code": "404", "body": "x"}, 404, "text/html; charset=utf-8", b"x"),
    ],
)
def test_what_a_response_object_means(response: Any, code: int, content_type: str, content: bytes) -> None:
    answer = parse_response(response)
    assert (answer.code, answer.header("Content-Type"), answer.content()) == (code, content_type, content)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ({"nope": 1}, (500, "external_response_error", 'Invalid data from external server: {<<"nope">>,1}')),
        ({"code": "x"}, (500, "unknown_error", "badarg")),
        ({"body": 5}, (500, "unknown_error", "badarg")),
        ({"base64": "?"}, (500, "unknown_error", "badarg")),
    ],
)
def test_what_a_response_object_may_not_hold(response: Any, answer: tuple[int, str, str]) -> None:
    assert refusal(lambda: parse_response(response)) == answer
