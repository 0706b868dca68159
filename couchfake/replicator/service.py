"""The replications of one server, all in one place for its endpoints and write rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from couchfake.node.node import Node
from couchfake.replicator.documents import ReplicatorDocuments
from couchfake.replicator.jobs import Jobs


class Replicator:
    """``open_session`` gives sessions that reach other servers, and this one under each of its own names."""

    def __init__(self, node: Node, open_session: Callable[[], requests.Session], base_uri: str) -> None:
        self.running = Jobs(node, open_session)
        self.followed = ReplicatorDocuments(node, self.running, base_uri)
        node.replicator = self
        node.replications.append(self)
        node.task_sources.append(lambda: [job.task() for job in self.running.all()])
        node.listeners.append(self._heard)

    def jobs(self) -> list[dict[str, Any]]:
        """As ``_scheduler/jobs`` lists them."""
        return [job.scheduler_row() for job in self.running.all()]

    def documents(self, db_name: str | None) -> list[dict[str, Any]]:
        """As ``_scheduler/docs`` lists them."""
        return self.followed.rows(db_name)

    def document(self, db_name: str, docid: str) -> dict[str, Any] | None:
        """As ``_scheduler/docs`` shows one."""
        return self.followed.row((db_name, docid))

    def _heard(self, name: str, what: str) -> None:
        if what == "deleted":
            self.followed.forget_database(name)

    def stop(self) -> None:
        self.running.stop_all()
