"""Many threads, forked processes, and sessions that travel to other processes."""

from __future__ import annotations

import os
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import requests

from couchdb_client import Database, Server
from couchfake import CouchFake


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake() as fake:
        Server(fake.url).create("people")
        yield fake


def fork(work: Callable[[], None]) -> int:
    """Do ``work`` in a forked process, and return its ID."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, which is what this is about
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("own", [True, False], ids=["the client's session", "a requests.Session"])
def test_a_forked_process_has_connections_of_its_own(fake: CouchFake, own: bool) -> None:
    transport = None if own else requests.Session()
    db = Database(fake.url + "people", session=transport)
    db["before"] = {}

    def write(name: object) -> None:
        for count in range(25):
            db.save({"_id": f"{name}-{count}"})

    children = [fork(partial(write, number)) for number in range(4)]
    write("parent")
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * 4
    assert len(db) == 1 + 4 * 25 + 25
    if transport is not None:
        transport.close()


def test_twenty_five_threads_share_a_session(fake: CouchFake, caplog: pytest.LogCaptureFixture) -> None:
    db = Database(fake.url + "people")
    together = threading.Barrier(25)

    def write(name: int) -> None:
        together.wait(20)
        for count in range(10):
            db.save({"_id": f"{name}-{count}"})

    threads = [threading.Thread(target=write, args=[name]) for name in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(db) == 250
    assert [
        record for record in caplog.records if record.name.startswith("urllib3") and record.levelname != "DEBUG"
    ] == []


def test_a_database_can_be_pickled(fake: CouchFake) -> None:
    db = Database(fake.url.replace("//", "//joe:secret@") + "people")
    db.resource.credentials = None
    db["before"] = {}
    copy = pickle.loads(pickle.dumps(db))
    assert copy["before"] == db["before"]
    assert copy.resource.session.timeout == db.resource.session.timeout  # type: ignore[attr-defined]
