from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from couchfake.config import Config
from couchfake.errors import CouchError, Forbidden
from couchfake.query_server import QueryServer, answers
from couchfake.query_server.engines import quickjs
from couchfake.query_server.engines.quickjs import quickjs_prelude

Map = Callable[..., list[list[Any]]]

ENDLESS = [
    ("for (;;) {}", "300", "OS process timed out."),
    ("try { for (;;) {} } catch (e) {} finally { emit('caught', null); }", "300", "OS process timed out."),
    ("/(a+)+b/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');", "300", "OS process timed out."),
    ("(function f() { f(); })();", "20000", "{exit_status,139}"),
]


@pytest.fixture
def short(settings: dict[tuple[str, str], str]) -> None:
    settings["couchdb", "os_process_timeout"] = "300"


@pytest.mark.parametrize(("body", "time", "reason"), ENDLESS)
def test_a_function_without_end_is_ended_and_the_next_request_works(
    map_docs: Map, settings: dict[tuple[str, str], str], log: Any, body: str, time: str, reason: str
) -> None:
    settings["couchdb", "os_process_timeout"] = time
    with pytest.raises(CouchError) as caught:
        map_docs(f"function (doc) {{ {body} }}")
    assert (caught.value.status, caught.value.error, caught.value.reason) == (500, "os_process_error", reason)
    assert log.texts("error") == [f"_design/d/_view/v: {reason}"]
    settings.clear()
    assert map_docs("function (doc) { emit(doc._id, null); }") == [["a", None]]


def test_a_memory_bomb_is_ended_and_the_next_request_works(map_docs: Map) -> None:
    with pytest.raises(CouchError) as caught:
        map_docs("function (doc) { var text = 'xxxxxxxxxxxxxxxx'; for (;;) { text += text; } }")
    assert caught.value.status == 500
    assert caught.value.error in ("InternalError", "os_process_error")
    assert map_docs("function (doc) { emit(doc._id, null); }") == [["a", None]]


@pytest.mark.usefixtures("short")
def test_source_that_does_not_end_when_it_is_compiled_is_refused(
    server: QueryServer, settings: dict[tuple[str, str], str]
) -> None:
    with pytest.raises(CouchError, match="os_process_error"):
        server.try_compile("for (;;) {} function (doc) {}")
    settings.clear()
    server.try_compile("function (doc) {}")


def test_each_document_has_its_own_time(server: QueryServer, settings: dict[tuple[str, str], str]) -> None:
    settings["couchdb", "os_process_timeout"] = "1000"
    session = server.compile_map(
        [("v", "function (doc) { var end = Date.now() + 130; while (Date.now() < end) {} emit(1); }")]
    )
    rows = session.map_docs(["{}"] * 10)
    session.close()
    assert len(rows) == 10 and all(of_doc == ([(1, None)],) for of_doc in rows)


@pytest.mark.usefixtures("short")
def test_other_functions_go_on_when_one_is_ended(server: QueryServer, settings: dict[tuple[str, str], str]) -> None:
    kept = server.compile_map([("v", "function (doc) { emit(doc._id, null); }")])
    reducer = server.reducer("function (keys, values) { return sum(values); }")
    assert reducer.reduce([[["k", "id"], 1]]) == 1
    ending = server.design_functions({"_id": "_design/d", "validate_doc_update": "function () { for (;;) {} }"})
    for _ in range(2):
        with pytest.raises(CouchError, match="os_process_error"):
            ending.validate_doc_update({}, None, {}, {})
    settings.clear()
    assert kept.map_docs(['{"_id":"a"}']) == [([("a", None)],)]
    assert reducer.reduce([[["k", "id"], 2]]) == 2
    kept.close()


def test_deep_recursion_is_possible(map_docs: Map) -> None:
    source = "function (doc) { function depth(n) { return n ? 1 + depth(n - 1) : 0; } emit(depth(1500), null); }"
    assert map_docs(source) == [[1500, None]]


HUGE = "var a = []; a.length = 4294967295;"
NATIVES = [
    HUGE + "a.join('x');",
    HUGE + "a.indexOf(1);",
    HUGE + "a.sort();",
    HUGE + "a.fill(0);",
    HUGE + "a.reverse();",
    HUGE + "String(a);",
    HUGE + "JSON.stringify(a);",
    HUGE + "emit(a, null);",
    "'x'.repeat(1e9);",
    "'x'.padStart(1e9, 'ab');",
    "var s = 'a'.repeat(1e6); s.indexOf('a'.repeat(5e5) + 'b');",
    "/(a|a)*$/.test('a'.repeat(40) + 'b');",
    "String.raw({raw: {length: 4e9}});",
    "(2n ** (10n ** 6n)).toString();",
    "new Set({[Symbol.iterator]: function () { return {next: function () { return {value: 1}; }}; }});",
    "'x'.repeat(1e5).replace(/x/g, '$`');",
    "eval('['.repeat(1e5) + ']'.repeat(1e5));",
    "for (var f = function () {}, i = 0; i < 1e6; i++) f = f.bind(); f();",
]


