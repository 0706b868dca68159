from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from couchfake.errors import CouchError, Crash
from couchfake.query_server import QueryServer

Map = Callable[..., list[list[Any]]]
Gap = Callable[[str], None]


def test_rows_are_keys_and_values_by_document_and_function(server: QueryServer) -> None:
    functions = [
        ("first", "function (doc) { emit(doc._id, doc.n); emit(doc.n, null); }"),
        ("second", "function (doc) { if (doc.n > 1) { emit([doc.n]); } }"),
    ]
    session = server.compile_map(functions, ddoc_id="_design/d")
    rows = session.map_docs([b'{"_id":"a","n":1}', '{"_id":"b","n":2}'])
    session.close()
    assert rows == [([("a", 1), (1, None)], []), ([("b", 2), (2, None)], [([2], None)])]


def test_batches_come_back_in_their_order(server: QueryServer) -> None:
    session = server.compile_map([("v", "function (doc) { emit(doc.n); }")])
    batches = [[f'{{"_id":"{n}","n":{n}}}' for n in range(start, start + 3)] for start in (0, 3, 6)]
    rows = list(session.map_batches(batches))
    session.close()
    assert rows == [[([(n, None)],) for n in range(start, start + 3)] for start in (0, 3, 6)]


def test_a_session_without_functions_has_no_rows(server: QueryServer) -> None:
    assert server.compile_map([]).map_docs(["{}", "{}"]) == [(), ()]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("undefined", None),
        ("NaN", None),
        ("[Infinity, -Infinity]", [None, None]),
        ("function () {}", None),
        ("[function () {}]", [None]),
        ("new Date(1e12)", "2001-09-09T01:46:40.000Z"),
        ("new Date('nonsense')", None),
        ("/a/g", {}),
        ("new Error('key')", {}),
        ("{e: new Error('inner')}", {"e": {}}),
        ("new String('s')", "s"),
        ("[new Number(3), new Boolean(false)]", [3, False]),
        ("{a: undefined, b: null}", {"b": None}),
        ("{toJSON: function () { return 'custom'; }}", "custom"),
        ("-0", 0),
        ("1.0", 1),
        ("1e21", 1e21),
        ("0.1 + 0.2", 0.30000000000000004),
        ("{'': 1, 'b': 2, '10': 3, '9': 4}", {"9": 4, "10": 3, "": 1, "b": 2}),
        ("(function () { return arguments; })(1, 2)", {"0": 1, "1": 2}),
    ],
)
def test_what_json_makes_of_emitted_values(map_docs: Map, expression: str, value: Any) -> None:
    [[key, _]] = map_docs(f"function (doc) {{ emit({expression}, null); }}")
    assert json.dumps(key) == json.dumps(value)


def test_an_error_as_a_value_is_its_name_and_message(map_docs: Map) -> None:
    assert map_docs("function (doc) { emit(1, new TypeError('boo')); }") == [
        [1, {"error": "TypeError", "message": "boo"}]
    ]


def test_numbers_are_doubles(map_docs: Map) -> None:
    doc = '{"_id":"a","n":[1.0,9007199254740993,123456789012345678901234567890,1e3,-0.0,5e-324,2e-310]}'
    [[key, _]] = map_docs("function (doc) { emit(doc.n, null); }", doc)
    assert key == [1, 9007199254740992, 1.2345678901234568e29, 1000, 0, 0, 0]
    assert [type(number) for number in key] == [int, int, float, int, int, float, float]


def test_members_come_in_javascripts_order(map_docs: Map) -> None:
    doc = '{"_id":"x","b":1,"a":2,"10":3,"9":4}'
    source = "function (doc) { var names = []; for (var name in doc) { names.push(name); } emit(names, doc); }"
    [[names, value]] = map_docs(source, doc)
    assert names == ["9", "10", "_id", "b", "a"] == list(value)


def test_null_members_and_empty_names_are_kept(map_docs: Map) -> None:
    doc = '{"_id":"x","n":null,"":{"":[null]}}'
    assert map_docs("function (doc) { emit(null, doc); }", doc) == [[None, {"_id": "x", "n": None, "": {"": [None]}}]]


