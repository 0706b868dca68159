"""``python -m benchmarks.scale``: what must not grow with the database, and what must stay small, with the limits.

Each request is timed against a database of 100 documents and against one of 100,000, taking turns, so that what
disturbs one disturbs the other. The last rows are those of ``benchmarks.scale_memory``. Ends with status 1 where a
limit is passed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import requests

from benchmarks.scale_memory import ROWS, measured
from benchmarks.sizes import memory_of
from benchmarks.snapshots import WRITES, Restored, load_seconds, write_costs
from benchmarks.startup import first_tests_ms, plugin_import_ms
from couchfake import CouchFake

GROWTH = 2.0
"""How many times as much a request may cost at 100,000 documents: caches miss more often, and trees are higher."""

VIEWS = {"by_n": {"map": "function (doc) { emit(doc.n, doc.n); }", "reduce": "_sum"}}


class Sized:
    """A fake with one database of ``count`` documents of 500 bytes, a view and an index on it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.fake = CouchFake()
        self.session = self.fake.session()
        self.db = self.fake.url.rstrip("/") + "/sized"
        self.middle = f"doc-{count // 2:08d}"
        self.ask("PUT")
        for low in range(0, count, 5000):
            numbers = range(low, min(low + 5000, count))
            docs = [{"_id": f"doc-{n:08d}", "n": n, "text": "x" * 450} for n in numbers]
            self.ask("POST", "/_bulk_docs", {"docs": docs})
        self.ask("PUT", "/_design/d", {"views": VIEWS})
        self.ask("POST", "/_index", {"index": {"fields": ["n"]}, "name": "n"})
        self.view(key="1")
        self.find(1)
        self.last = self.ask("GET", "/_changes", since="now")["last_seq"]
        self.rev: str = self.ask("PUT", "/one-more", {"n": -1})["rev"]
        self.view(key="1")
        self.find(1)

    def ask(self, method: str, path: str = "", json: Any = None, **parameters: str) -> Any:
        answer: requests.Response = self.session.request(method, self.db + path, json=json, params=parameters)
        answer.raise_for_status()
        return answer.json()

    def view(self, **parameters: str) -> Any:
        return self.ask("GET", "/_design/d/_view/by_n", **{"reduce": "false", **parameters})["rows"]

    def find(self, n: int) -> Any:
        return self.ask("POST", "/_find", {"selector": {"n": n}, "use_index": "n"})["docs"]

    def updated(self) -> str:
        """The new revision."""
        self.rev = self.ask("PUT", "/one-more", {"_rev": self.rev, "n": -1})["rev"]
        return self.rev

    def reduced(self) -> Any:
        low, high = self.count // 10, self.count - self.count // 10
        return self.ask("GET", "/_design/d/_view/by_n", startkey=str(low), endkey=str(high))["rows"]

    def requests(self) -> dict[str, Callable[[], Any]]:
        """What is timed, by name. Updates come last: they move what the others read."""
        middle, number = f'"{self.middle}"', self.count // 2
        return {
            "GET of a document": lambda: self.ask("GET", "/" + self.middle),
            "HEAD of a document": lambda: self.session.head(f"{self.db}/{self.middle}").raise_for_status(),
            "_changes near the end": lambda: self.ask("GET", "/_changes", since=self.last),
            "_changes, last one": lambda: self.ask("GET", "/_changes", descending="true", limit="1"),
            "database information": lambda: self.ask("GET"),
            "_all_docs, one key": lambda: self.ask("GET", "/_all_docs", key=middle),
            "_all_docs, ten from a key": lambda: self.ask("GET", "/_all_docs", startkey=middle, limit="10"),
            "view, one key": lambda: self.view(key=str(number)),
            "view, last ten": lambda: self.view(descending="true", limit="10"),
            "reduce over a range": self.reduced,
            "_find by index": lambda: self.find(number),
            "_bulk_get of one": lambda: self.ask("POST", "/_bulk_get", {"docs": [{"id": self.middle}]}),
            "_revs_diff of one": lambda: self.ask("POST", "/_revs_diff", {self.middle: ["1-abc"]}),
            "update of a document": self.updated,
            "view after an update": lambda: self.updated() and self.view(key=str(number)),
            "_find after an update": lambda: self.updated() and self.find(number),
        }


