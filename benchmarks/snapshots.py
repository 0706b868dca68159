"""What snapshots and seeds cost: restoring, querying afterwards, writing beside a snapshot, loading.

Shown by ``python -m benchmarks.scale``, which has the limits.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from couchfake import CouchFake
from couchfake.values import json

WRITES = 20
SEED_BYTES = 2000
"""Of one document in the seed."""


class Restored:
    """A database of ``count`` documents with three built views and two Mango indexes."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.fake = CouchFake()
        self.session = self.fake.session()
        self.ask("PUT", "")
        for low in range(0, count, 5000):
            docs = [{"_id": f"doc-{n:08d}", "n": n, "m": -n} for n in range(low, min(low + 5000, count))]
            self.ask("POST", "/_bulk_docs", {"docs": docs})
        for n in range(3):
            views = {"v": {"map": f"function (doc) {{ emit(doc.n + {n}, 1); }}", "reduce": "_sum"}}
            self.ask("PUT", f"/_design/d{n}", {"views": views})
            self.ask("GET", f"/_design/d{n}/_view/v")
        for name in ("n", "m"):
            self.ask("POST", "/_index", {"index": {"fields": [name]}, "name": name})
            self.ask("POST", "/_find", {"selector": {name: 1}})

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer: requests.Response = self.session.request(method, f"{self.fake.url}restored{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def write(self) -> None:
        for n in range(WRITES // 2):
            self.ask("PUT", f"/new-{n}", {"n": n})
            document = self.ask("GET", f"/doc-{n * (self.count // WRITES):08d}")
            self.ask("PUT", f"/{document['_id']}", {**document, "n": 0})

    def query(self) -> None:
        for n in range(3):
            self.ask("GET", f"/_design/d{n}/_view/v")

    def restore_ms(self, times: int = 20) -> tuple[float, float]:
        """Median milliseconds of ``restore``, and of the three view queries after it."""
        taken: tuple[list[float], list[float]] = ([], [])
        snapshot = self.fake.snapshot()
        for _ in range(times):
            self.write()
            self.query()
            for step, kept in zip((snapshot.restore, self.query), taken):
                started = time.perf_counter()
                step()
                kept.append((time.perf_counter() - started) * 1000)
        return statistics.median(taken[0]), statistics.median(taken[1])


def write_costs(times: int = 2000) -> float:
    """How many times as much the first update of a document costs while a snapshot exists."""
    fakes = [CouchFake(), CouchFake()]
    sessions = [fake.session() for fake in fakes]
    urls = [fake.url + "written" for fake in fakes]
    revs = []
    for session, url in zip(sessions, urls):
        session.put(url)
        docs: Any = [{"_id": f"doc-{n}", "n": n, "text": "x" * 450} for n in range(times)]
        revs.append([row["rev"] for row in session.post(url + "/_bulk_docs", json={"docs": docs}).json()])
    snapshot = fakes[1].snapshot()
    gc.collect()
    gc.freeze()
    taken: tuple[list[float], list[float]] = ([], [])
    for n in range(times):
        for place in (0, 1) if n % 2 else (1, 0):
            document: Any = {"_rev": revs[place][n], "n": -n, "text": "x" * 450}
            started = time.perf_counter()
            sessions[place].put(f"{urls[place]}/doc-{n}", json=document)
            taken[place].append(time.perf_counter() - started)
    gc.unfreeze()
    snapshot.discard()
    return statistics.median(taken[1]) / statistics.median(taken[0])


def load_seconds(count: int) -> float:
    """Seconds of the processor to load a seed of ``count`` documents, one a line."""
    text = "lorem ipsum " * (SEED_BYTES // 12 - 10)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "seed.jsonl")
        with path.open("wb") as lines:
            for n in range(count):
                document = {"_id": f"doc-{n:08d}", "n": n, "tags": ["a", "b"], "address": {"no": n}, "text": text}
                lines.write(json.encode(document) + b"\n")
        fake = CouchFake()
        started = time.process_time()
        fake.load(path)
        return time.process_time() - started