@pytest.mark.parametrize("body", NATIVES)
def test_native_calls_that_cannot_be_interrupted_do_not_block_the_next_request(
    map_docs: Map, settings: dict[tuple[str, str], str], engine_name: str, body: str
) -> None:
    if engine_name == "js2py":
        pytest.skip("its process is killed, whatever it does")
    settings["couchdb", "os_process_timeout"] = "300"
    with contextlib.suppress(CouchError):
        assert map_docs(f"function (doc) {{ {body} }}") == []
    settings.clear()
    assert map_docs("function (doc) { emit(doc._id, null); }") == [["a", None]]


def test_a_running_script_does_not_block_others(engine_name: str) -> None:
    if engine_name == "js2py":
        pytest.skip("js2py runs one call at a time")
    server = QueryServer(engine_name)
    slow = server.compile_map(
        [("slow", "function (doc) { var end = Date.now() + doc.ms; while (Date.now() < end) {} }")]
    )
    waiting = slow._submit(['{"ms": 3000}'])
    quick = server.compile_map([("quick", "function (doc) { emit(1, null); }")])
    assert quick.map_docs(["{}"]) == [([(1, None)],)]
    assert not slow._functions[0]._place.script._strand.idle  # type: ignore[union-attr]  # it still runs
    server.close()
    with pytest.raises(CouchError):
        waiting()


def test_a_call_does_not_wait_for_another_call_of_the_same_function_that_takes_long(engine_name: str) -> None:
    if engine_name == "js2py":
        pytest.skip("js2py runs one call at a time")
    server = QueryServer(engine_name)
    source = "function (doc) { for (; doc.endless; ) Date.now(); if (doc.refused) throw {forbidden: 'no'}; }"
    functions = server.design_functions({"_id": "_design/d", "validate_doc_update": source})
    functions.validate_doc_update({}, None, {}, {})
    slow = functions._compiled(("validate_doc_update",))
    script: Any = slow._place.script
    waiting = slow.submit("render", "validate", '[{"endless":true},null,{},{}]', read=answers.anything)
    functions.validate_doc_update({}, None, {}, {})
    with pytest.raises(Forbidden):
        functions.validate_doc_update({"refused": True}, None, {}, {})
    assert not script._strand.idle  # the first call still runs
    server.close()
    with pytest.raises(CouchError):
        waiting()


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    "body", ["for (;;) {}", "for (;;) { try { for (;;) [{}]; } catch (e) {} finally { continue; } }"]
)
def test_an_abandoned_loop_ends(engine_name: str, config: Config, body: str) -> None:
    server = QueryServer(engine_name, config=config)
    functions = server.design_functions({"_id": "_design/d", "validate_doc_update": f"function () {{ {body} }}"})
    others = set(threading.enumerate())
    with pytest.raises(CouchError, match="timed out"):
        functions.validate_doc_update({}, None, {}, {})
    server.close()
    for thread in set(threading.enumerate()) - others:
        thread.join(timeout=60)
        assert not thread.is_alive()


def test_memory_of_all_scripts_is_bounded(monkeypatch: pytest.MonkeyPatch, engine_name: str) -> None:
    if engine_name == "js2py":
        pytest.skip("the operating system bounds its process")
    monkeypatch.setattr("couchfake.query_server.server.MEMORY_OF_ALL", 64 * 1024 * 1024)
    server = QueryServer(engine_name)
    source = "function () { kept = []; for (var i = 0; i < 2e6; i++) kept.push(i); return 'x'; }"
    for number in range(8):
        server.design_functions({"_id": f"_design/{number}", "shows": {"s": source}}).show("s", None, {"path": []})
    server.try_compile("function () {}")
    server.design_functions({"_id": "_design/x", "shows": {"s": "function () { return 'x'; }"}}).show(
        "s", None, {"path": []}
    )
    assert server._engine.memory() <= 64 * 1024 * 1024
    server.close()


def test_reloading_drops_what_functions_keep(server: QueryServer) -> None:
    source = "function () { n = typeof n === 'undefined' ? 1 : n + 1; return String(n); }"
    functions = server.design_functions({"_id": "_design/d", "shows": {"s": source}})
    assert [functions.show("s", None, {"path": []})["body"] for _ in range(2)] == ["1", "2"]
    server.reload()
    assert functions.show("s", None, {"path": []})["body"] == "1"


