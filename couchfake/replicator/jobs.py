"""The replications of one server, each in a thread of its own while it runs.

A one-shot job ends with its result; a continuous one runs until it is cancelled. After an error a job is retried, with
longer and longer pauses. Source: CouchDB documentation, "Replicator Scheduler".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import requests

from couchfake.auth.permissions import UserContext
from couchfake.errors import CouchError
from couchfake.node import NODE_NAME, Node
from couchfake.replicator.errors import FilterNotFetched, message
from couchfake.replicator.request import Endpoint, ReplicationRequest
from couchfake.replicator.transfer import Cancelled, ReplicationEndpoint, Transfer, Unreachable
from couchfake.settings import REPLICATOR_MAX_HISTORY
from couchfake.values.clock import Signal

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
OpenSession = Callable[[], requests.Session]


def timestamp(seconds: float) -> str:
    """``2024-05-17T09:21:44Z``"""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Job:
    """One replication, from its request to its end. ``finished`` is set at the end, then ``result`` or ``error``."""

    def __init__(
        self,
        node: Node,
        request: ReplicationRequest,
        user: UserContext,
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
        self.crash_reason: str | None = None  # of the last attempt, until the next one
        self.transfer: Transfer | None = None
        self._has_run = False
        self._has_ended = False
        self._ending = threading.Lock()
        self._node = node
        self._open_session = open_session
        self._cancelled = Signal(node.clock)
        self._at_end: list[Callable[[Job], None]] = []
        self._at_beginning: Callable[[Job], None] = lambda job: None
        self.source = self._peer(request.source)
        self.target = self._peer(request.target)

    @property
    def id(self) -> str:
        return self.request.job_id

    @property
    def is_scheduled(self) -> bool:
        """Return False while the filter function of a document's replication cannot be fetched: it is not a job yet."""
        return self.state != "error"

    def _peer(self, endpoint: Endpoint) -> ReplicationEndpoint:
        # Imported here: most servers never replicate, and need not load what only replications use.
        if endpoint.url is None:
            from couchfake.replicator.local_endpoint import LocalEndpoint

            return LocalEndpoint(self._node, endpoint.name or "", self.user)
        from couchfake.replicator.http_endpoint import HttpClient, HttpEndpoint

        session = self._open_session()
        session.headers.update(dict(endpoint.headers))
        session.auth = endpoint.auth
        options = self.request.options
        url = endpoint.url.rstrip("/") + "/"
        client = HttpClient(url, session, options.connection_timeout, options.retries)
        return HttpEndpoint(self._node, client)

    # ---- life

    @property
    def is_cancelled(self) -> bool:
        """Return whether the job has been cancelled. It may still be running to its last checkpoint."""
        return self._cancelled.is_set()

    def when_finished(self, callback: Callable[[Job], None]) -> None:
        """Call ``callback(job)`` when the job ends; at once if it has ended."""
        with self._ending:
            if not self._has_ended:
                self._at_end.append(callback)
                return
        callback(self)

    def start(self, at_end: Callable[[Job], None], at_beginning: Callable[[Job], None]) -> None:
        """Run in a thread of its own and call ``at_end(job)`` at the end.

        Call ``at_beginning(job)`` before each attempt, or when the filter function cannot be fetched.
        """
        self._at_end.append(at_end)
        self._at_beginning = at_beginning
        threading.Thread(target=self._run, name=f"replication {self.id[:8]}", daemon=True).start()

    def cancel(self, wait: float = 5.0) -> None:
        """Stop, and wait up to ``wait`` seconds for the last checkpoint."""
        self._cancelled.set()
        if self.transfer is not None:
            self.transfer.stop()
        self.finished.wait(wait)

    def _run(self) -> None:
        try:
            self._try_until_done()
        finally:
            if not self.finished.is_set():  # after an error of our own: clients wait for the end
                self.error = CouchError(500, "error", "The replication broke off")
                self._finish("failed", self.error.reason)

    def _try_until_done(self) -> None:
        pause = FIRST_PAUSE
        while not self.finished.is_set():
            try:
                transfer = self._transfer()
                transfer.fetch_filter()
                self._begin_run()
                self.result = transfer.run()
                self._finish("completed")
            except Cancelled:
                self._finish("cancelled")
            except (CouchError, Unreachable) as error:
                self.error_count += 1
                if not self._should_retry(error):
                    refusal = error if isinstance(error, CouchError) else CouchError(500, "error", str(error))
                    self.error = refusal
                    self._finish("failed", refusal.reason)
                    return
                self.crash_reason = message(error) if isinstance(error, CouchError) else str(error)
                self._set_state("error" if isinstance(error, FilterNotFetched) else "crashing", self.crash_reason)
                if not self.is_scheduled:
                    self._at_beginning(self)
                if self._cancelled.wait(pause):
                    self._finish("cancelled")
                pause = min(pause * 2, LONGEST_PAUSE)

    def _begin_run(self) -> None:
        if self.state == "error":  # the job begins here; what came before was not one
            self.error_count = 0
        self._set_state("running")
        self._at_beginning(self)

    def _transfer(self) -> Transfer:
        if self._cancelled.is_set():
            raise Cancelled
        self.transfer = Transfer(
            self.request.id,
            self._node.uuids.random(),
            self.source,
            self.target,
            self.request.options,
            self._node.clock,
            self._node.replication_limit,
        )
        return self.transfer

    def _should_retry(self, error: CouchError | Unreachable) -> bool:
        """Return whether to retry.

        Jobs of replicator documents always are; those of ``_replicate`` if they are continuous and have run before.
        """
        if self.document is not None:
            return True
        prepared = self.transfer is not None and self.transfer.is_prepared
        self._has_run = self._has_run or prepared
        is_fault = isinstance(error, Unreachable) or error.status >= 500
        return self.request.options.continuous and self._has_run and is_fault

    def _set_state(self, state: str, reason: str | None = None) -> None:
        self.state, self.updated = state, self._node.clock()
        if state == "error":
            return
        self.history.append(({"running": "started"}.get(state, "crashed"), self.updated, reason))
        del self.history[: -max(1, self._node.config[REPLICATOR_MAX_HISTORY])]

    def _finish(self, state: str, reason: str | None = None) -> None:
        self._set_state(state, reason)
        with self._ending:
            self._has_ended = True
        for callback in self._at_end:
            callback(self)
        self.finished.set()

    # ---- what is shown

    def statistics(self, *, is_running: bool = False) -> dict[str, Any]:
        """Return the members of ``info`` in ``/_scheduler``.

        ``is_running``: with the sequences that only running jobs show, null until there is something to report.
        """
        counts = self.transfer.statistics.counts if self.transfer is not None else {}
        info: dict[str, Any] = {
            "revisions_checked": counts.get("missing_checked", 0),
            "missing_revisions_found": counts.get("missing_found", 0),
            "docs_read": counts.get("docs_read", 0),
            "docs_written": counts.get("docs_written", 0),
            "changes_pending": self.transfer.pending if is_running and self.transfer is not None else None,
            "doc_write_failures": counts.get("doc_write_failures", 0),
            "bulk_get_docs": counts.get("bulk_get_docs", 0),
            "bulk_get_attempts": counts.get("bulk_get_attempts", 0),
        }
        info["checkpointed_source_seq"] = (self.transfer.checkpointed_seq if self.transfer is not None else 0) or "0"
        if is_running:
            reported = self.transfer if self.transfer is not None and self.transfer.pending is not None else None
            info["source_seq"] = None if reported is None else reported.source_seq
            info["through_seq"] = None if reported is None else reported.through_seq or "0"
        return info

    def _shown_info(self) -> dict[str, Any]:
        if self.state == "crashing":
            return {"error": self.crash_reason}
        return self.statistics(is_running=True)

    def task(self) -> dict[str, Any]:
        """Return the row of ``/_active_tasks``: the process first, then the other members by name."""
        shown = {
            "checkpoint_interval": int(self.request.options.checkpoint_interval * 1000),
            "continuous": self.request.options.continuous,
            "database": self.document[0] if self.document else None,
            "doc_id": self.document[1] if self.document else None,
            "replication_id": self.id,
            "source": self.source.name,
            "started_on": int(self.started),
            "target": self.target.name,
            "type": "replication",
            "updated_on": int(self.updated),
            "user": self.user.name,
            **self.statistics(is_running=True),
        }
        who = {"node": NODE_NAME, "pid": f"<0.{id(self) % 30000}.0>", "process_status": "waiting"}
        return {**who, **dict(sorted(shown.items()))}

    def scheduler_row(self) -> dict[str, Any]:
        """Return the row of ``/_scheduler/jobs``."""
        return {
            "database": self.document[0] if self.document else None,
            "id": self.id,
            "pid": None if self.state == "crashing" else f"<0.{id(self) % 30000}.0>",
            "source": self.source.name,
            "target": self.target.name,
            "user": self.user.name,
            "doc_id": self.document[1] if self.document else None,
            "info": self._shown_info(),
            "history": [
                {"timestamp": timestamp(when), "type": what, **({"reason": reason} if reason else {})}
                for what, when, reason in reversed(self.history)
            ],
            "node": NODE_NAME,
            "start_time": timestamp(self.started),
        }


