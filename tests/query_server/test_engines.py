from __future__ import annotations

import gc
import importlib.util
import sys
import threading
from typing import Any

import pytest

from couchfake.query_server import ENGINE_NAMES, KNOWN_GAPS, EngineUnavailable, QueryServer, choose_engine
from couchfake.query_server.engines.owner_thread import OwnerThread


def test_quickjs_is_the_engine_where_none_is_named() -> None:
    server = QueryServer()
    assert server.engine_name == "quickjs"
    server.close()


def test_an_unknown_engine_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(EngineUnavailable, match=r"'v8': choose one of quickjs, js2py"):
        choose_engine("v8")


@pytest.mark.parametrize(("name", "module"), [("quickjs", "_quickjs"), ("js2py", "js2py")])
def test_an_engine_that_is_not_installed_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == module else find_spec(wanted))
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    with pytest.raises(EngineUnavailable, match=rf"'{name}' is not installed: pip install"):
        choose_engine(name)


def test_js2py_is_chosen_where_it_alone_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == "_quickjs" else object())
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert choose_engine()().name == "js2py"


def test_js2py_says_that_it_needs_an_older_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    with pytest.raises(EngineUnavailable, match=r"does not run on Python 3\.12"):
        choose_engine("js2py")


def test_gaps_are_told_for_every_engine() -> None:
    assert set(KNOWN_GAPS) == set(ENGINE_NAMES)


def test_servers_share_nothing(engine_name: str) -> None:
    logs: list[list[str]] = [[], []]
    servers = [QueryServer(engine_name, log=lambda level, text, log=log: log.append(text)) for log in logs]  # type: ignore[misc]
    functions = [("v", "function (doc) { n = typeof n === 'undefined' ? 1 : n + 1; log('n ' + n); emit(n, null); }")]
    rows = [server.compile_map(functions).map_docs(["{}"]) for server in servers]
    for server in servers:
        server.close()
    assert rows == [[([[1, None]],)]] * 2
    assert logs == [["/_view/v: n 1"], ["/_view/v: n 1"]]


def test_a_closed_server_runs_nothing_any_more() -> None:
    server = QueryServer("quickjs")
    server.try_compile("function () {}")
    server.close()
    with pytest.raises(RuntimeError):
        server.try_compile("function () {}")
    server.close()


def test_nothing_is_started_before_it_is_needed(engine_name: str) -> None:
    before = threading.active_count()
    server = QueryServer(engine_name)
    assert threading.active_count() == before
    server.close()


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


def test_an_owner_thread_hands_back_results_and_errors() -> None:
    owner = OwnerThread("test")
    assert owner.run(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        owner.run(lambda: 1 // 0)
    assert owner.run(threading.get_ident) != threading.get_ident()
    owner.close()


def test_an_owner_thread_ends_with_the_last_who_holds_it() -> None:
    owner = OwnerThread("test")
    thread = owner.run(threading.current_thread)
    del owner
    gc.collect()
    thread.join(timeout=10)
    assert not thread.is_alive()
