from __future__ import annotations

import gc
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from couchfake.query_server import ENGINE_NAMES, KNOWN_GAPS, EngineUnavailable, QueryServer, choose_engine
from couchfake.query_server.engines import ScriptTimeout
from couchfake.query_server.engines.quickjs import QuickJSEngine
from couchfake.query_server.engines.thread_pool import Strand, ThreadPool, Withdrawn
from couchfake.query_server.source import as_program


def test_quickjs_is_the_default_engine() -> None:
    server = QueryServer()
    assert server.engine_name == "quickjs"
    server.close()


def test_an_unknown_engine_is_refused_with_the_known_names() -> None:
    with pytest.raises(EngineUnavailable, match=r"'v8': choose one of quickjs, js2py"):
        choose_engine("v8")


@pytest.mark.parametrize(("name", "module"), [("quickjs", "_quickjs"), ("js2py", "js2py")])
def test_an_engine_that_is_not_installed_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == module else find_spec(wanted))
    with pytest.raises(EngineUnavailable, match=rf"'{name}' is not installed: pip install"):
        choose_engine(name)


def test_js2py_is_chosen_where_it_alone_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == "_quickjs" else object())
    assert choose_engine()().name == "js2py"


def test_gaps_are_listed_for_every_engine() -> None:
    assert set(KNOWN_GAPS) == set(ENGINE_NAMES)


def test_servers_share_nothing(engine_name: str) -> None:
    logs: list[list[str]] = [[], []]
    servers = [QueryServer(engine_name, log=lambda level, text, log=log: log.append(text)) for log in logs]  # type: ignore[misc]
    functions = [("v", "function (doc) { n = typeof n === 'undefined' ? 1 : n + 1; log('n ' + n); emit(n, null); }")]
    rows = [server.compile_map(functions).map_docs(["{}"]) for server in servers]
    for server in servers:
        server.close()
    assert rows == [[([(1, None)],)]] * 2
    assert logs == [["/_view/v: n 1"], ["/_view/v: n 1"]]


def test_a_server_that_was_closed_starts_again(engine_name: str) -> None:
    server = QueryServer(engine_name)
    source = "function () { n = typeof n === 'undefined' ? 1 : n + 1; return String(n); }"
    functions = server.design_functions({"_id": "_design/d", "shows": {"s": source}})
    assert [functions.show("s", None, {"path": []})["body"] for _ in range(2)] == ["1", "2"]
    server.close()
    assert functions.show("s", None, {"path": []})["body"] == "1"
    server.close()


def test_closing_ends_threads_and_processes(engine_name: str) -> None:
    before = set(threading.enumerate())
    server = QueryServer(engine_name)
    server.try_compile("function () {}")
    process = getattr(server._engine, "_process", None)
    server.close()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("couchfake")]
    assert process is None or process.poll() is not None


_STARTED = """
import sys, threading
from couchfake.query_server import QueryServer
processes = []
sys.addaudithook(lambda event, arguments: processes.append(arguments) if event == "subprocess.Popen" else None)
before = threading.active_count()
QueryServer(sys.argv[1])
print(threading.active_count() - before, len(processes))
"""


def test_nothing_is_started_before_it_is_needed(engine_name: str) -> None:
    command = [sys.executable, "-c", _STARTED, engine_name]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["0", "0"]