class AlreadyRunning(Exception):
    """The replication runs already, for ``job.document`` or (None) for a client of ``_replicate``."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.job = job


class Jobs:
    """All running replications, by job id."""

    def __init__(self, node: Node, open_session: OpenSession) -> None:
        self._node = node
        self._open_session = open_session
        self._lock = threading.Lock()
        self._running: dict[str, Job] = {}

    def all(self) -> list[Job]:
        """Return the running jobs, ordered by id."""
        with self._lock:
            return sorted(self._running.values(), key=lambda job: job.id)

    def get(self, job_id: str) -> Job | None:
        """Return a running job, None if there is none of that id."""
        return self._running.get(job_id)

    def start(
        self,
        request: ReplicationRequest,
        user: UserContext,
        document: tuple[str, str] | None = None,
        at_end: Callable[[Job], None] = lambda job: None,
        at_beginning: Callable[[Job], None] = lambda job: None,
    ) -> Job:
        """Start a replication, or return the running job if it is the same.

        Raise AlreadyRunning if a document asks for a replication that runs for another document or a client.
        """
        with self._lock:
            job = self._running.get(request.job_id)
            if job is not None and not job.is_cancelled:
                if document is not None and job.document != document:
                    raise AlreadyRunning(job)
                return job
            job = Job(self._node, request, user, self._open_session, document)
            self._running[job.id] = job

        def remove(ended: Job) -> None:
            with self._lock:
                if self._running.get(ended.id) is ended:
                    del self._running[ended.id]
            at_end(ended)

        job.start(remove, at_beginning)
        return job

    def stop_all(self) -> None:
        """Cancel all jobs and wait for them to end, each up to five seconds."""
        jobs = self.all()
        for job in jobs:
            job.cancel(wait=0)
        for job in jobs:
            job.finished.wait(5)
