"""A script reaches neither Python nor the machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from couchfake.errors import CouchError
from couchfake.query_server import QueryServer

Map = Callable[..., list[list[Any]]]

# The published escape of CVE-2024-28397, in ES5, with a command that leaves a trace.
ESCAPE = """function (doc) {
    var hacked = Object.getOwnPropertyNames({});
    var bymarve = hacked.__getattribute__;
    var n11 = bymarve('__getattribute__');
    var obj = n11('__class__').__base__;
    var getattr = obj.__getattribute__;
    function findpopen(o) {
        var result;
        for (var i in o.__subclasses__()) {
            var item = o.__subclasses__()[i];
            if (item.__module__ == 'subprocess' && item.__name__ == 'Popen') { return item; }
            if (item.__name__ != 'type' && (result = findpopen(item))) { return result; }
        }
    }
    emit(findpopen(obj)(doc.command, -1, null, -1, -1, -1, null, null, true).communicate(), null);
}"""


def test_the_published_escape_from_js2py_is_closed(map_docs: Map, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = f'{sys.executable} -c "open({str(trace)!r}, chr(119)).close()"'
    assert map_docs(ESCAPE, json.dumps({"_id": "a", "command": command})) == []
    assert not trace.exists()


@pytest.mark.parametrize(
    "expression",
    [
        "Object.getOwnPropertyNames({a: 1}).__class__",
        "Object.getOwnPropertyNames({a: 1}).keys",
        "(function () {}).__code__",
        "(function () {}).code",
        "emit.__globals__",
        "''.__class__",
        "[].__class__",
        "({}).__class__",
        "JSON.parse.__code__",
        "new Date().__class__",
        "/a/.__class__",
        "Object.keys({}).__class__",
    ],
)
def test_scripts_do_not_reach_python(map_docs: Map, expression: str) -> None:
    [[key, _]] = map_docs(f"function (doc) {{ emit(typeof {expression}, null); }}")
    assert key in ("undefined", "function" if expression.endswith(".keys") else "undefined")


@pytest.mark.parametrize("source", ["pyimport os; function (doc) {}", "import os from 'os'; function (doc) {}"])
def test_modules_of_the_machine_cannot_be_imported(server: QueryServer, source: str) -> None:
    with pytest.raises(CouchError, match="compilation_error"):
        server.try_compile(source)


def test_the_names_of_host_programs_are_unknown(map_docs: Map) -> None:
    names = ["process", "require('fs')", "std", "os", "Java", "importScripts", "WScript", "load", "__import__"]
    source = (
        "function (doc) { "
        + "".join(f"try {{ {name}; emit({index}); }} catch (e) {{}} " for index, name in enumerate(names))
        + "}"
    )
    assert map_docs(source) == []


def test_member_names_of_objects_are_a_plain_array(map_docs: Map) -> None:
    source = (
        "function (doc) { var names = Object.getOwnPropertyNames({b: 1, a: 2}); emit([isArray(names), names], null); }"
    )
    assert map_docs(source) == [[[True, ["b", "a"]], None]]
