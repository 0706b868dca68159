"""A fake to ask in process and on a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from couchfake import CouchFake


class Asked:
    """A fake with a session to it. ``ask`` gives the JSON of an answer, whatever its status."""

    def __init__(self, fake: CouchFake, another_session: Callable[[], requests.Session]) -> None:
        self.fake = fake
        self.another_session = another_session
        self.session = another_session()

    def request(self, method: str, path: str, json: Any = None, **arguments: Any) -> requests.Response:
        return self.session.request(method, self.fake.url + path, json=json, **arguments)

    def ask(self, method: str, path: str, json: Any = None, **arguments: Any) -> Any:
        return self.request(method, path, json, **arguments).json()

    def state(self) -> dict[str, Any]:
        """All that clients can see of the server."""
        names = self.ask("GET", "_all_dbs")
        return {
            "databases": {name: self._database(quote(name, safe="")) for name in names},
            "config": self.ask("GET", "_node/_local/_config"),
            "session": self.ask("GET", "_session"),
            "jobs": self.ask("GET", "_scheduler/jobs"),
            "followed": self.ask("GET", "_scheduler/docs"),
            "tasks": self.ask("GET", "_active_tasks"),
        }

    def _database(self, name: str) -> dict[str, Any]:
        ids = [row["id"] for row in self.ask("GET", f"{name}/_changes")["results"]]
        designs = [row["doc"] for row in self.ask("GET", f"{name}/_design_docs?include_docs=true")["rows"]]
        self.ask("GET", name)  # the first answer after a compaction says once that it is running
        leaves = "open_revs=all&revs=true&attachments=true"
        return {
            "info": self.ask("GET", name),
            "documents": self.ask("GET", f"{name}/_all_docs?include_docs=true&conflicts=true&update_seq=true"),
            "changes": self.ask("GET", f"{name}/_changes?style=all_docs&include_docs=true&conflicts=true"),
            "designs": self.ask("GET", f"{name}/_changes?filter=_design"),
            "leaves": {id: self._leaves(f"{name}/{quote(id)}?{leaves}") for id in sorted(ids)},
            "histories": {id: self.ask("GET", f"{name}/{quote(id)}?revs_info=true&local_seq=true") for id in ids},
            "local": self.ask("GET", f"{name}/_local_docs?include_docs=true"),
            "security": self.ask("GET", f"{name}/_security"),
            "limit": self.ask("GET", f"{name}/_revs_limit"),
            "purged": self.ask("GET", f"{name}/_purged_infos"),
            "views": {
                f"{each['_id']}/{view}": self._view(f"{name}/{each['_id']}/_view/{view}")
                for each in designs
                if each.get("language") != "query"
                for view in each.get("views", {})
            },
            "indexes": self.ask("GET", f"{name}/_index"),
            "found": self.ask("POST", f"{name}/_find", {"selector": {"n": {"$gt": 1}}, "limit": 100})["docs"],
        }

    def _leaves(self, path: str) -> list[Any]:
        found = self.ask("GET", path, headers={"Accept": "application/json"})
        return sorted(found, key=lambda row: str(row))

    def _view(self, path: str) -> Any:
        return self.ask("GET", f"{path}?reduce=false&update_seq=true"), self.ask("GET", path)


@pytest.fixture(params=["in process", "socket"])
def couch(request: pytest.FixtureRequest) -> Iterator[Asked]:
    """An admin's session to an empty fake whose clock does not move."""
    fake = CouchFake(clock=lambda: 1_700_000_000.0)
    if request.param == "socket":
        with fake:
            asked = Asked(fake, requests.Session)
            yield asked
            asked.session.close()
    else:
        yield Asked(fake, fake.session)
        fake.close()


class Client:
    """A session and the fake that it reaches."""

    def __init__(self, fake: CouchFake, socket: bool) -> None:
        self.fake = fake
        self.url = fake.start() if socket else fake.session_url
        self.session = requests.Session() if socket else fake.session()

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url.rstrip("/") + path, timeout=30, **options)


@pytest.fixture(params=["in process", "socket"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    with CouchFake() as fake:
        made = Client(fake, request.param == "socket")
        made("PUT", "/shop")
        fake.requests.clear()
        yield made
        made.session.close()
