"""Each test of the test kit runs in process and on a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from couchfake import CouchFake


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
