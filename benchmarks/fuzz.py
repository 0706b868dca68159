"""A seeded fuzz: ``python -m benchmarks.fuzz [--count 100000] [--seed 1] [--seconds 3600]``.

Whatever it is sent, a server must answer it: with a well-formed answer, soon, and by one of the errors that CouchDB
has. A mistake of couchfake's own (an exception instead of an answer, the dispatcher's last line of defence, invalid
JSON, a request that takes seconds) is printed with the request; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import logging
import re
import signal
import sys
import threading
import time
import traceback
from itertools import islice
from typing import Any

from benchmarks.fuzz_requests import FuzzRequest, Requests
from couchfake import CouchFake
from couchfake.transports.client import ENVIRON_KEY, Client, ClientDisconnected
from couchfake.transports.wsgi import Answer, base_environ, header_items, make_environ, within_limits

READ_SECONDS = 0.05  # how long a feed is read
TOO_LONG = 10  # seconds after which a request counts as hanging
FRESH_EVERY = 5000  # requests to one server

SETTINGS = {
    "couchdb": {"os_process_timeout": "300"},
    "chttpd": {"changes_timeout": "20"},
    "replicator": {"connection_timeout": "100", "retries_per_request": "1", "interval": "1000"},
}
ADMIN = ("Authorization", "Basic YWRtOnBhc3M=")


class Hangs(Exception):
    """A request took too long."""


class Mistakes(logging.Handler):
    """Errors that the server logs with a traceback: what the last line of defence caught."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.caught: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.caught.append(self.format(record))


class Body(io.RawIOBase):
    """A request body. With ``cut`` the client vanishes after that many bytes."""

    def __init__(self, data: bytes, cut: int | None) -> None:
        self._data = io.BytesIO(data if cut is None else data[:cut])
        self._broken = cut is not None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self._data.readinto(buffer)
        if not count and self._broken:
            raise ClientDisconnected("the client is gone")
        return count


class Fuzz:
    """Sends requests to a series of servers and keeps what went wrong in ``failures``."""

    def __init__(self, seed: int) -> None:
        self.requests = Requests(seed)
        self.failures: list[str] = []
        self.statuses: collections.Counter[int] = collections.Counter()
        self.slowest = (0.0, "")
        self._mistakes = Mistakes()
        self._mistakes.setFormatter(logging.Formatter("%(message)s"))

    def run(self, count: int, seconds: float) -> int:
        """Send ``count`` requests, fewer if they take longer than ``seconds``. Return how many were sent."""
        logger = logging.getLogger("couchfake")
        logger.addHandler(self._mistakes)
        logger.propagate = False
        threading.excepthook = self._note_thread
        end, sent = time.monotonic() + seconds, 0
        stream = iter(self.requests)
        try:
            while sent < count and time.monotonic() < end:
                fake = CouchFake(admins={"adm": "pass"}, config=SETTINGS)
                for request in islice(stream, min(FRESH_EVERY, count - sent)):
                    sent += 1
                    self._try(fake, request)
                    if time.monotonic() > end:
                        break
                self._look_after(fake)
                fake.reset()
        finally:
            logger.removeHandler(self._mistakes)
        return sent

    def _note_thread(self, ended: threading.ExceptHookArgs) -> None:
        self.failures.append(f"in a thread: {ended.exc_value!r}\n{''.join(traceback.format_tb(ended.exc_traceback))}")

    def _try(self, fake: CouchFake, request: FuzzRequest) -> None:
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, TOO_LONG)
        try:
            fault = self._send(fake, request)
        except Hangs:
            fault = "hangs\n" + traceback.format_exc(limit=-12)
        except Exception:  # noqa: BLE001  # whatever it is, it is a finding
            fault = traceback.format_exc(limit=-12)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        took = time.perf_counter() - started
        self.slowest = max(self.slowest, (took, str(request)))
        faults = [*([fault] if fault else []), *self._mistakes.caught]
        self._mistakes.caught.clear()
        self.failures += [f"{request}\n{each}" for each in faults]

    def _send(self, fake: CouchFake, request: FuzzRequest) -> str:
        """Send a request and return what is wrong with the answer; the empty string if nothing is."""
        headers = request.headers
        if not any(name.lower() in ("authorization", "cookie") for name, _ in headers):
            headers = [*headers, ADMIN]
        application = within_limits(fake.wsgi, request.method, request.path, headers)
        try:
            answer = Answer(application, _environ(request, headers))
            try:
                body = b"".join(islice(iter(answer.next_chunk, None), 1000)) if answer.whole is None else answer.whole
            finally:
                answer.close()
        except ClientDisconnected:
            return "" if request.cut is not None else "a present client is taken for one that disconnected"
        self.statuses[answer.status] += 1
        return _fault_of(request, answer.status, answer.headers, body)

    def _look_after(self, fake: CouchFake) -> None:
        """Check what must hold for the remaining databases."""
        for name, database in fake.node.databases.items():
            live = [entry for entry in database.entries.values() if not entry.deleted]
            if sorted(entry.id for entry in live) != list(database.live_ids) or len(live) != database.doc_count:
                self.failures.append(f"{name}: the documents are miscounted")
            if [entry.seq for entry in database.entries_since(0)] != sorted(e.seq for e in database.entries.values()):
                self.failures.append(f"{name}: the sequences are out of order")


