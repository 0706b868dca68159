"""The replications of one server: each a thread of its own while it runs.

A one-shot job ends with its result; a continuous one runs until it is cancelled. A peer that does not answer is
tried again after a while, each time a little later. Source: CouchDB documentation, "Replicator Scheduler".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import requests

from couchfake.auth.context import UserContext
from couchfake.errors import CouchError
from couchfake.node.node import NODE_NAME, Node
from couchfake.replicator.endpoints import ReplicationEndpoint, Unreachable
from couchfake.replicator.http_endpoint import HttpEndpoint
from couchfake.replicator.local_endpoint import LocalEndpoint
from couchfake.replicator.request import Endpoint, ReplicationRequest
from couchfake.replicator.transfer import Cancelled, Transfer

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
OpenSession = Callable[[], requests.Session]


def timestamp(seconds: float) -> str:
    """``2024-05-17T09:21:44Z``"""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(error: CouchError | Unreachable) -> str:
    return f"{error.error}: {error.reason}" if isinstance(error, CouchError) else str(error)


class Job:
    """One replication, from its request to its end. ``finished`` is set at the end, then ``result`` or ``error``."""

    def __init__(
        self,
        node: Node,
        request: ReplicationRequest,
        user: UserContext,
        base_uri: str,
        open_session: OpenSession,
        document: tuple[str, str] | None = None,
    ) -> None:
        self.request = request
        self.user = user
        self.document = document  # (database, document id) of the replicator document, if one asked for it
        self.started = node.clock()
        self.updated = self.started
        self.state = "initializing"
        self.error_count = 0
        self.history: list[tuple[str, float, str | None]] = [("added", self.started, None)]
        self.finished = threading.Event()
        self.result: dict[str, Any] | None = None
        self.error: CouchError | None = None
        self.crash_reason: str | None = None  # of the last try, while another one is waited for
        self.transfer: Transfer | None = None
        self._ran = False
        self._node = node
        self._base_uri = base_uri
        self._open_session = open_session
        self._cancelled = threading.Event()
        self._at_end: list[Callable[[Job], None]] = []
        self.source = self._peer(request.source)
        self.target = self._peer(request.target)

    @property
    def id(self) -> str:
        return self.request.job_id

    def _peer(self, endpoint: Endpoint) -> ReplicationEndpoint:
        if endpoint.url is None:
            return LocalEndpoint(self._node, endpoint.name or "", self.user, self._base_uri)
        session = self._open_session()
        session.headers.update(dict(endpoint.headers))
        session.auth = endpoint.auth
        return HttpEndpoint(self._node, endpoint.url, session)

    # ---- life

    def start(self, at_end: Callable[[Job], None]) -> None:
        self._at_end.append(at_end)
        threading.Thread(target=self._run, name=f"replication {self.id[:8]}", daemon=True).start()

    def cancel(self, wait: float = 5.0) -> None:
        """Stop, and wait for the last checkpoint."""
        self._cancelled.set()
        if self.transfer is not None:
            self.transfer.stop()
        self.finished.wait(wait)

    def _run(self) -> None:
        try:
            self._try_until_done()
        finally:
            if not self.finished.is_set():  # a defect of ours must not let anybody wait for ever
                self.error = CouchError(500, "error", "The replication broke off")
                self._finish("failed", self.error.reason)

    def _try_until_done(self) -> None:
        pause = FIRST_PAUSE
        while not self.finished.is_set():
            try:
                self._set_state("running")
                self.result = self._transfer().run()
                self._finish("completed")
            except Cancelled:
                self._finish("cancelled")
            except (CouchError, Unreachable) as error:
                self.error_count += 1
                if not self._is_passing(error):
                    refusal = error if isinstance(error, CouchError) else CouchError(500, "error", str(error))
                    self.error = refusal
                    self._finish("failed", refusal.reason)
                    return
                self.crash_reason = _told(error)
                self._set_state("crashing", self.crash_reason)
                if self._cancelled.wait(pause):
                    self._finish("cancelled")
                pause = min(pause * 2, LONGEST_PAUSE)

    def _transfer(self) -> Transfer:
        if self._cancelled.is_set():
            raise Cancelled
        self.transfer = Transfer(
            self.request.id, self._node.uuids.random(), self.source, self.target, self.request.options, self._node.clock
        )
        return self.transfer

    def _is_passing(self, error: CouchError | Unreachable) -> bool:
        """Whether it is tried again: what a document asks for always is, what ``_replicate`` started only while it
        is continuous and once had both ends."""
        if self.document is not None:
            return True
        ran = self.transfer is not None and self.transfer.is_prepared
        self._ran = self._ran or ran
        return self.request.options.continuous and self._ran and (isinstance(error, Unreachable) or error.status >= 500)

    def _set_state(self, state: str, reason: str | None = None) -> None:
        self.state, self.updated = state, self._node.clock()
        self.history.append(({"running": "started"}.get(state, "crashed"), self.updated, reason))
        del self.history[:-20]

    def _finish(self, state: str, reason: str | None = None) -> None:
        self._set_state(state, reason)
        for callback in self._at_end:
            callback(self)
        self.finished.set()

    # ---- what is shown

    def statistics(self, checkpoint: bool = True) -> dict[str, Any]:
        """As ``_scheduler`` shows it in ``info``."""
        counts = self.transfer.statistics.counts if self.transfer is not None else {}
        info: dict[str, Any] = {
            "revisions_checked": counts.get("missing_checked", 0),
            "missing_revisions_found": counts.get("missing_found", 0),
            "docs_read": counts.get("docs_read", 0),
            "docs_written": counts.get("docs_written", 0),
            "changes_pending": None,
            "doc_write_failures": counts.get("doc_write_failures", 0),
            "bulk_get_docs": counts.get("bulk_get_docs", 0),
            "bulk_get_attempts": counts.get("bulk_get_attempts", 0),
        }
        if checkpoint:
            info["checkpointed_source_seq"] = self.transfer.through_seq if self.transfer is not None else 0
        return info

    def task(self) -> dict[str, Any]:
        """As ``_active_tasks`` lists it: who does it, and then what, by name."""
        transfer = self.transfer
        told = {
            "checkpoint_interval": int(self.request.options.checkpoint_interval * 1000),
            "continuous": self.request.options.continuous,
            "database": self.document[0] if self.document else None,
            "doc_id": self.document[1] if self.document else None,
            "replication_id": self.id,
            "source": self.source.name,
            "source_seq": transfer.source_seq if transfer else 0,
            "started_on": int(self.started),
            "target": self.target.name,
            "through_seq": transfer.through_seq if transfer else 0,
            "type": "replication",
            "updated_on": int(self.updated),
            "user": self.user.name,
            **self.statistics(),
        }
        who = {"node": NODE_NAME, "pid": f"<0.{id(self) % 30000}.0>", "process_status": "waiting"}
        return {**who, **dict(sorted(told.items()))}

    def scheduler_row(self) -> dict[str, Any]:
        """As ``_scheduler/jobs`` lists it."""
        return {
            "database": self.document[0] if self.document else None,
            "id": self.id,
            "pid": None if self.state == "crashing" else f"<0.{id(self) % 30000}.0>",
            "source": self.source.name,
            "target": self.target.name,
            "user": self.user.name,
            "doc_id": self.document[1] if self.document else None,
            "info": self.statistics(),
            "history": [
                {"timestamp": timestamp(when), "type": what, **({"reason": reason} if reason else {})}
                for what, when, reason in reversed(self.history)
            ],
            "node": NODE_NAME,
            "start_time": timestamp(self.started),
        }


class Jobs:
    """All replications that run now, by job id."""

    def __init__(self, node: Node, open_session: OpenSession) -> None:
        self._node = node
        self._open_session = open_session
        self._lock = threading.Lock()
        self._running: dict[str, Job] = {}

    def all(self) -> list[Job]:
        """The running ones, by id."""
        with self._lock:
            return sorted(self._running.values(), key=lambda job: job.id)

    def get(self, job_id: str) -> Job | None:
        return self._running.get(job_id)

    def start(
        self,
        request: ReplicationRequest,
        user: UserContext,
        base_uri: str,
        document: tuple[str, str] | None = None,
        at_end: Callable[[Job], None] = lambda job: None,
    ) -> Job:
        """Start a replication; the one that runs already where it is the same."""
        with self._lock:
            job = self._running.get(request.job_id)
            if job is not None and (document is None or job.document == document):
                return job
            job = Job(self._node, request, user, base_uri, self._open_session, document)
            self._running[job.id] = job

        def remove(ended: Job) -> None:
            with self._lock:
                if self._running.get(ended.id) is ended:
                    del self._running[ended.id]
            at_end(ended)

        job.start(remove)
        return job

    def stop_all(self) -> None:
        jobs = self.all()
        for job in jobs:
            job.cancel(wait=0)
        for job in jobs:
            job.finished.wait(5)
