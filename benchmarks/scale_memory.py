"""What must give memory back, each row with its limit. Shown by ``python -m benchmarks.scale``.

``python -m benchmarks.scale_memory`` shows these rows alone; with names it measures only those. Each is measured in a
process of its own.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import requests

from benchmarks.sizes import resident_mb
from couchfake import CouchFake

MEGABYTE = 1 << 20


def current_mb() -> float:
    """The memory of this process now, in MB; the most that it has had where the platform says no more."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return resident_mb()
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


class Database:
    """A database of a fake, in process."""

    def __init__(self, **options: Any) -> None:
        self.fake = CouchFake(**options)
        self.session = self.fake.session()
        self.url = self.fake.url + "db"
        self.ask("PUT")

    def ask(self, method: str, path: str = "", body: Any = None) -> Any:
        answer: requests.Response = self.session.request(method, self.url + path, json=body)
        answer.raise_for_status()
        return answer.json()


def refused_uploads() -> float:
    """Growth by eight refused bodies of 50 MB, with the collector of cycles switched off."""
    with CouchFake(admins={"adm": "pass"}) as fake:
        body = b"x" * (50 * MEGABYTE)
        post = partial(requests.post, fake.url + "db/_bulk_docs", data=body, auth=("adm", "wrong"), timeout=60)
        assert post().status_code == 401
        gc.disable()
        before = current_mb()
        for _ in range(8):
            post()
        return current_mb() - before


def gzipped_body() -> float:
    """Peak growth by half a megabyte that gzip makes of 500 MB, where a request may have 20 MB."""
    bomb = gzip.compress(b" " * (50 * MEGABYTE)) * 10
    with CouchFake(config={"chttpd": {"max_http_request_size": str(20 * MEGABYTE)}}) as fake:
        requests.put(fake.url + "db", timeout=60)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        before = resident_mb()
        for _ in range(3):
            requests.post(fake.url + "db/_bulk_docs", data=bomb, headers=headers, timeout=60)
        return resident_mb() - before


HOARD = """function (doc, req) {
    if (!this.kept) { hoard = []; for (var i = 0; i < 8e6; i++) hoard.push(i + 0.5); this.kept = hoard; }
    return String(this.kept.length);
}"""


def _hoarding() -> tuple[Database, float]:
    """A fake in which 24 shows keep 128 MB each, or want to, and the memory of the process before."""
    db = Database()
    for n in range(24):
        db.ask("PUT", f"/_design/d{n}", {"shows": {"s": HOARD}})
    before = current_mb()
    for n in range(24):
        db.session.get(f"{db.url}/_design/d{n}/_show/s").raise_for_status()
    return db, before


def scripts() -> float:
    """Growth by 24 shows that keep 128 MB each."""
    _db, before = _hoarding()
    return current_mb() - before


def scripts_of_a_deleted_database() -> float:
    """Growth by 24 shows that kept 128 MB each in a database that is deleted."""
    db, before = _hoarding()
    db.ask("DELETE")
    return current_mb() - before


def scripts_reloaded() -> float:
    """Growth by 24 shows that kept 128 MB each until the query servers were reloaded."""
    db, before = _hoarding()
    db.session.post(db.fake.url + "_reload_query_servers/", json={}).raise_for_status()
    return current_mb() - before


def _children() -> int:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        return len(multiprocessing.active_children())
    return sum(len((task / "children").read_text().split()) for task in tasks.iterdir())


def left_by_close() -> float:
    """Threads and processes that five closed fakes have left, of each engine that is installed."""
    Database().fake.close()
    engines = [name for name, module in (("quickjs", "_quickjs"), ("js2py", "js2py")) if find_spec(module)]
    before = threading.active_count() + _children()
    kept = []
    for name in engines * 5:
        db = Database(js_engine=name)
        db.ask("PUT", "/_design/d", {"views": {"v": {"map": "function (doc) { emit(1); }"}}})
        db.ask("PUT", "/x", {})
        assert db.ask("GET", "/_design/d/_view/v")["total_rows"] == 1
        db.fake.close()
        kept.append(db)
    return threading.active_count() + _children() - before


def _updated(count: int) -> float:
    db = Database()
    rev = db.ask("PUT", "/x", {"n": 0})["rev"]
    for n in range(2000):  # until the history has its full length
        rev = db.ask("PUT", "/x", {"_rev": rev, "n": n})["rev"]
    before = current_mb()
    for n in range(count):
        rev = db.ask("PUT", "/x", {"_rev": rev, "n": n})["rev"]
    return current_mb() - before


def body_cache() -> float:
    """Growth by 200,000 updates of one small document, most of it the cache of parsed bodies, which is bounded."""
    return _updated(200_000)


def updates() -> float:
    """Growth by 20,000 updates of one document, whose history is cut."""
    return _updated(20_000)


