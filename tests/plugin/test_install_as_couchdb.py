"""The ini option that puts the client under the name ``couchdb``."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A test suite whose conftest.py imports couchdb."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\ncouch_install_as_couchdb = true")
    pytester.makeconftest("import couchdb.mapping")
    pytester.makepyfile("""
        import couchdb
        import couchdb_client

        def test_name(couch_db):
            assert couchdb is couchdb_client
            assert isinstance(couch_db, couchdb.Database)
    """)
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "conftest_plugin", "-p", "no:cacheprovider", *arguments)


def test_conftest_and_tests_import_the_client(project: pytest.Pytester) -> None:
    run(project).assert_outcomes(passed=1)


def test_without_the_option_nothing_is_installed(project: pytest.Pytester) -> None:
    project.makeini("[pytest]")
    project.makeconftest("import sys\nassert 'couchdb' not in sys.modules")
    project.makepyfile("import sys\ndef test_name(couch_db):\n    assert 'couchdb' not in sys.modules")
    run(project).assert_outcomes(passed=1)


def test_another_couchdb_is_a_usage_error(project: pytest.Pytester) -> None:
    project.mkpydir("couchdb")
    project.makepyfile(early="import couchdb")
    result = run(project, "-p", "early")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: couch_install_as_couchdb: cannot install couchdb_client as couchdb: *"])
