"""Scripts that change the world that they run in: only their own answers suffer, and no answer is taken on trust."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couchfake.errors import CouchError
from couchfake.query_server import QueryServer

Map = Callable[..., list[list[Any]]]


def outcome(call: Callable[[], Any]) -> Any:
    """Return a call's result, or the CouchError that it raised; any other exception is a failure."""
    try:
        return call()
    except CouchError as error:
        return error


POLLUTIONS = [
    "Object.prototype.toJSON = function () { return 5; };",
    "Array.prototype.toJSON = function () { return 'x'; };",
    "Function.prototype.call = function () { return 1; };",
    "Function.prototype.apply = function () { return '[1,[[[1,2]]]]'; };",
    "Array.prototype.join = function () { return '[['; };",
    "Array.prototype.push = null; Array.prototype.slice = null;",
    "JSON.stringify = function () { return ']'; };",
    "String.prototype.split = null; String = null;",
    "Object.prototype['0'] = 'x'; Object.prototype.error = 'x';",
    "Object.prototype.reason = 'y'; Object.prototype.error = 'x';",
]
SETTERS = "Object.defineProperty(Array.prototype, '0', {set: function () { throw new Error('setter'); }});"
FUNCTION = "(function (doc) { emit(doc._id, 1); })"


@pytest.mark.parametrize("pollution", POLLUTIONS)
def test_a_map_function_among_broken_built_ins_answers_or_fails_under_its_own_name(
    map_docs: Map, pollution: str
) -> None:
    result = outcome(lambda: map_docs(pollution + "\n" + FUNCTION))
    assert result in ([["a", 1]], []) or result.status == 500


def test_a_script_that_cannot_answer_is_an_error_that_names_the_function(map_docs: Map, engine_name: str) -> None:
    error = outcome(lambda: map_docs(SETTERS + "\n" + FUNCTION))
    assert error.status == 500
    assert engine_name == "js2py" or error.reason == "_design/d/_view/v: the answer cannot be read"


@pytest.mark.parametrize("pollution", POLLUTIONS)
@pytest.mark.parametrize("command", ["show", "validate", "filter", "list", "update"])
def test_design_functions_among_broken_built_ins_raise_only_couchdb_errors(
    server: QueryServer, pollution: str, command: str
) -> None:
    ddoc = {
        "_id": "_design/d",
        "shows": {"f": pollution + "(function () { return 'x'; })"},
        "lists": {"f": pollution + "(function () { send('x'); getRow(); })"},
        "updates": {"f": pollution + "(function () { return [null, 'x']; })"},
        "filters": {"f": pollution + "(function () { return true; })"},
        "validate_doc_update": pollution + "(function () {})",
    }
    functions = server.design_functions(ddoc)
    calls: dict[str, Callable[[], Any]] = {
        "show": lambda: functions.show("f", None, {"path": []}),
        "validate": lambda: functions.validate_doc_update({}, None, {}, {}),
        "filter": lambda: functions.filter_docs("f", [{}], {}),
        "list": lambda: functions.list("f", {}, {"path": []}, ['{"id":"a"}']),
        "update": lambda: functions.update("f", None, {"path": [], "method": "POST"}),
    }
    result = outcome(calls[command])
    assert not isinstance(result, CouchError) or result.status >= 400


@pytest.mark.parametrize(
    "thrown", ["{toString: null}", "{get name() { throw 1; }}", "{toString: function () { throw 2; }}"]
)
def test_a_thrown_value_that_cannot_be_described_is_an_error(server: QueryServer, thrown: str) -> None:
    functions = server.design_functions({"_id": "_design/d", "filters": {"f": f"function () {{ throw {thrown}; }}"}})
    with pytest.raises(CouchError) as caught:
        functions.filter_docs("f", [{}], {})
    assert caught.value.status == 500


def test_members_set_on_a_function_of_the_prelude_stay_in_their_database(server: QueryServer) -> None:
    functions = [("v", "function (doc) { var e = emit; e.seen = (e.seen || 0) + 1; emit(e.seen, null); }")]
    rows = []
    for database in ("one", "two"):
        session = server.compile_map(functions, ddoc_id="_design/d", database=database)
        rows.append(session.map_docs(["{}"]))
        server.release(session, functions, ddoc_id="_design/d", database=database)
    assert rows == [[([(1, None)],)]] * 2


def test_printing_by_the_engine_does_not_shift_answers(map_docs: Map) -> None:
    result = outcome(lambda: map_docs('function (doc) { var x = {}; delete x[")"]; emit(1, null); }'))
    assert not isinstance(result, CouchError) or result.status == 500
    assert map_docs("function (doc) { emit(doc._id, null); }") == [["a", None]]


def test_a_parameter_of_catch_is_not_a_template(map_docs: Map) -> None:
    source = "function (doc) { try { throw 1; } catch (BLOCK) { '\\n\\nimport os\\n'; emit(BLOCK, null); } }"
    assert map_docs(source) == [[1, None]]
