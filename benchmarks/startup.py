"""What a test run pays before its first test, each test for a fresh database, and the tests that everybody writes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FIXTURES = {"couch_db", "couch", "_couch_backend", "_couch_settings"}
EXAMPLES = Path(__file__).parents[1] / "examples" / "test_first_steps.py"

_TIMED = """
import json, time, pytest

fixtures, calls = {{}}, {{}}

def pytest_generate_tests(metafunc):
    metafunc.fixturenames.append("time")
    metafunc.parametrize("time", range({count}))

@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    started = time.perf_counter()
    result = yield
    if fixturedef.argname in {fixtures!r}:
        fixtures[request.node.nodeid] = fixtures.get(request.node.nodeid, 0) + time.perf_counter() - started
    return result

def pytest_runtest_logreport(report):
    if report.when == "call":
        calls.setdefault(report.location[2].partition("[")[0], []).append(report.duration)

def pytest_unconfigure():
    print("MEASURED", json.dumps([list(fixtures.values()), calls]))
"""


def first_tests_ms(count: int = 100) -> dict[str, float]:
    """Median milliseconds of ``couch_db`` (with the fixtures below it), and of each first example's test itself."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "conftest.py").write_text(_TIMED.format(count=count, fixtures=FIXTURES))
        Path(folder, "test_it.py").write_text(EXAMPLES.read_text())
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:randomly", "-p", "no:cacheprovider"]
        command += ["-p", "conftest_plugin", "--couch-backend=in-process", "--rootdir", folder, folder]
        alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # else an installed couchfake registers it twice
        done = subprocess.run(command, env=alone, capture_output=True, text=True, check=True)
    text = next(line for line in done.stdout.splitlines() if "MEASURED" in line).partition("MEASURED")[2]
    fixtures, calls = json.loads(text)
    medians = {"couch_db": statistics.median(fixtures) * 1000}
    return medians | {name: statistics.median(seconds) * 1000 for name, seconds in calls.items()}


def plugin_import_ms(times: int = 10) -> float:
    """Median milliseconds of importing the plugin where pytest is there already."""
    code = (
        "import pytest, time; started = time.perf_counter(); import conftest_plugin;"
        "print((time.perf_counter() - started) * 1000)"
    )
    command = [sys.executable, "-c", code]
    with tempfile.TemporaryDirectory() as compiled:  # as after an installation, which compiles the modules
        places = {"PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        environment = {**os.environ, **places}
        runs = [
            subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            for _ in range(times + 1)
        ]
    return statistics.median(float(run.stdout) for run in runs[1:])
