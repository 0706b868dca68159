"""What must not grow with the database, and what a large one weighs."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from couchfake import CouchFake


def median_ms(work: Callable[[], Any], times: int = 200) -> float:
    """The median time of a call, in milliseconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def fill(count: int) -> tuple[CouchFake, str]:
    """A fake with one database of ``count`` documents of 500 bytes each, and the database's URL."""
    fake = CouchFake()
    session = fake.session()
    db = fake.url.rstrip("/") + "/sized"
    session.put(db).raise_for_status()
    for low in range(0, count, 5000):
        docs = [{"_id": f"doc-{i:08d}", "text": f"{i:08d}" + "x" * 458} for i in range(low, min(low + 5000, count))]
        session.post(db + "/_bulk_docs", json={"docs": docs}).raise_for_status()
    return fake, db


def times_at(count: int) -> dict[str, float]:
    """Milliseconds of requests that should cost the same however large the database is."""
    fake, db = fill(count)
    session = fake.session()
    last = session.get(db + "/_changes", params={"since": "now"}).json()["last_seq"]
    session.put(db + "/one-more", json={}).raise_for_status()
    middle = f"doc-{count // 2:08d}"
    return {
        "GET of a document": median_ms(lambda: session.get(f"{db}/{middle}").json()),
        "_changes near the end": median_ms(lambda: session.get(db + "/_changes", params={"since": last}).json()),
        "database information": median_ms(lambda: session.get(db).json()),
        "_all_docs, one key": median_ms(lambda: session.get(db + "/_all_docs", params={"key": f'"{middle}"'}).json()),
    }


def resident_mb() -> float:
    """The most memory that this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had when it forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def memory_of(count: int) -> dict[str, float]:
    """MB of a process before and after it filled a database, measured in a process of its own."""
    code = (
        "import json; from benchmarks.sizes import fill, resident_mb; empty = resident_mb();"
        f"kept = fill({count}); print(json.dumps({{'empty': empty, 'filled': resident_mb()}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured
