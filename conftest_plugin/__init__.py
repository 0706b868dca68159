"""A pytest plugin with a CouchDB for tests: ``couch``, ``couch_db``, ``couch_url`` and others, and ``couch_fixture``.

Loaded through the entry point ``couchfake`` (``-p no:couchfake`` turns it off). A run that uses none of the fixtures
imports neither the fake nor the client.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from conftest_plugin.fixtures import (
    _couch_backend,
    _couch_test,
    couch,
    couch_address,
    couch_admin,
    couch_conflict,
    couch_db,
    couch_gates,
    couch_name,
    couch_network,
    couch_tree,
    couch_url,
    couchfake,
    make_couch,
)
from conftest_plugin.hints import IN_PROCESS_HOST, IN_PROCESS_ONLY, scope_mismatch
from conftest_plugin.html_report import WORKER_OUTPUT as HTML_OUTPUT
from conftest_plugin.inspecting import serve_at_prompt, serve_until_interrupted
from conftest_plugin.outputs import check_outputs, write_outputs
from conftest_plugin.report import add_sections, explain_comparison, hide_client_frames
from conftest_plugin.run import run_if_started, run_of, start_run
from conftest_plugin.scopes import couch_fixture, couch_fixtures_of
from conftest_plugin.secrets import redact
from conftest_plugin.settings import (
    INSTALL_AS_COUCHDB,
    MARKER,
    MARKER_SETTINGS,
    add_options,
    ini_flag,
    marker_of,
    marker_settings,
    with_marker,
)
from conftest_plugin.trace import WORKER_OUTPUT
from conftest_plugin.unittest_cases import follow_case, prepare_case

__all__ = [
    "_couch_backend", "_couch_test", "couch", "couch_address", "couch_admin", "couch_conflict", "couch_db",
    "couch_fixture", "couch_gates", "couch_name", "couch_network", "couch_tree", "couch_url", "couchfake", "make_couch",
]  # fmt: skip

FIXTURES = frozenset(("couch", "couch_address", "couch_db", "couch_url", "couchfake", "make_couch"))


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Set the environment before a conftest.py imports an application that reads it, and the name that it imports."""
    if ini_flag(early_config, INSTALL_AS_COUCHDB):
        _install_as_couchdb()
    if early_config.getini("couch_env") or early_config.getini("couch_intercept"):
        start_run(early_config, early_config.known_args_namespace).begin()


def _install_as_couchdb() -> None:
    from couchdb_client import install_as_couchdb

    try:
        install_as_couchdb()
    except ImportError as error:
        raise pytest.UsageError(f"{INSTALL_AS_COUCHDB}: {error}") from None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}({'=..., '.join(MARKER_SETTINGS)}=...): the CouchDB that a test wants")
    start_run(config, config.option)


def pytest_report_header(config: pytest.Config) -> str | list[str]:
    return run_of(config).settings.header()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check the markers, and let each test that uses a server of a wider scope begin and end with its state."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is None:
            continue
        if "couch_address" in names and not FIXTURES & set(names) - {"couch_address"}:
            names.append("_couch_backend")  # there is to be a server behind the address
        if couch_fixtures_of(item):
            _begin_before_own_fixtures(item, names)
        if not hasattr(config, "workerinput"):  # xdist's workers cannot end the run: there the test fails
            given = marker_settings(item)
            if given:
                with_marker(run_of(config).settings, given, marker_of(item))


def _begin_before_own_fixtures(item: pytest.Item, names: list[str]) -> None:
    """Insert ``_couch_test`` behind the fixtures of wider scopes and before those of the test."""
    found: Any = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009  pytest has no public name for it
    place = next((n for n, name in enumerate(names) if name in found and found[name][-1].scope == "function"), None)
    names.insert(len(names) if place is None else place, "_couch_test")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Check the files to write. With xdist the controller also checks the real server, once for all workers."""
    config = session.config
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        check_outputs(config, run_of(config))
    if getattr(config.option, "numprocesses", None) and run_of(config).settings.inspect:
        raise pytest.UsageError("--couch-inspect serves from the process of the tests: run them without -n")
    if getattr(config.option, "numprocesses", None) and not config.option.collectonly:
        run_of(config).check_real_server()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Check the real server once, before the first test, if any test uses it."""
    config = session.config
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    if any(FIXTURES & set(getattr(i, "fixturenames", ())) or couch_fixtures_of(i) for i in session.items):
        run_of(config).check_real_server()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    run_of(item.config).before_test(item)
    prepare_case(item, run_of(item.config))
    try:
        result = yield
        follow_case(item, run_of(item.config))
        return result
    except pytest.UsageError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    except pytest.fail.Exception as failure:
        sentence = scope_mismatch(failure.msg or "", couch_fixtures_of(item))
        if sentence is None:
            raise
        raise pytest.fail.Exception(sentence, pytrace=False) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Check the gates right after the test, before its fixtures clean up."""
    yield
    run_of(item.config).check_gates()


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    return explain_comparison(op, left, right)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if not item.config.option.fulltrace:
        hide_client_frames(call)
    report = yield
    run = run_of(item.config)
    if report.failed and not run.settings.no_report and run.fakes:
        add_sections(report, item, run.named_fakes())
        ambiguity = run.ambiguity(item)
        if ambiguity:
            report.sections.append(("CouchDB servers", ambiguity))
    if report.failed and IN_PROCESS_HOST in str(call.excinfo and call.excinfo.value):
        report.sections.append(("CouchDB address", IN_PROCESS_ONLY))
    if report.failed or report.skipped:
        redact(report, run.settings.secrets)
    if report.failed and report.when != "teardown":  # by then the servers are gone or cleaned up
        run.keep_failure(report, at_prompt=bool(item.config.getoption("usepdb", False)))
    return report


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    run_of(item.config).after_test()


def pytest_sessionfinish(session: pytest.Session) -> None:
    run = run_of(session.config)
    run.finish()
    problems = write_outputs(session.config, run)
    if problems:
        run.notes += problems
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """With xdist the controller collects what its workers traced."""
    run = run_of(node.config)
    if run.trace is not None:
        run.trace.entries += getattr(node, "workeroutput", {}).get(WORKER_OUTPUT, [])
    if run.html is not None:
        run.html.failures += getattr(node, "workeroutput", {}).get(HTML_OUTPUT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in run_of(config).summary():
        terminalreporter.write_line(line)


def pytest_enter_pdb(config: pytest.Config) -> None:
    """Serve the inspector at the prompt of ``--pdb`` or ``breakpoint()``."""
    run = run_of(config)
    if run.settings.inspect:
        serve_at_prompt(config, run.backends, run.test_id)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Serve the inspectors of failed tests, once everything else is printed."""
    run = run_if_started(config)
    if run is not None and run.inspected:
        serve_until_interrupted(config, run.inspected)
