"""The order of locks: the node's comes before those of databases, in every thread."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from couchfake.app import CouchFake
from couchfake.auth.permissions import SERVER
from couchfake.node import Node
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write_one

TIMEOUT = 30


def write_user(node: Node, name: str, *, deleted: bool = False) -> None:
    database = node.database("_users")
    entry = database.entry(f"org.couchdb.user:{name}")
    rev = None if entry is None or entry.deleted else entry.winner.key
    body = {} if deleted else {"name": name, "type": "user", "roles": []}
    write_one(database, Edit(f"org.couchdb.user:{name}", body, deleted, rev=rev), SERVER)


def is_locked(database: Database) -> bool:
    """Return whether this thread holds a database's lock."""
    return bool(database._lock._is_owned())  # type: ignore[attr-defined]


class CheckedLock:
    """The lock of a node. Notes databases whose lock the thread held when it took this one first."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.taken = 0
        self.wrong: list[str] = []
        self._lock: Any = threading.RLock()

    def __enter__(self) -> None:
        self.taken += 1
        if not self._lock._is_owned():
            self.wrong += [name for name, database in list(self.node.databases.items()) if is_locked(database)]
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_the_lock_of_a_node_is_never_taken_with_the_lock_of_a_database() -> None:
    fake = CouchFake(config={"couch_peruser": {"enable": "true", "delete_dbs": "true"}})
    node = fake.node
    lock = CheckedLock(node)
    node.lock = lock  # type: ignore[assignment]
    node.create_database("_global_changes")
    for name in ("ann", "bob"):
        write_user(node, name)
    snapshot = fake.snapshot()
    write_user(node, "ann", deleted=True)
    node.config.set("couch_peruser", "enable", "false")
    node.config.set("couch_peruser", "enable", "true")
    node.create_database("source")
    job = {"source": fake.url + "source", "target": fake.url + "target"}
    with fake.session() as session:
        assert session.put(fake.url + "_replicator/job", json=job).status_code == 201
    node.delete_database("source")
    snapshot.restore()
    fake.stop()
    assert lock.taken > 10
    assert lock.wrong == []


def test_a_user_can_be_written_while_another_thread_goes_back_to_a_snapshot() -> None:
    fake = CouchFake(config={"couch_peruser": {"enable": "true"}})
    node = fake.node
    snapshot = fake.snapshot()
    users = node.database("_users")
    written = threading.Event()
    after_doc_update = node.hooks.after_doc_update

    def update(database: Database, edits: list[Edit]) -> None:
        written.set()
        after_doc_update(database, edits)

    node.hooks.after_doc_update = update  # type: ignore[method-assign]
    writer = threading.Thread(target=write_user, args=(node, "ann"), daemon=True)
    with node.lock:  # as in the middle of going back, or of creating a database
        writer.start()
        assert written.wait(TIMEOUT)
        restorer = threading.Thread(target=lambda: users.change_setting(revs_limit=9), daemon=True)
        restorer.start()
        restorer.join(TIMEOUT)
        assert not restorer.is_alive()
    writer.join(TIMEOUT)
    assert not writer.is_alive()
    assert "userdb-616e6e" in node.databases
    snapshot.restore()
    assert "userdb-616e6e" not in node.databases


def test_an_interrupt_while_a_users_database_is_created_is_made_good_by_the_next_write() -> None:
    fake = CouchFake(config={"couch_peruser": {"enable": "true"}})
    node = fake.node
    create = node.create_database

    def interrupted(*args: Any, **options: Any) -> Database:
        raise KeyboardInterrupt

    node.create_database = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        write_user(node, "ann")
    node.create_database = create  # type: ignore[method-assign]
    write_user(node, "bob")
    assert {"userdb-616e6e", "userdb-626f62"} <= set(node.databases)