def test_many_threads_may_use_a_server_at_once(server: QueryServer) -> None:
    functions = server.design_functions(
        {"_id": "_design/d", "filters": {"f": "function (doc, req) { return doc.n === req.query.n; }"}}
    )
    results: list[Any] = []

    def work(number: int) -> None:
        for _ in range(5):
            passed = functions.filter_docs("f", [{"n": n} for n in range(8)], {"query": {"n": number}})
            results.append(passed == [n == number for n in range(8)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 40


def test_a_pool_returns_results_and_errors_from_its_threads() -> None:
    strand = Strand(ThreadPool("test"))
    assert strand.submit(lambda: 5).wait(10) == 5
    with pytest.raises(ZeroDivisionError):
        strand.submit(lambda: 1 // 0).wait(10)
    assert strand.submit(threading.get_ident).wait(10) != threading.get_ident()


def test_tasks_of_a_strand_run_in_order_and_those_of_others_beside_them() -> None:
    pool = ThreadPool("test")
    gate, order = threading.Event(), []
    slow, quick = Strand(pool), Strand(pool)
    first = slow.submit(gate.wait)
    second = slow.submit(lambda: order.append("second"))
    quick.submit(lambda: order.append("quick")).wait(10)
    gate.set()
    first.wait(10)
    second.wait(10)
    assert order == ["quick", "second"]
    pool.close()


def test_scripts_that_are_called_together_take_turns_on_one_thread() -> None:
    engine = QuickJSEngine()
    looping, apart = engine.new_script(), engine.new_script()
    beside = engine.new_script(beside=looping)
    for script, body in ((looping, "for (;;) {}"), (beside, "emit(1, 2);"), (apart, "emit(3, 4);")):
        source = f"function (doc) {{ {body} }}"
        script.call(10, "", "add_map", source, as_program(source), "null", "")
    mapping = ("views", "map_docs", '[{"_id":"a"}]', "0", "250", "")
    endless, waits = looping.submit(0.2, *mapping), beside.submit(10, *mapping)
    assert engine.pool.running() == 1
    assert json.loads(apart.call(10, *mapping)) == [[], [1, [[3, 4]]]]  # another thread runs it meanwhile
    with pytest.raises(ScriptTimeout):
        endless()
    assert json.loads(waits()) == [[], [1, [[1, 2]]]]
    engine.close()


def test_a_task_behind_another_one_can_be_taken_back() -> None:
    pool = ThreadPool("test")
    gate, started, order = threading.Event(), threading.Event(), []
    strand = Strand(pool)

    def work() -> None:
        started.set()
        gate.wait()

    first = strand.submit(work)
    second = strand.submit(lambda: order.append("second"))
    third = strand.submit(lambda: order.append("third"))
    started.wait(10)
    with pytest.raises(Withdrawn):
        second.wait(10, busy_timeout=0)
    gate.set()
    first.wait(10)
    third.wait(10)
    assert order == ["third"]
    pool.close()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="there is nothing to wait for a grandchild with")
@pytest.mark.parametrize("body", ["for (;;) {}", "/(a|a)*$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab');"])
def test_the_js2py_process_ends_with_its_parent(engine_name: str, body: str) -> None:
    if engine_name != "js2py":
        pytest.skip("the other engine has no process of its own")
    program = f"""if True:
        import threading
        from couchfake.config import Config
        from couchfake.query_server import QueryServer
        config = Config()
        config.set("couchdb", "os_process_timeout", "3000", persist=False)
        server = QueryServer("js2py", config=config)
        server.try_compile("function () {{}}")
        ddoc = {{"_id": "_design/d", "shows": {{"s": {("function () { " + body + " }")!r}}}}}
        functions = server.design_functions(ddoc)
        threading.Thread(target=functions.show, args=("s", None, {{"path": []}}), daemon=True).start()
        print(server._engine._process.pid, flush=True)
        input()
    """
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        process = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended, _, _ = select.select([process], [], [], 30)
    os.close(process)
    assert ended


def test_the_threads_of_a_pool_end_with_it() -> None:
    pool = ThreadPool("test")
    thread = Strand(pool).submit(threading.current_thread).wait(10)
    del pool
    gc.collect()
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # newer Pythons warn of a fork beside threads
def test_a_child_process_starts_an_engine_of_its_own(engine_name: str) -> None:
    server = QueryServer(engine_name)
    functions = [("v", "function (doc) { emit(doc._id, null); }")]
    session = server.compile_map(functions)
    expected = [([("a", None)],)]
    assert session.map_docs(['{"_id":"a"}']) == expected
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        ended = 1
        try:
            ended = 0 if session.map_docs(['{"_id":"a"}']) == expected else 2
        finally:
            server.close()
            os._exit(ended)
    assert os.waitpid(child, 0)[1] == 0
    assert session.map_docs(['{"_id":"a"}']) == expected
    server.close()
