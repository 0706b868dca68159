"""What a test run pays before its first test, and each test for a fresh database."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_TIMED = """
import time, pytest

taken = []

@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    started = time.perf_counter()
    result = yield
    if fixturedef.argname in {names!r}:
        taken.append((request.node.nodeid, time.perf_counter() - started))
    return result

def pytest_unconfigure():
    per_test = {{}}
    for node, seconds in taken:
        per_test[node] = per_test.get(node, 0) + seconds
    print("TAKEN", *per_test.values())
"""
_TESTS = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_it(number, couch_db):
    pass
"""


def fixture_ms(count: int = 500) -> float:
    """Median milliseconds that ``couch_db`` and the fixtures below it take for one test, in process."""
    names = {"couch_db", "couch", "_couch_backend", "_couch_settings"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "conftest.py").write_text(_TIMED.format(names=names))
        Path(folder, "test_it.py").write_text(_TESTS.format(count=count))
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:randomly", "-p", "no:cacheprovider"]
        command += ["-p", "conftest_plugin", "--couch-backend=in-process", "--rootdir", folder, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if "TAKEN" in line)
    return statistics.median(float(word) for word in line.split("TAKEN")[1].split()) * 1000


def plugin_import_ms(times: int = 10) -> float:
    """Median milliseconds of importing the plugin where pytest is there already."""
    code = (
        "import pytest, time; started = time.perf_counter(); import conftest_plugin;"
        "print((time.perf_counter() - started) * 1000)"
    )
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(times)]
    return statistics.median(float(run.stdout) for run in runs)
