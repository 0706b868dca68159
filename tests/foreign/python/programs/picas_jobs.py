"""A pool of jobs by picas, which imports ``couchdb`` itself. Takes the server's URL, name and password."""

from __future__ import annotations

import sys
from typing import Any

import couchdb_client

couchdb_client.install_as_couchdb()

from couchdb.http import ResourceConflict  # noqa: E402 - after the name is installed
from picas.actors import AbstractRunActor  # noqa: E402
from picas.clients import CouchDB  # noqa: E402
from picas.documents import Task  # noqa: E402
from picas.iterators import TaskViewIterator  # noqa: E402


def view(condition: str) -> str:
    return f"function (doc) {{ if (doc.type == 'token' && {condition}) {{ emit(doc._id, doc._id); }} }}"


class Squares(AbstractRunActor):  # type: ignore[misc]  # picas has no types
    def process_task(self, task: Any) -> None:
        task["square"] = task["number"] ** 2
        task.put_attachment("log.txt", f"did {task['number']}")
        task.done()


def main(url: str, username: str, password: str) -> None:
    db = CouchDB(url=url, db="jobs", username=username, password=password, create=True)
    db.add_view("todo", view("doc.lock == 0 && doc.done == 0"))
    db.add_view("done", view("doc.done > 0"))
    token = {"type": "token", "lock": 0, "done": 0}
    tasks = [Task({"_id": f"task-{number}", "number": number, **token}) for number in range(3)]
    assert db.save_documents(tasks) == [True, True, True]
    assert db.save_documents([Task({"_id": "task-0", "lock": 0})]) == [False]
    assert db.is_view_nonempty("todo")
    actor = Squares(db, view="todo", iterator=TaskViewIterator(db, "todo"))
    actor.run()
    assert not db.is_view_nonempty("todo")
    done = db.get_from_view("done")
    assert sorted((doc.id, doc["square"]) for doc in done) == [("task-0", 0), ("task-1", 1), ("task-2", 4)]
    assert Task(db.get("task-2")).get_attachment("log.txt", retrieve_from_database=db)["data"] == b"did 2"
    stale = db.get("task-0")
    db.save(db.get("task-0"))
    try:
        db.delete(stale)
    except ResourceConflict:
        pass
    else:
        raise AssertionError("a stale document was deleted")
    db.set_users(members=["joe"])
    assert db.db.security["members"]["names"] == ["joe"]
    assert db.copy().get("task-2")["square"] == 4
    assert db.delete_from_view("done") == [True, True, True]


if __name__ == "__main__":
    main(*sys.argv[1:])