def test_halves_of_surrogate_pairs_are_replaced(map_docs: Map) -> None:
    source = "function (doc) { emit('\\ud83d', ['x\\udc00y', '\\ud83d\\ude00']); }"
    assert map_docs(source) == [["\ufffd", ["x\ufffdy", "\U0001f600"]]]


def test_text_passes_unharmed(map_docs: Map) -> None:
    text = '\u0000\t"\\\u00fc\u2028\u2603\U0001f600'
    assert map_docs("function (doc) { emit(doc.t, null); }", json.dumps({"_id": "a", "t": text})) == [[text, None]]


def test_a_throw_drops_the_documents_rows_and_is_logged(map_docs: Map, log: Any) -> None:
    source = "function (doc) {\n  emit(doc._id, null);\n  if (doc.bad) throw new Error('boom');\n}"
    assert map_docs(source, '{"_id":"a"}', '{"_id":"b","bad":1}', '{"_id":"c"}') == [["a", None], ["c", None]]
    [text] = log.texts("error")
    assert text.startswith("_design/d/_view/v: function raised exception Error: boom")
    assert text.endswith(" with doc._id b")


def test_the_log_names_the_line(map_docs: Map, log: Any, gap: Gap) -> None:
    gap("error_details")
    map_docs("function (doc) {\n\n  doc.missing.member;\n}")
    assert "(line 3)" in log.texts("error")[0]


def test_what_functions_log_is_collected(map_docs: Map, log: Any) -> None:
    map_docs("function (doc) { log('text'); log({a: [1]}); log(); log(new Error('e')); log(5); }")
    prefix = "_design/d/_view/v: "
    assert log == [("info", prefix + text) for text in ("text", '{"a":[1]}', "undefined", "Error: e", "5")]


@pytest.mark.parametrize(
    ("thrown", "error", "reason"),
    [
        ("'fatal_error'", "map_runtime_error", "function raised 'fatal_error'"),
        ("['fatal', 'my_error', 'my reason']", "my_error", "my reason"),
        ("null", "TypeError", "{[]}"),
    ],
)
def test_fatal_errors_end_the_indexing(map_docs: Map, thrown: str, error: str, reason: str) -> None:
    with pytest.raises(Crash) as caught:
        map_docs(f"function (doc) {{ throw {thrown}; }}")
    assert (caught.value.status, caught.value.error, caught.value.reason) == (500, error, reason)


@pytest.mark.parametrize("thrown", ["'text'", "{forbidden: 'no'}", "['error', 'my_error', 'why']", "5", "false"])
def test_other_throws_pass_over_the_document(map_docs: Map, thrown: str) -> None:
    assert map_docs(f"function (doc) {{ emit(1, 1); throw {thrown}; }}") == []


def test_a_value_that_json_cannot_hold_ends_the_indexing(map_docs: Map) -> None:
    with pytest.raises(Crash) as caught:
        map_docs("function (doc) { var circle = []; circle[0] = circle; emit(circle, null); }")
    assert (caught.value.error, caught.value.reason) == ("TypeError", "{[]}")


def test_documents_are_frozen(map_docs: Map) -> None:
    source = """function (doc) {
        doc.added = 1; doc.o.x = 2; doc.l[0] = 3;
        emit([doc.added === undefined, doc.o.x, doc.l[0], Object.isFrozen(doc), Object.isFrozen(doc.l)], null);
    }"""
    assert map_docs(source, '{"_id":"a","o":{"x":1},"l":[1]}') == [[[True, 1, 1, True, True], None]]


def test_methods_cannot_change_a_frozen_array(map_docs: Map) -> None:
    source = "function (doc) { try { doc.l.push(2); emit('pushed', null); } catch (e) { emit(e.name, doc.l); } }"
    assert map_docs(source, '{"_id":"a","l":[1]}') == [["TypeError", [1]]]


def test_strict_functions_may_not_write_to_documents(map_docs: Map, gap: Gap) -> None:
    gap("strict_mode")
    assert map_docs("function (doc) { 'use strict'; doc.x = 1; emit(1); }") == []