def times_at(small: int, large: int, times: int = 100) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each request at the two sizes."""
    sizes = [Sized(small).requests(), Sized(large).requests()]
    found = {}
    for name in sizes[0]:
        taken: tuple[list[float], list[float]] = ([], [])
        for _ in range(times):
            for each, kept in zip(sizes, taken):
                started = time.perf_counter()
                each[name]()
                kept.append(time.perf_counter() - started)
        found[name] = (statistics.median(taken[0]) * 1000, statistics.median(taken[1]) * 1000)
    return found


def leaves_seconds(count: int = 10_000) -> float:
    """Processor time of writing a document of ``count`` leaves, a thousand at a time, and reading all of them."""
    fake = CouchFake()
    session = fake.session()
    db = fake.url + "leaves"
    session.put(db).raise_for_status()
    started = time.process_time()
    for low in range(0, count, 1000):
        ids = [[f"{n:032x}", "f" * 32] for n in range(low, low + 1000)]
        docs: list[Any] = [{"_id": "x", "_revisions": {"start": 2, "ids": each}} for each in ids]
        session.post(db + "/_bulk_docs", json={"docs": docs, "new_edits": False}).raise_for_status()
    assert len(session.get(db + "/x?conflicts=true").json()["_conflicts"]) == count - 1
    return time.process_time() - started


def first_validation_seconds(count: int = 1001) -> float:
    """Processor time of the first write after ``count`` design documents with validation functions."""
    fake = CouchFake()
    session = fake.session()
    db = fake.url + "validated"
    session.put(db).raise_for_status()
    source = "function (doc, old) {{ if (doc.n === {n}) throw {{forbidden: 'no'}}; }}"
    docs: list[Any] = [{"_id": f"_design/d{n}", "validate_doc_update": source.format(n=n)} for n in range(count)]
    session.post(db + "/_bulk_docs", json={"docs": docs}).raise_for_status()
    started = time.process_time()
    session.put(db + "/x", json={}).raise_for_status()
    return time.process_time() - started


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--large", type=int, default=100_000, help="documents in the large database")
    options = parser.parse_args()
    failed = 0

    def line(name: str, text: str, value: float, limit: float, unit: str) -> None:
        nonlocal failed
        failed += value > limit
        verdict = "" if value <= limit else "TOO MUCH"
        print(f"{name:<44}{text:>22}{value:>10.2f}{unit:<4}{limit:>8g}{unit:<4}{verdict}")

    print(f"{'':<44}{f'100 / {options.large} docs':>22}{'value':>10}{'':<4}{'limit':>8}")
    for name, (small, large) in times_at(100, options.large).items():
        line(name, f"{small:.3f} / {large:.3f} ms", large / small, GROWTH, "×")
    memory = memory_of(options.large)
    line(f"{options.large} documents of 500 bytes", "", memory["filled"], 400, " MB")
    restored, queried = Restored(options.large).restore_ms()
    line(f"restore after {WRITES} writes", f"{options.large} docs", restored, 1, " ms")
    line("three view queries after a restore", f"{options.large} docs", queried, 3, " ms")
    line("writing beside a snapshot", "", write_costs(), 1.1, "×")
    line("loading a seed", f"{options.large} docs", load_seconds(options.large), 15, " s")
    line("10,000 leaves of one document", "", leaves_seconds(), 5, " s")
    line("first write with 1,001 validating ddocs", "", first_validation_seconds(), 1.5, " s")
    line("importing the plugin", "", plugin_import_ms(), 20, " ms")
    for name, milliseconds in first_tests_ms().items():
        line(name, "", milliseconds, 1 if name == "couch_db" else 5, " ms")
    for row in ROWS:
        line(row.name, "", measured(row), row.limit, row.unit)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