def _environ(request: FuzzRequest, headers: list[tuple[str, str]]) -> dict[str, Any]:
    target = request.path if request.path.startswith("/") else "/" + request.path
    client = Client()
    client.deadline = time.monotonic() + READ_SECONDS
    base = {**base_environ("127.0.0.1", 5984), "HTTP_HOST": "127.0.0.1:5984", "CONTENT_LENGTH": str(len(request.body))}
    stream = io.BufferedReader(Body(request.body, request.cut))
    environ = make_environ(base, request.method, target, header_items(headers), stream)
    environ[ENVIRON_KEY] = client
    return environ


def _fault_of(request: FuzzRequest, status: int, headers: list[tuple[str, str]], body: bytes) -> str:
    for name, value in headers:
        if type(name) is not str or type(value) is not str or "\n" in value or "\r" in value:
            return f"bad header {name!r}: {value!r}"
        value.encode("latin-1")
    named = {name.lower(): value for name, value in headers}
    whole = named.get("content-length") == str(len(body))
    made_by_users = "accept-ranges" in named or re.search("_(show|list|update|rewrite)", request.path) is not None
    if request.method == "HEAD" or not body or not whole or made_by_users or not _is_json(named):
        return ""
    try:
        json.loads(body)
    except ValueError as error:
        return f"status {status}, invalid JSON ({error}): {body[:300]!r}"
    except RecursionError:
        pass
    return ""


def _is_json(headers: dict[str, str]) -> bool:
    return headers.get("content-type") == "application/json" and "content-encoding" not in headers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--most", type=int, default=20, help="failures to print")
    arguments = parser.parse_args()

    def hang(*_: object) -> None:
        raise Hangs

    signal.signal(signal.SIGALRM, hang)
    fuzz = Fuzz(arguments.seed)
    started = time.perf_counter()
    sent = fuzz.run(arguments.count, arguments.seconds)
    for failure in fuzz.failures[: arguments.most]:
        print(failure, end="\n\n")
    print(f"{sent} requests in {time.perf_counter() - started:.0f} s, {len(fuzz.failures)} failures")
    print("answers:", ", ".join(f"{status}: {count}" for status, count in sorted(fuzz.statuses.items())))
    print(f"slowest: {fuzz.slowest[0]:.2f} s {fuzz.slowest[1][:300]}")
    return 1 if fuzz.failures else 0


if __name__ == "__main__":
    sys.exit(main())