def test_documents_come_from_another_realm(map_docs: Map, gap: Gap) -> None:
    gap("own_realm")
    source = """function (doc) {
        emit([doc instanceof Object, doc.l instanceof Array, doc.constructor === Object, doc.l.constructor.name,
              doc.l.slice() instanceof Array, doc.l.map(String) instanceof Array, JSON.parse('[]') instanceof Array,
              Array.isArray(doc.l), isArray(doc.l), doc.l.concat([3]).length, [] instanceof Array], null);
        Array.prototype.mine = 1;
        emit([typeof [].mine, typeof doc.l.mine], null);
        try { JSON.parse('{bad'); } catch (e) { emit([e.name, e instanceof Error, typeof e.message], null); }
        try { doc.l.push(1); } catch (e) { emit([e.name, e instanceof Error], null); }
    }"""
    assert [key for key, _ in map_docs(source, '{"_id":"a","l":[1,2]}')] == [
        [False, False, False, "Array", False, False, False, True, True, 3, True],
        ["number", "undefined"],
        ["SyntaxError", False, "string"],
        ["TypeError", False],
    ]


def test_globals_live_as_long_as_the_session(server: QueryServer) -> None:
    functions = [
        ("declared", "var count = 0; function (doc) { emit(count++, null); }"),
        ("implicit", "function (doc) { seen = typeof seen === 'undefined' ? 1 : seen + 1; emit(seen, null); }"),
    ]
    for _ in range(2):
        session = server.compile_map(functions, ddoc_id="_design/d")
        rows = [session.map_docs(['{"_id":"a"}'])[0] for _ in range(3)]
        server.release(session, functions, ddoc_id="_design/d")
        assert rows == [([(n, None)], [(n + 1, None)]) for n in range(3)]


def test_functions_share_no_globals(server: QueryServer) -> None:
    functions = [
        ("writes", "function (doc) { shared = 1; Array.prototype.shared = 1; Math.shared = 1; emit(1, null); }"),
        ("reads", "function (doc) { emit([typeof shared, typeof [].shared, typeof Math.shared], null); }"),
    ]
    session = server.compile_map(functions)
    rows = [session.map_docs(['{"_id":"a"}'])[0][1] for _ in range(2)]
    session.close()
    assert rows == [[(["undefined"] * 3, None)]] * 2


def test_plain_functions_are_kept_for_the_next_run(server: QueryServer) -> None:
    functions = [("v", "function (doc) { emit(doc._id, null); }")]
    first = server.compile_map(functions, ddoc_id="_design/kept")
    server.release(first, functions, ddoc_id="_design/kept")
    second = server.compile_map(functions, ddoc_id="_design/kept")
    third = server.compile_map(functions, ddoc_id="_design/kept")
    assert second is first
    assert third is not first
    second.close()
    third.close()


def test_a_long_batch_is_mapped_whole(server: QueryServer) -> None:
    session = server.compile_map([("v", "function (doc) { emit(doc.n, null); }")])
    docs = [json.dumps({"_id": str(n), "n": n, "pad": "x" * 3000}) for n in range(700)]
    assert [row for of_doc in session.map_docs(docs) for row in of_doc[0]] == [(n, None) for n in range(700)]
    session.close()


def test_globals_are_those_of_couchdbs_engine(map_docs: Map) -> None:
    there = (
        "emit sum log toJSON isArray require index provides registerType start send getRow JSON Math Date RegExp eval"
    )
    absent = (
        "Promise Proxy ArrayBuffer Uint8Array DataView Intl console print readline gc evalcx setTimeout atob window"
    )
    absent += " module exports Couch State WeakRef structuredClone URL fetch process performance"
    names = [*there.split(), *absent.split()]
    source = "function (doc) { " + "".join(f"emit('{name}', typeof {name});" for name in names) + " }"
    types = dict(map_docs(source))
    assert [name for name in there.split() if types[name] not in ("function", "object")] == []
    assert [name for name in absent.split() if types[name] != "undefined"] == []


def test_helpers_do_what_their_names_say(map_docs: Map) -> None:
    source = """function (doc) {
        emit([isArray([]), isArray({}), isArray()], [sum([1, 2, 3]), sum([]), sum(['a', 'b']), sum({a: 1, b: 2})]);
        emit([toJSON({a: 1}), toJSON('x'), typeof toJSON(undefined), typeof log('x')], null);
    }"""
    assert map_docs(source) == [
        [[True, False, False], [6, 0, "0ab", 3]],
        [['{"a":1}', '"x"', "undefined", "undefined"], None],
    ]


