from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couchfake.errors import CouchError
from couchfake.query_server import QueryServer

Map = Callable[..., list[list[Any]]]


def test_map_functions_reach_views_lib(map_docs: Map) -> None:
    lib = {
        "m": "exports.one = 1; exports.two = function () { return require('./deep/n').n; };",
        "deep": {"n": "exports.n = 2;"},
    }
    assert map_docs("function (doc) { var m = require('views/lib/m'); emit(m.one, m.two()); }", lib=lib) == [[1, 2]]


def test_modules_are_run_once_for_each_function(map_docs: Map) -> None:
    lib = {"count": "var n = 0; exports.next = function () { return ++n; };"}
    source = "function (doc) { emit([require('views/lib/count').next(), require('views/lib/count').next()], null); }"
    assert map_docs(source, '{"_id":"a"}', '{"_id":"b"}', lib=lib) == [[[1, 2], None], [[3, 4], None]]


def test_a_module_knows_its_id_its_parent_and_its_exports(map_docs: Map) -> None:
    lib = {"a": {"b": "exports.value = [module.id, module.parent.id, exports === module.exports];"}}
    assert map_docs("function (doc) { emit(require('views/lib/a/b').value, null); }", lib=lib) == [
        [["views/lib/a/b", "views/lib/a", True], None]
    ]


def test_module_exports_may_be_replaced(map_docs: Map) -> None:
    lib = {"f": "module.exports = function (x) { return x * 2; };"}
    assert map_docs("function (doc) { emit(require('views/lib/f')(4), null); }", lib=lib) == [[8, None]]


def test_relative_paths_start_at_the_module(map_docs: Map) -> None:
    lib = {
        "a": {"x": "exports.v = require('../b/y').v + require('./z').v;", "z": "exports.v = 1;"},
        "b": {"y": "exports.v = 10;"},
    }
    assert map_docs("function (doc) { emit(require('views/lib/a/x').v, null); }", lib=lib) == [[11, None]]


def test_in_a_circle_the_unfinished_module_is_empty(map_docs: Map) -> None:
    lib = {"a": "exports.early = 1; exports.b = require('./b');", "b": "exports.a = require('./a');"}
    assert map_docs("function (doc) { emit(require('views/lib/a').b.a, null); }", lib=lib) == [[{}, None]]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("lib/nope", 'Object has no property "nope". {"m":"exports.x = 1;","n":5,"bad":"exports."}'),
        ("lib", "Must require a JavaScript string, not: object"),
        ("lib/n", "Must require a JavaScript string, not: number"),
        ("./m", "Object has no parent undefined"),
    ],
)
def test_paths_that_lead_nowhere_are_errors_of_the_protocol(server: QueryServer, path: str, reason: str) -> None:
    functions = server.design_functions(
        {
            "_id": "_design/d",
            "lib": {"m": "exports.x = 1;", "n": 5, "bad": "exports."},
            "validate_doc_update": f"function () {{ require('{path}'); }}",
        }
    )
    with pytest.raises(CouchError) as caught:
        functions.validate_doc_update({}, None, {}, {})
    assert (caught.value.status, caught.value.error, caught.value.reason) == (500, "invalid_require_path", reason)


def test_a_module_that_does_not_compile_is_named(server: QueryServer) -> None:
    ddoc = {
        "_id": "_design/d",
        "lib": {"m": "exports. = 1;"},
        "validate_doc_update": "function () { require('lib/m'); }",
    }
    with pytest.raises(CouchError) as caught:
        server.design_functions(ddoc).validate_doc_update({}, None, {}, {})
    assert (caught.value.status, caught.value.error) == (500, "compilation_error")
    assert caught.value.reason.startswith("Module require('lib/m') raised error SyntaxError: ")


def test_reduce_functions_have_no_require(server: QueryServer) -> None:
    assert server.reducer("function () { return typeof require; }").reduce([[["k", "id"], 1]]) == "undefined"
