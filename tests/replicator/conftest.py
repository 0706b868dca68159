"""Two servers that know each other by URL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from couchfake.app import CouchFake
from couchfake.replicator.jobs import Job
from couchfake.replicator.transfer import Transfer
from couchfake.storage.database import Database


class Party:
    """A server on a socket, with JSON calls to it."""

    def __init__(self) -> None:
        self.fake = CouchFake(admins={"adm": "pass"})
        self._session = self.fake.session()
        self._session.auth = ("adm", "pass")
        self._session.headers["Accept"] = "application/json"
        self._base = self.fake.url.rstrip("/")
        self.address = self.fake.start().rstrip("/")

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self._session.request(method, self._base + path, json=body, timeout=30, **options)
        return answer.json()

    def endpoint(self, db: str) -> dict[str, Any]:
        """Return the database as a URL with a login, as another server's replicator gets it."""
        return {"url": f"{self.address}/{db}", "auth": {"basic": {"username": "adm", "password": "pass"}}}

    def leaves(self, db: str) -> dict[str, list[str]]:
        """All leaf revisions, deleted ones too, by document, winners first."""
        rows = self("GET", f"/{db}/_changes?style=all_docs")["results"]
        return {row["id"]: [each["rev"] for each in row["changes"]] for row in rows}

    def fill(self, db: str, count: int, start: int = 0) -> None:
        docs = [{"_id": f"doc-{number:05}", "number": number} for number in range(start, start + count)]
        assert all("ok" in row for row in self("POST", f"/{db}/_bulk_docs", {"docs": docs}))


@pytest.fixture
def here() -> Iterator[Party]:
    party = Party()
    yield party
    party.fake.stop()


@pytest.fixture
def there() -> Iterator[Party]:
    party = Party()
    yield party
    party.fake.stop()


def note_calls(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, called: threading.Event) -> None:
    """Set ``called`` after each call of a method."""
    method = getattr(owner, name)

    def noted(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        finally:
            called.set()

    monkeypatch.setattr(owner, name, noted)


@pytest.fixture
def eventually(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function that waits until something is true. It is asked again after each step of a replication."""
    stepped = threading.Event()
    for owner, name in ((Database, "commit"), (Job, "__setattr__"), (Transfer, "__setattr__")):
        note_calls(monkeypatch, owner, name, stepped)

    def wait(is_true: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not (last := is_true()):
            assert time.monotonic() < end, f"never came true: {last!r}"
            stepped.wait(0.5)
            stepped.clear()

    return wait


@pytest.fixture
def stranger() -> Iterator[str]:
    """The URL of a web server that is not CouchDB."""
    server = make_server("127.0.0.1", 0, Response("<html>hello</html>", content_type="text/html"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
