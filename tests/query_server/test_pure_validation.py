"""Validation functions that share a script: they see nothing of each other."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from couchfake.errors import CouchError, Forbidden
from couchfake.query_server import QueryServer
from couchfake.query_server.compiled import PureFunction
from couchfake.query_server.design_functions import DesignFunctions

KEEPING = [
    "var make = [].map['constr' + 'uctor']; make('kept = 1')();",
    "var make = [].map['constr' + 'uctor']; make('Array.proto' + 'type.kept = 1')();",
    "var make = [].map['constr' + 'uctor']; make('Object.defineProperty(th' + 'is, \"kept\", {value: 1})')();",
    "var make = [].map['constr' + 'uctor']; make('(0, ev' + 'al)(\"var kept = 1\")')();",
    "var make = [].map['constr' + 'uctor']; make('isArray.kept = 1')();",
    "var make = [].map['constr' + 'uctor']; make('var e; try { JSON.parse(\"{\") } catch (f) { e = f }'"
    " + 'e.__proto' + '__.kept = 1; e.__proto' + '__.__proto' + '__.kept = 1')();",
    "var make = [].map['constr' + 'uctor']; make('Object.setPrototypeOf(Array.proto' + 'type, {kept: 1})')();",
    "var make = [].map['constr' + 'uctor']; make('(function* () {})().__proto' + '__.__proto' + '__.kept = 1')();",
    "var make = [].map['constr' + 'uctor']; make('new Map().entries().__proto' + '__.kept = 1')();",
    "var make = [].map['constr' + 'uctor']; make('doc', 'doc.__proto' + '__.kept = 1')(doc);",
    "var make = [].map['constr' + 'uctor']; make('doc', 'doc.list.__proto' + '__.kept = 1')(doc);",
]
FINDING = (
    "var make = [].map['constr' + 'uctor'];"
    "var found = make('doc', 'var e; try { JSON.parse(\"{\") } catch (f) { e = f }"
    " var places = [doc, doc.list, [], {}, isArray, e, (function* () {})(), new Map().entries(), function () {}];"
    ' return typeof kept + places.map(function (place) { return typeof place.kept; }).join("")\')(doc);'
    "if (found.replace(/undefined/g, '')) throw {forbidden: 'found'};"
)
DOC = {"_id": "a", "list": []}


def functions(server: QueryServer, name: str, body: str) -> DesignFunctions:
    source = f"function (doc, old) {{ {body} }}"
    return server.design_functions({"_id": f"_design/{name}", "validate_doc_update": source})


def compiled(each: DesignFunctions) -> Any:
    return each._compiled(("validate_doc_update",))


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch, engine_name: str) -> QueryServer:
    if engine_name == "js2py":
        pytest.skip("on js2py each function has a script of its own")
    monkeypatch.setattr("couchfake.query_server.server.OWN_SCRIPTS", 0)
    return QueryServer(engine_name)


@pytest.mark.parametrize("body", KEEPING)
def test_what_a_function_tries_to_keep_is_not_found_by_another_one(sharing: QueryServer, body: str) -> None:
    keeping, finding = functions(sharing, "keeping", body), functions(sharing, "finding", FINDING)
    assert isinstance(compiled(keeping), PureFunction) and isinstance(compiled(finding), PureFunction)
    finding.validate_doc_update(DOC, None, {}, {})
    with contextlib.suppress(CouchError):  # in strict mode, changing what is frozen is an error
        keeping.validate_doc_update(DOC, None, {}, {})
    finding.validate_doc_update(DOC, None, {}, {})
    sharing.close()


def test_functions_that_share_a_script_give_their_own_verdicts(sharing: QueryServer) -> None:
    body = "log('n is ' + doc.n); if (doc.n === {n}) throw {{forbidden: 'not {n}'}};"
    every = [functions(sharing, str(n), body.format(n=n)) for n in range(5)]
    for n, each in enumerate(every):
        each.validate_doc_update({"n": 7}, None, {}, {})
        with pytest.raises(Forbidden, match=f"not {n}"):
            each.validate_doc_update({"n": n}, None, {}, {})
    assert len({id(compiled(each)._place.script) for each in every}) == 1
    sharing.close()


def test_a_function_that_fails_or_does_not_compile_leaves_the_others_alone(sharing: QueryServer) -> None:
    good = functions(sharing, "good", "if (doc.bad) throw {forbidden: 'bad'};")
    failing = functions(sharing, "failing", "doc.nothing.at.all;")
    broken = functions(sharing, "broken", "var 1x;")
    for bad, error in ((failing, "TypeError"), (broken, "compilation_error")):
        with pytest.raises(CouchError, match=error):
            bad.validate_doc_update({}, None, {}, {})
        good.validate_doc_update({}, None, {}, {})
    with pytest.raises(Forbidden):
        good.validate_doc_update({"bad": True}, None, {}, {})
    sharing.close()


def test_a_function_that_uses_more_than_its_arguments_has_a_script_of_its_own(sharing: QueryServer) -> None:
    for body in (
        "seen = 1;",
        "doc.x = 1;",
        "require('a');",
        "log(this._id);",
        "emit.seen = 1;",
        "registerType('a', 'b');",
    ):
        assert not isinstance(compiled(functions(sharing, "own", body)), PureFunction)
    sharing.close()


def test_a_few_design_documents_have_scripts_of_their_own(engine_name: str) -> None:
    server = QueryServer(engine_name)
    assert not isinstance(compiled(functions(server, "one", "if (doc.x) throw {forbidden: 'x'};")), PureFunction)
    server.close()
