"""What the test kit costs: ``python -m benchmarks.kit``.

- the request log, as a share of a GET in process (the limit is 3 %);
- a test with a seeded fixture of the session, beyond what an empty test costs pytest (the limit is 1.6 ms).

Processor time, the best of several runs, so that other work on the machine does not count.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from couchfake import CouchFake

LOG_LIMIT = 0.03
TEST_LIMIT = 1.6  # milliseconds
TESTS = 1000

SEEDED = """
import pytest
from conftest_plugin import couch_fixture

shop = couch_fixture("shop", seed="shop.json", scope="session")

@pytest.mark.parametrize("n", range({tests}))
def test_it(n, shop):
    shop["coffee"] = {{"price": n}}
    assert shop["tea"]["price"] == 3
"""
EMPTY = """
import pytest

@pytest.mark.parametrize("n", range({tests}))
def test_it(n): ...
"""


def best(work: Callable[[], object], times: int) -> float:
    """Return the seconds of processor time of the fastest run."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def log_share() -> float:
    """Return what an entry of the request log costs, as a share of a GET in process."""
    fake = CouchFake()
    session = fake.session()
    session.put(fake.url + "db")
    session.put(fake.url + "db/x", json={"a": 1})
    url = fake.url + "db/x"
    entries: list[tuple[object, ...]] = []
    add = fake.requests.add
    fake.requests.add = lambda *arguments: entries.append(arguments)  # type: ignore[method-assign]
    get = best(lambda: [session.get(url) for _ in range(200)], 10) / 200
    entry: tuple = entries[-1]  # type: ignore[type-arg]
    log = best(lambda: [add(*entry) for _ in range(1000)], 10) / 1000
    return log / get


def seconds_of(tests: str, folder: Path) -> float:
    """Return the processor time of a pytest run."""
    (folder / "test_it.py").write_text(tests.format(tests=TESTS), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_it.py"]
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=folder, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def per_test() -> float:
    """Return the milliseconds of a test with a seeded fixture of the session, beyond an empty test."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "shop.json").write_text('[{"_id": "tea", "price": 3}]', "utf-8")
        seeded = min(seconds_of(SEEDED, folder) for _ in range(3))
        empty = min(seconds_of(EMPTY, folder) for _ in range(3))
    return (seeded - empty) / TESTS * 1000


def main() -> int:
    share, milliseconds = log_share(), per_test()
    print(f"request log: {share:.1%} of a GET in process (limit {LOG_LIMIT:.0%})")
    print(f"test with a seeded fixture: {milliseconds:.2f} ms beyond an empty test (limit {TEST_LIMIT} ms)")
    return 0 if share <= LOG_LIMIT and milliseconds <= TEST_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
