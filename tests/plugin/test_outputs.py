"""The files of ``--couch-trace`` and ``--couch-html`` are tried before the first test runs."""

from __future__ import annotations

import pytest

from .conftest import Run

OPTIONS = pytest.mark.parametrize("option", ["--couch-trace", "--couch-html"])
TEST = "def test_it(couch):\n    open('ran', 'w').close()\n    assert False\n"


@OPTIONS
@pytest.mark.parametrize("early", ["", "couch_env = COUCHDB_URL\n"])
def test_a_file_that_cannot_be_written_ends_the_run_at_its_start(
    pytester: pytest.Pytester, run: Run, option: str, early: str
) -> None:
    pytester.makeini(f"[pytest]\n{early}")
    pytester.makepyfile(TEST)
    result = run(option, "nowhere/file")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {option}: cannot write nowhere/file: No such file or directory"])
    assert not (pytester.path / "ran").exists()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@OPTIONS
def test_a_file_that_cannot_be_written_in_the_end_does_not_hide_the_failures(
    pytester: pytest.Pytester, run: Run, option: str
) -> None:
    (pytester.path / "place").mkdir()
    pytester.makepyfile(TEST.replace("assert", "__import__('os').rmdir('place')\n    assert"))
    result = run(option, "place/file")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E  *assert False", f"couchfake: {option}: cannot write place/file: *"])


@OPTIONS
def test_trying_a_file_leaves_its_content_and_makes_none(pytester: pytest.Pytester, run: Run, option: str) -> None:
    (pytester.path / "old").write_text("before", "utf-8")
    pytester.makepyfile("def test_it():\n    import pathlib\n    assert pathlib.Path('old').read_text() == 'before'\n")
    run(option, "old").assert_outcomes(passed=1)
    pytester.makepyfile("def test_it():\n    import os\n    assert not os.path.exists('new')\n")
    run(option, "new").assert_outcomes(passed=1)
