"""Ways to a server under measurement, and the yardstick: a bare http.server that answers 'ok'."""

from __future__ import annotations

import contextlib
import http.server
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import requests

from couchfake import CouchFake

ADMIN = ("adm", "pass")


@dataclass
class Reached:
    """A server: its URL without a slash at the end, and what makes sessions that reach it."""

    url: str
    new_session: Callable[[], requests.Session]

    def session(self) -> requests.Session:
        made = self.new_session()
        made.trust_env = False
        made.auth = ADMIN
        return made


@contextlib.contextmanager
def in_process() -> Iterator[Reached]:
    fake = CouchFake(admins=dict([ADMIN]))
    yield Reached(fake.url.rstrip("/"), fake.session)


@contextlib.contextmanager
def served() -> Iterator[Reached]:
    """``couchfake serve`` in a process of its own."""
    command = [sys.executable, "-m", "couchfake", "serve", "--port", "0", "--admin", ":".join(ADMIN)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Reached(process.stdout.readline().strip().rstrip("/"), requests.Session)
        finally:
            process.terminate()


class _Ok(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one segment for an answer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: Any) -> None:
        pass


def _serve_ok(ports: Any) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Ok)
    ports.put(server.server_port)
    server.serve_forever()


@contextlib.contextmanager
def yardstick() -> Iterator[Callable[[], float]]:
    """Measures, each time it is called, the requests a second that a Python client gets over one connection."""
    ports: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=_serve_ok, args=(ports,), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{ports.get()}/"

    def measure(count: int = 500) -> float:
        with requests.Session() as session:
            session.trust_env = False
            started = time.perf_counter()
            for _ in range(count):
                session.get(url)
            return count / (time.perf_counter() - started)

    try:
        yield measure
    finally:
        process.terminate()
        process.join()
