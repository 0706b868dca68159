"""``--couch-inspect`` and ``--couch-html``: what the servers of failed tests contain."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from conftest_plugin import inspecting
from conftest_plugin.inspecting import Inspected, copy_of, serve_at_prompt, serve_until_interrupted
from couchfake import CouchFake

from .conftest import PLUGIN, ROOT, Run

MARKUP = "<script>alert(1)</script>"
TESTS = f"""
    import pytest
    import couchdb_client

    from conftest_plugin import couch_fixture

    shop = couch_fixture(scope="session", database="shop")

    def test_passes(couch_db):
        couch_db["passed"] = {{}}

    def test_fails(couch, couchfake):
        db = couch.create("teas")
        couchfake.conflict("teas", "{MARKUP}", {{"n": 1}}, {{"n": "{MARKUP}"}})
        "missing" in db
        assert "reason" == 1

    def test_fails_on_a_shared_server(shop):
        shop["tea"] = {{"price": 3}}
        assert False

    @pytest.mark.couch(admins={{"adm": "pass"}})
    def test_fails_with_admins(couch_db):
        couch_db["coffee"] = {{}}
        assert False
"""
Start = Callable[..., "subprocess.Popen[str]"]


# Where this suite itself runs in the background of a shell, SIGINT is ignored, and new processes would ignore it too.
INTERRUPTIBLE = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.fixture
def start(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    started: list[subprocess.Popen[str]] = []

    def starts(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", INTERRUPTIBLE, *PLUGIN, "-p", "no:cacheprovider", *arguments]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=pytester.path))
        return started[-1]

    yield starts
    for each in started:
        each.kill()
        each.communicate()


def pages(process: subprocess.Popen[str], end: str) -> dict[str, str]:
    """Read the output up to a text, and return the inspectors that it names."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    for line in process.stdout:
        match = re.search(r"couchfake: (\S+): (http://[^/]+/)_couchfake/", line)
        if match:
            found[match[1]] = match[2]
        if end in line:
            break
    return found


def get(url: str, path: str) -> Any:
    return requests.get(url + path, timeout=10).json()


def test_the_servers_of_failed_tests_are_served_when_the_run_ends(pytester: pytest.Pytester, start: Start) -> None:
    pytester.makepyfile(test_it=TESTS)
    process = start("--couch-inspect")
    found = pages(process, "serving until Ctrl-C")
    assert list(found) == [f"test_it.py::test_fails{end}" for end in ("", "_on_a_shared_server", "_with_admins")]
    first, shared, admins = found.values()
    server = get(first, "_couchfake/server")
    assert server["name"] == "test_it.py::test_fails"
    assert [each["url"] for each in server["others"]] == list(found.values())
    assert get(first, "_couchfake/conflicts/teas") == {"total": 1, "ids": [MARKUP]}
    logged = get(first, "_couchfake/requests")["requests"]
    assert logged[-1]["url"].startswith("/teas/missing")
    assert {each["test"] for each in logged} == {"test_it.py::test_fails"}
    assert get(shared, "shop/tea")["price"] == 3
    assert len(get(admins, "_all_dbs")) == 3
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 1


def test_a_copy_has_what_the_server_had() -> None:
    with CouchFake(admins={"adm": "pass"}, config={"chttpd": {"require_valid_user": "true"}}) as fake:
        fake.ask("PUT", "/shop")
        fake.ask("PUT", "/shop/_security", {"members": {"names": ["jan"], "roles": []}})
        fake.conflict("shop", "tea", {"n": 1}, {"n": 2})
        fake.ask("PUT", "/shop/_design/d", {"validate_doc_update": "function () { throw {forbidden: 'no'}; }"})
        fake.ask("PUT", "/_replicator/backup", {"source": "http://couchfake.invalid/none", "target": "x"})
        fake.ask("PUT", "/_node/_local/_config/couchdb/max_document_size", "5")
        copied = copy_of(fake)
        assert str(copied.revision_tree("shop", "tea")) == str(fake.revision_tree("shop", "tea"))
        assert copied.ask("GET", "/shop/_security")["members"]["names"] == ["jan"]
        assert copied.ask("GET", "/_node/_local/_config/couchdb/max_document_size") == "5"
        assert copied.session().get(copied.session_url + "_all_dbs").status_code == 200
        assert copied.ask("GET", "/_replicator")["doc_count"] == 0
        copied.close()


