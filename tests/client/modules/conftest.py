"""A fake that is reached in process, and by URL where a test wants that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from couchdb_client import Database, Server
from couchfake import CouchFake


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    fake = CouchFake()
    yield fake
    fake.close()


@pytest.fixture
def couch(fake: CouchFake) -> Iterator[Server]:
    with fake.session() as session:
        yield Server(fake.url, session=session)


@pytest.fixture
def couch_db(couch: Server) -> Database:
    return couch.create("db")


@pytest.fixture
def couch_url(fake: CouchFake) -> str:
    """The fake's URL for any program, with a slash at its end."""
    return fake.start()


@pytest.fixture
def make_couch() -> Iterator[Callable[..., Server]]:
    """Makes servers on a socket, of the arguments of `CouchFake`; logged in as the admin, if there is one."""
    fakes: list[CouchFake] = []

    def make(**settings: Any) -> Server:
        fakes.append(CouchFake(**settings))
        server = Server(fakes[-1].start())
        server.resource.credentials = next(iter(settings.get("admins", {}).items()), None)
        return server

    yield make
    for fake in fakes:
        fake.close()