def test_modern_syntax_compiles(map_docs: Map, gap: Gap) -> None:
    gap("es6")
    source = "({_id: id, ...rest}) => { const n = rest?.n ?? 1; emit([`<${id}>`, ...[n, 2 ** 3]], [1, [2]].flat()); }"
    assert map_docs(source) == [[["<a>", 1, 8], [1, 2]]]


def test_the_modern_library_is_there(map_docs: Map, gap: Gap) -> None:
    gap("es6_library")
    source = "function (doc) { emit([new Map([[1, 2]]).get(1), 'a'.padEnd(2, '.'), Object.entries({a: 1})], null); }"
    assert map_docs(source) == [[[2, "a.", [["a", 1]]], None]]


def test_methods_newer_than_couchdbs_engine_are_missing(map_docs: Map) -> None:
    source = "function (doc) { emit([typeof ''.normalize, typeof ''.localeCompare, typeof RegExp.escape], null); }"
    assert map_docs(source) == [[["undefined"] * 3, None]]


def test_with_statements_compile(map_docs: Map, gap: Gap) -> None:
    gap("with")
    assert map_docs("function (doc) { with ({z: 26}) { emit(z, null); } }") == [[26, None]]


def test_eval_sees_local_variables(map_docs: Map) -> None:
    source = "function (doc) { var a = 1; eval('a += 1; var more = 3; if (more) a += more'); emit(a, more); }"
    assert map_docs(source) == [[5, 3]]


def test_eval_by_another_name_sees_global_variables_only(map_docs: Map, gap: Gap) -> None:
    gap("indirect_eval")
    source = "function (doc) { var local = 1, evaluate = eval; emit(evaluate('typeof local'), null); }"
    assert map_docs(source) == [["undefined", None]]


def test_builtins_can_be_replaced(map_docs: Map) -> None:
    assert map_docs("function (doc) { parseInt = function () { return 26; }; emit(parseInt('1'), null); }") == [
        [26, None]
    ]
    assert map_docs("function (doc) { emit(parseInt('1'), null); }") == [[1, None]]


def test_eval_and_function_make_code(map_docs: Map) -> None:
    source = "function (doc) { emit(eval('1 + 1'), new Function('a', 'return a * 2')(4)); }"
    assert map_docs(source) == [[2, 8]]


def test_characters_outside_the_basic_plane_count_twice(map_docs: Map, gap: Gap) -> None:
    gap("astral_length")
    assert map_docs("function (doc) { emit(doc.t.length, null); }", '{"_id":"a","t":"\U0001f600"}') == [[2, None]]


def test_members_of_literals_in_parentheses(map_docs: Map, gap: Gap) -> None:
    assert map_docs("function (doc) { emit([(2).toFixed(1), ('ab').length, (/b/).test('b')], null); }") == [
        [["2.0", 2, True], None]
    ]


def test_a_function_as_text_is_its_source(map_docs: Map, gap: Gap) -> None:
    gap("function_text")
    assert map_docs("function (doc) { emit(String(function (a) { return a; })); }") == [
        ["function (a) { return a; }", None]
    ]


def test_names_are_declared_once(server: QueryServer, gap: Gap) -> None:
    gap("syntax_corners")
    with pytest.raises(CouchError, match="compilation_error"):
        server.try_compile("function (doc) { let a = 1; let a = 2; }")


@pytest.mark.parametrize("source", ["}{", "function (doc) {", "function (doc) { emit(; }", ")", "'"])
def test_what_does_not_compile_is_refused(server: QueryServer, source: str) -> None:
    with pytest.raises(CouchError, match="compilation_error"):
        server.try_compile(source)


def test_unknown_languages_have_no_query_server(server: QueryServer) -> None:
    for language in ("erlang", "python", "query"):
        with pytest.raises(Exception, match="unknown_query_language") as caught:
            server.compile_map([("v", "function (doc) {}")], language=language)
        assert caught.value.args == (500, "unknown_query_language", language)