def test_a_database_that_is_deleted_takes_its_scripts_along(engine_name: str) -> None:
    server = QueryServer(engine_name)
    source = "function () { n = typeof n === 'undefined' ? 1 : n + 1; return String(n); }"
    ddoc = {"_id": "_design/d", "shows": {"s": source}}

    def shown(database: str) -> Any:
        return server.design_functions(ddoc, database=database).show("s", None, {"path": []})["body"]

    assert [shown("gone"), shown("gone"), shown("kept")] == ["1", "2", "1"]
    server.forget("gone")
    assert [shown("gone"), shown("kept")] == ["1", "2"]
    server.close()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be stopped here")
def test_a_process_that_hangs_is_ended_when_its_time_is_up(engine_name: str) -> None:
    if engine_name == "quickjs":
        pytest.skip("it runs on threads of this process, and no script can wait")
    config = Config()
    server = QueryServer(engine_name, config=config)
    session = server.compile_map([("v", "function (doc) { emit(doc.n, null); }")])
    os.kill(server._engine._process.pid, signal.SIGSTOP)  # type: ignore[attr-defined]
    config.set("couchdb", "os_process_timeout", "300", persist=False)
    with pytest.raises(CouchError, match="timed out"):
        session.map_docs(['{"n":1}'])
    config.reload()
    assert session.map_docs(['{"n":1}']) == [([(1, None)],)]
    server.close()


WAITING = [
    "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
    "std.popen('sleep 100', 'r');",
    "os.sleep(100000);",
    "import('std').then(function (std) { std.popen('sleep 100', 'r'); });",
    "setTimeout(function () {}, 100000);",
    "(async function () { await new Promise(function () {}); })();",
]


@pytest.mark.parametrize("body", WAITING)
def test_no_script_can_wait_without_using_the_processor(map_docs: Map, engine_name: str, body: str) -> None:
    if engine_name == "js2py":
        pytest.skip("its process is killed by the clock on the wall")
    assert map_docs(f"function (doc) {{ {body} emit(doc._id, null); }}") in ([], [["a", None]])
    for name in ("Atomics", "SharedArrayBuffer", "std", "os", "setTimeout", "Worker", "Promise", "queueMicrotask"):
        assert map_docs(f"function (doc) {{ emit(typeof {name}, null); }}") == [["undefined", None]]


FILLING = [
    "var list = []; for (;;) list.push({});",
    "var last = null; for (;;) last = {n: last};",
    "kept = {}; for (var i = 0; ; i++) kept['k' + i] = i;",
    "var list = []; for (;;) list.push('x'.repeat(1000) + list.length);",
    "var texts = Object.keys('x'.repeat(1e7));",
]


class SmallContexts(quickjs.Spares):
    """Contexts of 16 MB, which are soon full."""

    def __init__(self, *, utc: bool) -> None:
        super().__init__(quickjs_prelude(utc=utc))

    def _make(self) -> tuple[Any, Any]:
        context, dispatch = super()._make()
        context.set_memory_limit(16 * 1024 * 1024)
        return context, dispatch


@pytest.mark.parametrize("body", FILLING)
def test_a_function_that_takes_all_memory_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch, engine_name: str, body: str
) -> None:
    if engine_name == "js2py":
        pytest.skip("the operating system limits its process, which takes minutes to fill")
    monkeypatch.setattr(quickjs, "spares", SmallContexts)
    server = QueryServer(engine_name)
    source = f"function () {{ {body} }}"
    places = {"validate_doc_update": source, "lists": {"l": source}, "shows": {"s": source}}
    functions = server.design_functions({"_id": "_design/d", **places})
    calls: list[Callable[[], Any]] = [
        lambda: server.compile_map([("v", source)]).map_docs(["{}"]),
        lambda: functions.validate_doc_update({}, None, {}, {}),
        lambda: functions.show("s", {}, {"path": []}),
        lambda: functions.list("l", {}, {"path": []}, []),
    ]
    for call in calls:
        with pytest.raises(CouchError) as caught:
            call()
        assert (caught.value.error, caught.value.reason) == ("InternalError", "out of memory")
    server.close()


def test_throwing_null_does_not_count_as_running_out_of_memory(map_docs: Map) -> None:
    with pytest.raises(CouchError) as caught:
        map_docs("function (doc) { var list = []; for (var i = 0; i < 100; i++) list.push({}); throw null; }")
    assert (caught.value.error, caught.value.reason) == ("TypeError", "{[]}")