def test_a_run_without_failures_ends(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_passes(couch_db): couch_db['x'] = {}")
    run("--couch-inspect").assert_outcomes(passed=1)


def test_the_running_server_is_served_at_the_prompt(pytester: pytest.Pytester, start: Start) -> None:
    pytester.makepyfile(test_it="def test_fails(couch_db):\n    couch_db['tea'] = {}\n    assert False\n")
    process = start("--couch-inspect", "--pdb")
    assert process.stdin is not None
    found = pages(process, "_couchfake/")
    url = found["test_it.py::test_fails"]
    (name,) = (each for each in get(url, "_all_dbs") if not each.startswith("_"))
    assert get(url, f"{name}/tea")["_id"] == "tea"
    process.stdin.write("q\n")
    process.stdin.flush()
    assert process.wait(60) == 2  # quitting the debugger interrupts the run


class Reporter:
    """What a run writes to the terminal."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write_line(self, line: str) -> None:
        self.lines.append(line)

    def flush(self) -> None:
        pass


def configured(reporter: Reporter | None) -> Any:
    manager = pytest.PytestPluginManager()
    if reporter is not None:
        manager.register(reporter, "terminalreporter")
    return SimpleNamespace(pluginmanager=manager)


def test_the_login_of_the_running_server_is_shown_and_servers_that_are_not_fakes_are_not() -> None:
    reporter = Reporter()
    with CouchFake(admins={"adm": "pass"}) as fake:
        backends = [SimpleNamespace(), SimpleNamespace(fake=fake, admin=SimpleNamespace(name="adm"))]
        serve_at_prompt(configured(reporter), backends, "test_it")
        assert reporter.lines == [f"couchfake: test_it: {fake.url}_couchfake/ (log in as adm)"]
        login = ("adm", "pass")
        assert requests.get(fake.url + "_couchfake/server", auth=login, timeout=10).json()["name"] == "test_it"


def test_without_a_terminal_nothing_is_served_at_the_prompt() -> None:
    with CouchFake() as fake:
        serve_at_prompt(configured(None), [SimpleNamespace(fake=fake, admin=None)], "test_it")
        assert requests.get(fake.url + "_couchfake/server", timeout=10).status_code == 404


@pytest.mark.parametrize("on_a_terminal", [True, False])
def test_servers_are_served_until_the_run_is_interrupted(monkeypatch: pytest.MonkeyPatch, on_a_terminal: bool) -> None:
    kept = [Inspected(f"test_{number}", CouchFake()) for number in range(2)]
    reporter = Reporter()
    served: list[str] = []

    class Interrupted:
        def wait(self) -> None:
            for each in kept:
                assert get(each.fake.url, "_couchfake/server")["name"] == each.name
                served.append(f"couchfake: {each.name}: {each.fake.url}_couchfake/")
            raise KeyboardInterrupt

    monkeypatch.setattr(inspecting, "threading", SimpleNamespace(Event=Interrupted))
    serve_until_interrupted(configured(reporter if on_a_terminal else None), kept)
    assert len(served) == 2
    assert reporter.lines == ([*served, "couchfake: serving until Ctrl-C"] if on_a_terminal else [])
    assert {each.fake.url for each in kept} == {CouchFake().url}  # that of a server without a socket


def test_it_needs_a_run_in_one_process(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile("def test_passes(couch_db): pass")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest_subprocess(*PLUGIN, "-p", "xdist", "-n", "1", "--couch-inspect")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--couch-inspect serves from the process of the tests*"])


def test_the_report_holds_requests_documents_and_trees(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(test_it=TESTS)
    run("--couch-html", "report.html").assert_outcomes(passed=1, failed=3)
    page = (pytester.path / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert "Content-Security-Policy" in page
    section = page.split("<section")[1]
    assert "test_it.py::test_fails" in section
    assert "assert &#x27;reason&#x27; == 1" in section
    assert "HEAD /teas/missing" in section
    assert "Database teas: 1 documents" in section
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in section
    assert section.count("<svg ") == 1
    assert "test_passes" not in page
    assert not re.search(r"(src|href)=\"(?!#)", page)


def test_the_report_of_a_run_without_failures_says_so(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_passes(couch_db): pass")
    run("--couch-html", "report.html").assert_outcomes(passed=1)
    assert "No test with a CouchDB failed." in (pytester.path / "report.html").read_text("utf-8")


def test_the_report_of_several_workers_is_one(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(test_it=TESTS)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.runpytest_subprocess(*PLUGIN, "-p", "xdist", "-n", "2", "--couch-html", "report.html")
    assert Path(pytester.path, "report.html").read_text("utf-8").count("<section") == 3


def test_a_report_that_cannot_be_written_is_a_usage_error(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_passes(couch_db): pass")
    result = run("--couch-html", "no/report.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
