"""The replications of one node, as the rest of the node uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from couchfake.auth.permissions import UserContext, require_server_admin
from couchfake.errors import NotFound
from couchfake.node.node import Node
from couchfake.replicator.documents import ReplicatorDocuments
from couchfake.replicator.errors import Refused
from couchfake.replicator.jobs import Job, Jobs
from couchfake.replicator.request import job_to_cancel, read_request


class Replicator:
    """The implementation of ``node.Replications``.

    ``open_session`` returns a session that reaches other servers by HTTP and this one under its own names.
    """

    def __init__(self, node: Node, open_session: Callable[[], requests.Session]) -> None:
        self._node = node
        self.running = Jobs(node, open_session)
        self.followed = ReplicatorDocuments(node, self.running)

    def replicate(self, body: dict[str, Any], user: UserContext) -> dict[str, Any]:
        try:
            job_id = job_to_cancel(body, self._node)
            if job_id is not None:
                return self._cancel(job_id, user)
            request = read_request(body, self._node)
        except Refused as refused:
            raise refused.answer from None
        _require_own(self.running.get(request.job_id), user)
        job = self.running.start(request, user)
        if request.options.continuous:
            return {"_local_id": job.id}
        job.finished.wait()
        if job.error is not None:
            raise job.error
        return job.result or {}

    def _cancel(self, job_id: str, user: UserContext) -> dict[str, Any]:
        job = self.running.get(job_id)
        if job is None:
            raise NotFound()
        _require_own(job, user)
        job.cancel()
        return {"_local_id": job.id}

    def _scheduled(self) -> list[Job]:
        return [job for job in self.running.all() if job.is_scheduled]

    def tasks(self) -> list[dict[str, Any]]:
        return [job.task() for job in self._scheduled()]

    def running_jobs(self) -> list[Job]:
        return self.running.all()

    def jobs(self) -> list[dict[str, Any]]:
        return [job.scheduler_row() for job in self._scheduled()]

    def documents(self, db_name: str | None) -> list[dict[str, Any]]:
        return self.followed.rows(db_name)

    def document(self, db_name: str, docid: str) -> dict[str, Any] | None:
        return self.followed.row((db_name, docid))

    def stop(self) -> None:
        self.running.stop_all()

    def save(self) -> Callable[[], None]:
        return self.followed.save()


def _require_own(job: Job | None, user: UserContext) -> None:
    """Raise Unauthorized if a running replication belongs to another user, unless an admin asks."""
    if job is not None and job.user.name != user.name:
        require_server_admin(user)