def rebuilt_indexes() -> float:
    """Growth by 10,000 changes of a view, each of which is queried; most of it is the cache of parsed bodies."""
    db = Database()
    db.ask("POST", "/_bulk_docs", {"docs": [{"n": n} for n in range(20)]})
    rev = ""

    def rebuild(n: int) -> None:
        nonlocal rev
        views = {"v": {"map": f"function (doc) {{ emit(doc.n, {n}); }}"}}
        rev = db.ask("PUT", "/_design/d", {"views": views, **({"_rev": rev} if rev else {})})["rev"]
        db.ask("GET", "/_design/d/_view/v")

    for n in range(1000):
        rebuild(n)
    before = current_mb()
    for n in range(10_000):
        rebuild(-n)
    return current_mb() - before


class _Endless(BaseHTTPRequestHandler):
    """A source whose changes do not end."""

    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if "_changes" not in self.path:
            self.wfile.write(json.dumps({"db_name": "db", "update_seq": "9-a", "instance_start_time": "0"}).encode())
            return
        row = json.dumps({"seq": "1-a", "id": "x" * 1000, "changes": [{"rev": "1-a"}]}).encode() + b",\n"
        try:
            self.wfile.write(b'{"results":[')
            while True:
                self.wfile.write(row * 64)
        except OSError:
            self.close_connection = True

    do_POST = do_PUT = do_GET

    def log_message(self, format: str, *arguments: Any) -> None: ...


@contextmanager
def _endless_source() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Endless)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/db"
    finally:
        server.shutdown()
        server.server_close()


def endless_source() -> float:
    """Peak growth by a replication whose source sends changes without end."""
    db = Database(config={"replicator": {"retries_per_request": "1"}})
    with _endless_source() as source:
        before = resident_mb()
        db.session.post(db.fake.url + "_replicate", json={"source": source, "target": db.url})
        return resident_mb() - before


def dropped_servers() -> float:
    """Growth by 500 fakes with a view, each dropped without being closed."""

    def use() -> None:
        db = Database()
        db.ask("PUT", "/_design/d", {"views": {"v": {"map": "function (doc) { emit(1); }"}}})
        db.ask("PUT", "/x", {})
        db.ask("GET", "/_design/d/_view/v")

    for _ in range(50):
        use()
    before = current_mb()
    for _ in range(500):
        use()
    return current_mb() - before


def validators() -> float:
    """Growth by 1,001 design documents with validation functions of their own, once something is written."""
    db = Database()
    source = "function (doc, old) {{ if (doc.n === {n}) throw {{forbidden: 'no'}}; }}"
    docs = [{"_id": f"_design/d{n}", "validate_doc_update": source.format(n=n)} for n in range(1001)]
    db.ask("POST", "/_bulk_docs", {"docs": docs})
    before = current_mb()
    db.ask("PUT", "/x", {})
    return current_mb() - before


def idle_connections() -> float:
    """Growth by 400 connections of clients that send nothing."""
    with CouchFake() as fake:
        requests.get(fake.url, timeout=60)
        address = ("127.0.0.1", int(fake.url.rstrip("/").rpartition(":")[2]))
        before = current_mb()
        with ExitStack() as clients:
            for _ in range(400):
                client = clients.enter_context(socket.create_connection(address, timeout=60))
                client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                assert client.recv(65536)
            return current_mb() - before


class Row(NamedTuple):
    """``name``: what is measured, ``measure``: returns it, ``limit``: what it may be at most, with its unit."""

    name: str
    measure: Callable[[], float]
    limit: float
    unit: str = " MB"


ROWS = [
    Row("eight refused bodies of 50 MB", refused_uploads, 15),
    Row("a gzipped body of 500 MB, limit 20 MB (peak)", gzipped_body, 80),
    Row("24 shows that keep 128 MB each", scripts, 640),
    Row("the same, database deleted", scripts_of_a_deleted_database, 60),
    Row("the same, query servers reloaded", scripts_reloaded, 60),
    Row("threads and processes after close()", left_by_close, 0, ""),
    Row("20,000 updates of one document", updates, 10),
    Row("200,000 updates of one small document", body_cache, 45),
    Row("10,000 rebuilds of a view", rebuilt_indexes, 25),
    Row("endless source of a replication (peak)", endless_source, 300),
    Row("500 dropped servers with a view", dropped_servers, 15),
    Row("1,001 validating design documents", validators, 60),
    Row("400 idle connections", idle_connections, 40),
]


def measured(row: Row) -> float:
    """Measure a row in a process of its own."""
    code = f"from benchmarks import scale_memory; print('MEASURED', scale_memory.{row.measure.__name__}())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.rpartition("MEASURED")[2])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_memory", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(row.measure.__name__ for row in ROWS)}")
    names = parser.parse_args().names
    failed = 0
    for row in ROWS:
        if not names or row.measure.__name__ in names:
            value = measured(row)
            failed += value > row.limit
            verdict = "" if value <= row.limit else "TOO MUCH"
            print(f"{row.name:<46}{value:>10.2f}{row.unit:<4}{row.limit:>8g}{row.unit:<4}{verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
