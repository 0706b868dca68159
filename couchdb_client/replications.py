"""Replications as documents of the database ``_replicator``: they go on when the server is restarted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from couchdb_client.changes import changes
from couchdb_client.document import Document, get, save
from couchdb_client.errors import ResourceConflict, ResourceNotFound
from couchdb_client.resource import Resource

if TYPE_CHECKING:
    from couchdb_client.server import Server

__all__ = ["Replication", "ReplicationFailed", "Replications"]


class ReplicationFailed(Exception):
    """A replication failed for good; the argument is the server's reason."""


class Replication:
    """A replication, by the ID of its document in ``_replicator``."""

    def __init__(self, server: Resource, docid: str, database: str = "_replicator") -> None:
        self._server = server
        self._database = server(database)
        self._name = database
        self.id = docid

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}>"

    def info(self) -> dict[str, Any]:
        """Return the scheduler's information: ``state``, ``info`` with the progress, ``error_count``…

        Raise `ResourceNotFound` if the scheduler does not know the document (yet).
        """
        data: dict[str, Any] = self._server("_scheduler", "docs", self._name, self.id).fetch("GET")
        return data

    @property
    def state(self) -> str:
        """``initializing``, ``running``, ``pending``, ``crashing``, ``completed``, ``failed`` or ``error``."""
        try:
            return str(self.info()["state"])
        except ResourceNotFound:
            doc = self._document()
            return str(doc.get("_replication_state", "initializing"))

    @property
    def progress(self) -> dict[str, Any]:
        """Counts so far: ``docs_read``, ``docs_written``, ``doc_write_failures``, ``changes_pending``…"""
        try:
            found = self.info().get("info")
        except ResourceNotFound:
            return {}
        return found if isinstance(found, dict) else {}

    def wait(
        self,
        timeout: float | None = None,
        *,
        on_progress: Callable[[dict[str, Any]], object] | None = None,
        interval: float = 1.0,
    ) -> dict[str, Any]:
        """Wait until the replication is complete and return its counts.

        ``on_progress`` is called with `progress` about every ``interval`` seconds. Raise `ReplicationFailed` if it
        fails for good, `TimeoutError` after ``timeout`` seconds, `ValueError` if it is continuous, for then it has no
        end.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._document().get("continuous"):
            raise ValueError("a continuous replication is never complete")
        since: Any = 0
        while True:
            doc = self._document()
            state = doc.get("_replication_state")
            if state == "failed":
                raise ReplicationFailed(doc.get("_replication_state_reason"))
            if state == "completed":
                if on_progress is not None:
                    on_progress(self.progress)
                stats: dict[str, Any] = doc.get("_replication_stats", {})
                return stats
            if on_progress is not None:
                on_progress(self.progress)
            seconds = interval if deadline is None else min(interval, deadline - time.monotonic())
            if seconds <= 0:
                raise TimeoutError(f"the replication {self.id!r} is not complete after {timeout} seconds")
            since = self._wait_for_change(since, seconds)

    def cancel(self) -> None:
        """Remove the document, which ends the replication."""
        while True:
            try:
                self._database.of_document(self.id).delete_json(rev=self._document().rev)
            except ResourceConflict:  # the server has just noted the state
                continue
            return

    def _document(self) -> Document:
        doc = get(self._database, self.id, None, {})
        if doc is None:
            raise ResourceNotFound(("not_found", "missing"))
        document: Document = doc
        return document

    def _wait_for_change(self, since: Any, seconds: float) -> Any:
        """Wait until the document changes, for at most ``seconds``; return the new sequence."""
        options = {"feed": "longpoll", "doc_ids": [self.id], "since": since, "timeout": max(1, int(seconds * 1000))}
        return changes(self._database, options)["last_seq"]


class Replications:
    """The replications of a server that have a document in ``_replicator``, by its ID."""

    def __init__(self, server: Server, database: str = "_replicator") -> None:
        self._resource = server.resource
        self._name = database

    def __iter__(self) -> Iterator[Replication]:
        rows = self._resource("_scheduler", "docs", self._name).fetch("GET")["docs"]
        return iter([self[row["doc_id"]] for row in rows])

    def __getitem__(self, docid: str) -> Replication:
        return Replication(self._resource, docid, self._name)

    def start(
        self, source: str | dict[str, Any], target: str | dict[str, Any], docid: str | None = None, **options: Any
    ) -> Replication:
        """Start a replication by a new document with the ID ``docid`` (a random one if None), and return it.

        ``source`` and ``target`` are each a URL, or a dictionary with a ``url``; ``options`` are further members of the
        document, like ``continuous=True`` or ``create_target=True``. Raise `ResourceConflict` if there is a document of
        that ID.
        """
        doc: dict[str, Any] = {"_id": docid or uuid4().hex, "source": source, "target": target, **options}
        save(self._resource(self._name), doc, {})
        return self[doc["_id"]]
