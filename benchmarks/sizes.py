"""What a large database weighs."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

from couchfake import CouchFake


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
