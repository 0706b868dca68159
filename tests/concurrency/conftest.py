"""A server in this process or behind a socket, and work that many do at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from couchfake import CouchFake

TIMEOUT = 30


class Client:
    """One client's requests to a database: each thread has a client of its own."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self.session = session
        self.url = url

    def __call__(self, method: str, path: str = "", json: Any = None, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, json=json, timeout=TIMEOUT, **options)

    def json(self, method: str, path: str = "", json: Any = None, status: tuple[int, ...] = (200, 201, 202)) -> Any:
        """The answer, which must be of one of these statuses."""
        answer = self(method, path, json)
        assert answer.status_code in status, (method, path, answer.status_code, answer.text)
        return answer.json()


Work = Callable[[Client], None]


class Couch:
    """A server with a database ``db``."""

    def __init__(self, fake: CouchFake, socket: bool) -> None:
        self.fake = fake
        self._socket = socket
        self.db = self.client()
        self.db.json("PUT")

    def client(self) -> Client:
        session = requests.Session() if self._socket else self.fake.session()
        session.trust_env = False
        return Client(session, self.fake.url + "db")

    def at_once(self, *works: Work) -> None:
        """Do each of these in a thread, all starting together; the first error comes out."""
        gate = threading.Barrier(len(works))

        def run(work: Work) -> None:
            client = self.client()
            gate.wait(TIMEOUT)
            try:
                work(client)
            finally:
                client.session.close()

        with ThreadPoolExecutor(len(works)) as pool:
            for future in [pool.submit(run, work) for work in works]:
                future.result(2 * TIMEOUT)

    def while_writing(self, writers: Iterable[Work], readers: Iterable[Work]) -> None:
        """Readers read again and again until all writers are through, and once more."""
        writers = list(writers)
        left = threading.Semaphore(0)
        done = threading.Event()

        def writing(work: Work) -> Work:
            def run(client: Client) -> None:
                try:
                    work(client)
                finally:
                    left.release()

            return run

        def reading(work: Work) -> Work:
            def run(client: Client) -> None:
                while not done.is_set():
                    work(client)
                work(client)

            return run

        def wait(client: Client) -> None:
            try:
                for _ in writers:
                    left.acquire(timeout=2 * TIMEOUT)
            finally:
                done.set()

        self.at_once(wait, *map(writing, writers), *map(reading, readers))


@pytest.fixture(autouse=True)
def _threads_change_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(params=["in process", "socket"])
def couch(request: pytest.FixtureRequest) -> Iterator[Couch]:
    fake = CouchFake()
    if request.param == "socket":
        fake.start()
    made = Couch(fake, request.param == "socket")
    yield made
    made.db.session.close()
    fake.stop()
