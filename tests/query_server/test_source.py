from __future__ import annotations

import pytest

from couchfake.query_server.source import as_program, tokens


@pytest.mark.parametrize(
    ("source", "program"),
    [
        ("function (doc) {}", "0,function (doc) {}"),
        ("  function(doc) {};", "  0,function(doc) {};"),
        ("// first\nfunction(doc) {}", "// first\n0,function(doc) {}"),
        ("/* function( */ function(doc) {} // last", "/* function( */ 0,function(doc) {} // last"),
        ("function helper(x) {}\nfunction(doc) {}", "function helper(x) {}\n0,function(doc) {}"),
        ("var n = 0; function(doc) {}", "var n = 0; 0,function(doc) {}"),
        ("var n = 0\nfunction(doc) {}", "var n = 0\n0,function(doc) {}"),
    ],
)
def test_an_anonymous_function_statement_becomes_an_expression(source: str, program: str) -> None:
    assert as_program(source) == program


@pytest.mark.parametrize(
    "source",
    [
        "(function(doc) {})",
        "map = function(doc) {}",
        "function named(doc) {}",
        "function*(doc) {}",
        "doc => emit(doc)",
        "var f =\nfunction(doc) {}",
        "(function() { return function(doc) {} })()",
        "'function('",
        "/function(/.test(x)",
        "`${1}function(`",
        "",
    ],
)
def test_everything_else_stays_as_it_is(source: str) -> None:
    assert as_program(source) == source


def test_texts_that_look_like_code_are_single_tokens() -> None:
    source = "a = /[/'\"]{2}/g + `x ${ `}` } y` + 'it\\'s' / 2 // end"
    assert [token.text for token in tokens(source)] == [
        "a", "=", "/[/'\"]{2}/g", "+", "`x ${ `}` } y`", "+", "'it\\'s'", "/", "2",
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["'open", "`open ${", "/open", "/* open", "({[", ")]}", "\\", "@#"])
def test_a_source_with_syntax_errors_is_not_changed(source: str) -> None:
    assert as_program(source) == source
