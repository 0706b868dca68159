from __future__ import annotations

import pytest

from couchfake.query_server.source import Traits, traits


@pytest.mark.parametrize(
    "source",
    [
        "function (doc) { if (doc.type === 'person') { emit([doc.city, doc.age], doc.score); } }",
        "function (doc) { (doc.tags || []).forEach(function (tag) { emit(tag, 1); }); }",
        "function (doc) { for (var i = 0; i < doc.n; i++) { emit(i % 7, i); } }",
        "function (doc) { for (var name in doc) { emit(name, doc[name]); } }",
        "(function (doc) { emit(doc.date.split('-').map(Number), {words: doc.words}); });",
        "doc => emit(doc.n, null)",
        "({_id, n}) => { emit(n, _id); }",
        "(keys, values) => Math.max(...values)",
        "function (keys, values, rereduce) { var total = 0; for (var i in values) total += values[i]; return total; }",
    ],
)
def test_plain_functions_are_recognized(source: str) -> None:
    is_pure = "emit" not in source
    assert traits(source) == Traits(is_realm_insensitive=True, keeps_no_state=True, is_pure=is_pure)


@pytest.mark.parametrize(
    "body",
    [
        "doc.n = 1;",
        "doc.list[0]++;",
        "--doc.n;",
        "delete doc.n;",
        "doc.list.push(1);",
        "doc.list.sort();",
        "doc.list['push'](1);",
        "doc['list'][0] = 1;",
        "emit(doc instanceof Object);",
        "emit(doc.constructor === Object);",
        "emit(doc['constructor'] === Object);",
        "emit(Object.isFrozen(doc));",
        "Array.prototype.mine = 1;",
        "emit(this);",
        "require('views/lib/x');",
        "eval('doc.n = 1');",
        "emit(`${doc.n = 1}`);",
        "for (doc.n of [1]) {}",
        "[doc.n] = [1];",
        "({n: doc.n} = {n: 1});",
        "Reflect.set(doc, 'n', 1);",
    ],
)
def test_a_function_that_may_detect_or_change_its_document_is_not_plain(body: str) -> None:
    assert not traits(f"function (doc) {{ {body} }}").is_realm_insensitive


@pytest.mark.parametrize(
    "source",
    [
        "var n = 0; function (doc) { emit(n++); }",
        "function (doc) { n = 1; }",
        "function (doc) { n++; }",
        "function (doc) { emit.calls = 1; }",
        "function (doc) { this.n = 1; }",
        "function (doc) { globalThis.n = 1; }",
        "function (doc) { require('views/lib/x').n = 1; }",
        "(function () { var n = 0; return function (doc) { emit(n++); }; })()",
        "function helper() {} function (doc) { emit(helper.n); }",
        "function (doc) { var a = 1\n b = 2 }",
        "1 + 1",
        "",
    ],
)
def test_a_function_that_may_keep_state_between_calls_is_not_reused(source: str) -> None:
    assert not traits(source).keeps_no_state


def test_members_of_own_variables_may_be_written() -> None:
    source = "function (doc) { var out = {}; out.a = {b: []}; out.a.b[0] = doc.n; let x, y = 1; x = y; emit(out); }"
    assert traits(source).keeps_no_state


@pytest.mark.parametrize(
    "source",
    [
        "function (doc, old, user) { if (user.roles.indexOf('editor') < 0) throw {forbidden: 'editors only'}; }",
        "function (doc) { var names = Object.keys(doc); for (var i in names) if (names[i] === 'x') throw {}; }",
        "(doc, old) => { if (old && !isArray(doc.tags)) throw {forbidden: toJSON(doc.tags)}; }",
    ],
)
def test_functions_of_their_arguments_alone_are_pure(source: str) -> None:
    assert traits(source).is_pure


@pytest.mark.parametrize(
    "source",
    [
        "function validate(doc) { }",  # a declaration, which adds a global
        "function (doc) { registerType('x', 'text/x'); }",
        "function (doc) { doc.seen = true; }",
        "function (doc) { seen = true; }",
        "function (doc) { log(this._id); }",
        "var n = 0; (function (doc) { n++; })",
    ],
)
def test_functions_that_change_or_use_anything_else_are_not_pure(source: str) -> None:
    assert not traits(source).is_pure
