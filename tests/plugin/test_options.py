"""Options count wherever they are given, with ``couch_env`` or ``couch_intercept`` in the ini file too.

Those two act before the first conftest.py is imported, when pytest has not yet put the command line into its config.
"""

from __future__ import annotations

import json

import pytest

from couchfake import CouchFake

from .conftest import Run, login_url

EARLY = {
    "neither": "",
    "couch_env": "couch_env = COUCHDB_URL\n",
    "couch_intercept": "couch_intercept = http://couchdb:5984\n",
}


@pytest.fixture(params=list(EARLY), autouse=True)
def ini(request: pytest.FixtureRequest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> str:
    """An ini file with a setting that acts early, and one without."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    text: str = "[pytest]\n" + EARLY[request.param]
    pytester.makeini(text)
    pytester.makepyfile("def test_it(couch_db):\n    couch_db['x'] = {'y': 1}\n    assert len(couch_db) == 2\n")
    return text


def test_the_backend_of_the_command_line(run: Run) -> None:
    run("--couch-backend", "socket").stdout.fnmatch_lines(
        ["couchfake: socket (command line --couch-backend), JavaScript*"]
    )


def test_the_backend_url_without_a_url_is_a_usage_error(run: Run) -> None:
    result = run("--couch-backend", "url")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: command line --couch-backend: the backend url needs one: *"])


def test_a_backend_that_does_not_exist_is_a_usage_error(run: Run) -> None:
    result = run("--couch-backend", "sockets")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "invalid choice: 'sockets'" in result.stderr.str()


def test_the_real_server_of_the_command_line(pytester: pytest.Pytester, run: Run, real: CouchFake, ini: str) -> None:
    if "intercept" in ini:
        result = run("--couch-url", login_url(real))
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: ini couch_intercept: *not to a real server*"])
        return
    before = real.requests.total
    result = run("--couch-url", login_url(real))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["couchfake: http://adm:***@127.0.0.1:* (command line --couch-url)"])
    assert real.requests.total > before
    assert any(each.method == "PUT" for each in real.requests)


@pytest.mark.parametrize("place", ["ini", "environment"])
def test_addopts(run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ini: str, place: str) -> None:
    if place == "ini":
        pytester.makeini(ini + "addopts = --couch-backend socket\n")
    else:
        monkeypatch.setenv("PYTEST_ADDOPTS", "--couch-backend socket")
    run().stdout.fnmatch_lines(["couchfake: socket (command line --couch-backend), JavaScript*"])


def test_the_command_line_counts_before_the_environment_and_the_ini_file(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ini: str
) -> None:
    pytester.makeini(ini + "couch_backend = socket\n")
    run().stdout.fnmatch_lines(["couchfake: socket (ini couch_backend), *"])
    monkeypatch.setenv("COUCHFAKE_BACKEND", "in-process")
    run().stdout.fnmatch_lines(["couchfake: in-process (environment COUCHFAKE_BACKEND), *"])
    run("--couch-backend", "socket").stdout.fnmatch_lines(["couchfake: socket (command line --couch-backend), *"])


def test_the_archive_of_requests(run: Run, pytester: pytest.Pytester) -> None:
    run("--couch-trace", "run.har").assert_outcomes(failed=1)
    entries = json.loads((pytester.path / "run.har").read_text("utf-8"))["log"]["entries"]
    assert [each["request"]["method"] for each in entries] == ["PUT", "GET"]


def test_the_page_of_failed_tests(run: Run, pytester: pytest.Pytester) -> None:
    run("--couch-html", "run.html").assert_outcomes(failed=1)
    assert "test_it" in (pytester.path / "run.html").read_text("utf-8")


def test_the_report_can_be_switched_off(run: Run) -> None:
    assert "CouchDB requests" in run().stdout.str()
    assert "CouchDB requests" not in run("--couch-no-report").stdout.str()


def test_the_javascript_engine_of_the_command_line(run: Run) -> None:
    run("--couch-js-engine", "js2py").stdout.fnmatch_lines(["*JavaScript js2py (command line --couch-js-engine),*"])


def test_a_conftest_that_changes_options_is_heeded_or_refused(run: Run, pytester: pytest.Pytester, ini: str) -> None:
    pytester.makeconftest("def pytest_configure(config):\n    config.option.couch_backend = 'socket'\n")
    result = run()
    if ini == "[pytest]\n":
        result.stdout.fnmatch_lines(["couchfake: socket (command line --couch-backend), *"])
    else:
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*has changed the options after couch_env or couch_intercept was applied"])
