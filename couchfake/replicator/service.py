"""The replications of one node: those that requests start, and those of the documents in ``_replicator`` databases.

Each of these documents asks for a replication, and its result is written into it.
Source: CouchDB documentation, "Replication: Replicator Database".
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from copy import copy
from typing import Any

import requests

from couchfake.auth.permissions import SERVER, UserContext, is_database_admin, require_server_admin
from couchfake.errors import CouchError, Forbidden, NotFound
from couchfake.node import NODE_NAME, Node
from couchfake.replicator import errors
from couchfake.replicator.errors import Refused
from couchfake.replicator.jobs import AlreadyRunning, Job, Jobs, timestamp
from couchfake.replicator.request import ReplicationRequest, job_to_cancel, read_request, shown_url
from couchfake.settings import REPLICATOR_UPDATE_DOCS
from couchfake.storage import attachments
from couchfake.storage.database import Database
from couchfake.storage.documents import Body, DocumentEntry
from couchfake.storage.edits import Edit
from couchfake.storage.revision_ids import revision_hash
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write_one
from couchfake.values import json
from couchfake.values.erlang import format_term


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


# ---- the documents of _replicator

DocumentKey = tuple[str, str]
_OVER = ("completed", "failed")  # states


def is_replicator_database(name: str) -> bool:
    return name == "_replicator" or name.endswith("/_replicator")


class ReplicatorDocuments:
    """Follows the replicator databases of a server: starts and stops jobs, and reports on them."""

    def __init__(self, node: Node, jobs: Jobs) -> None:
        self._node = node
        self._jobs = jobs
        self._lock = threading.RLock()
        self._rows: dict[DocumentKey, _Row] = {}

    # ---- writing

    def before_doc_update(self, database: Database, edit: Edit, user: UserContext, new_edits: bool) -> None:
        """Record the owner of a replication. Raise Forbidden for other users' documents and malformed ones.

        Revisions that come by replication are written as they are; malformed ones are reported as failed later.
        """
        if edit.id.startswith(("_design/", "_local/")) or not new_edits or user is SERVER:
            return
        owner = edit.body.get("owner", user.name)
        if owner != user.name and not is_database_admin(user, database.security):
            raise Forbidden("Can't update replication documents from other users.")
        edit.set_body({**edit.body, "owner": user.name if owner is None else owner})
        if edit.deleted or edit.body.get("_replication_state") == "failed":
            return
        try:
            self._understand(edit.body)
        except Refused as refused:
            raise refused.forbidden() from None

    def _understand(self, body: dict[str, Any]) -> tuple[ReplicationRequest, UserContext]:
        """Return the replication that a document asks for and the user it runs as. Raise Refused if it is malformed."""
        context = body.get("user_ctx", {})
        if not isinstance(context, dict):
            raise errors.crash(f"{{case_clause,{format_term(context)}}}")
        name, roles = context.get("name"), context.get("roles", [])
        user = UserContext(name if isinstance(name, str) else None, tuple(roles) if isinstance(roles, list) else ())
        return read_request(body, self._node, local=False), user

    def after_doc_update(self, database: Database, edits: list[Edit]) -> None:
        """Start and stop what the documents ask for, in other threads. Called under the database's lock."""
        for docid in dict.fromkeys(edit.id for edit in edits):
            if not docid.startswith(("_design/", "_local/")):
                self._follow(database, docid, database.entry(docid))

    def forget_database(self, name: str) -> None:
        """Stop the replications of a database that has been deleted."""
        with self._lock:
            for key in [key for key in self._rows if key[0] == name]:
                self._end(key)

    def save(self) -> Callable[[], None]:
        """Return a function that follows the documents of now again, and no others. All jobs must have ended by then.

        What was under way begins once more, as when a server starts.
        """
        with self._lock:
            saved = {key: (copy(row), row.is_under_way) for key, row in self._rows.items()}

        def restore() -> None:
            with self._lock:
                self._rows = {key: copy(row) for key, (row, _) in saved.items()}
                for key, (_, is_under_way) in saved.items():
                    if is_under_way:
                        self._begin(key, self._rows[key])

        return restore

    def _follow(self, database: Database, docid: str, entry: DocumentEntry | None) -> None:
        key = (database.name, docid)
        with self._lock:
            if entry is None or entry.deleted:
                self._end(key)
                return
            body = entry.winner.body.value if entry.winner.body is not None else {}
            requested = {name: value for name, value in body.items() if not name.startswith("_")}
            if body.get("_replication_state") in _OVER:
                return  # a report
            row = self._rows.get(key)
            if row is not None and row.requested == requested and not row.is_over:
                return  # it runs already
            self._end(key)
            self._rows[key] = row = _Row(requested, self._node.clock())
            self._begin(key, row)

    def _begin(self, key: DocumentKey, row: _Row) -> None:
        try:
            request, user = self._understand(row.requested)
        except Refused as refused:
            row.state, row.reason = "failed", refused.reason
            threading.Thread(target=self._report, args=(key, row), daemon=True).start()
            return
        try:
            row.job = self._jobs.start(request, user, key, self._ended, self._begun)
        except AlreadyRunning as running:
            self._yield_to(running.job, key, row)

    def _yield_to(self, job: Job, key: DocumentKey, row: _Row) -> None:
        """Report that a replication runs already: finally for another document, until its end for a client."""
        begin = f"Replication `{job.id}` specified by document `{key[1]}` already "
        if job.document is not None:
            row.state = "failed"
            row.reason = f"{begin}started, triggered by document `{job.document[1]}` from db `{job.document[0]}`"
            threading.Thread(target=self._report, args=(key, row), daemon=True).start()
        else:
            row.state = "error"
            row.reason = f"{begin}running as a transient replication, started via `_replicate` API endpoint"
            job.when_finished(lambda _: self._retry(key, row))

    def _retry(self, key: DocumentKey, row: _Row) -> None:
        with self._lock:
            if self._rows.get(key) is row:
                row.state, row.reason = "initializing", None
                self._begin(key, row)

    def _end(self, key: DocumentKey) -> None:
        row = self._rows.pop(key, None)
        if row is not None and row.job is not None and not row.job.finished.is_set():
            threading.Thread(target=row.job.cancel, daemon=True).start()

    # ---- reporting

    def _begun(self, job: Job) -> None:
        """Write that a replication runs, or why it cannot yet, if documents are to be updated so often."""
        assert job.document is not None
        if not self._node.config[REPLICATOR_UPDATE_DOCS]:
            return
        with self._lock:
            row = self._rows.get(job.document)
        if row is None or row.job not in (None, job):
            return
        if job.is_scheduled:
            state: dict[str, Any] = {"_replication_state": "triggered", "_replication_id": job.id}
        else:
            state = {"_replication_state": "error", "_replication_state_reason": job.crash_reason}
        self._write(job.document, row, state)

    def _ended(self, job: Job) -> None:
        assert job.document is not None
        with self._lock:
            row = self._rows.get(job.document)
        if row is None or row.job is not job or job.state == "cancelled":
            return
        row.state, row.job = job.state, job
        row.reason = job.error.reason if job.error is not None else None
        row.updated = self._node.clock()
        self._report(job.document, row)

    def _report(self, key: DocumentKey, row: _Row) -> None:
        """Write how a replication ended into its document."""
        state: dict[str, Any] = {"_replication_state": row.state}
        if row.state == "completed" and row.job is not None:
            if self._node.config[REPLICATOR_UPDATE_DOCS]:
                state["_replication_id"] = row.job.id
            state["_replication_stats"] = {**row.job.statistics(), "start_time": timestamp(row.job.started)}
        else:
            state["_replication_state_reason"] = row.reason
        self._write(key, row, state)

    def _write(self, key: DocumentKey, row: _Row, state: dict[str, Any]) -> None:
        """Write members about a replication into its document, with the time, unless another has taken its place."""
        if self._rows.get(key) is not row:
            return
        database = self._node.databases.get(key[0])
        entry = database.entry(key[1]) if database is not None else None
        if database is None or entry is None or entry.deleted:
            return
        stored = entry.winner.body.value if entry.winner.body is not None else {}
        if all(stored.get(name) == value for name, value in state.items()):
            return
        body = {
            **row.requested,
            "_replication_state": None,
            "_replication_state_time": timestamp(self._node.clock()),
            **state,
        }
        edit = Edit(key[1], body, rev=entry.winner.key)
        try:
            write_one(database, edit, SERVER)
        except CouchError:
            return  # the document has just been changed, and is followed from there

    # ---- what is shown

    def rows(self, database: str | None = None) -> list[dict[str, Any]]:
        """Return the rows of ``/_scheduler/docs``, of one database or of all, finished replications included."""
        with self._lock:
            keys = sorted(key for key in self._rows if database in (None, key[0]))
        return [row for key in keys if (row := self.row(key)) is not None]

    def row(self, key: DocumentKey) -> dict[str, Any] | None:
        """Return the row of one document, None if there is no such document."""
        with self._lock:
            row = self._rows.get(key)
        if row is None:
            return self._stored_row(key)
        job = row.job
        state = job.state if job is not None and row.state == "initializing" else row.state
        over = state in _OVER
        job_id = job.id if job is not None and job.is_scheduled and not over else None
        shown: dict[str, Any] = {"database": key[0], "doc_id": key[1], "id": job_id}
        if not over:
            shown["node"] = NODE_NAME
        shown["source"] = job.source.name if job is not None else shown_url(row.requested.get("source"))
        shown["target"] = job.target.name if job is not None else shown_url(row.requested.get("target"))
        shown["state"] = state
        error_count = job.error_count if job is not None else 0
        if job is not None and (state == "crashing" or not job.is_scheduled):
            info: dict[str, Any] | None = {"error": job.crash_reason}
        elif state in ("failed", "error"):
            info, error_count = {"error": row.reason}, 1
        else:
            info = job.statistics(is_running=not over) if job is not None else None
        times = {"start_time": timestamp(row.added), "last_updated": timestamp(job.updated if job else row.updated)}
        if over:
            return {**shown, "error_count": error_count, "info": info, **times}
        last, start = times["last_updated"], times["start_time"]
        proxies = {"source_proxy": None, "target_proxy": None}
        return {**shown, "info": info, "error_count": error_count, "last_updated": last, "start_time": start, **proxies}

    def _stored_row(self, key: DocumentKey) -> dict[str, Any] | None:
        """The row of a document without a replication, from its members. None if there is no such document."""
        database = self._node.databases.get(key[0])
        entry = database.entry(key[1]) if database is not None else None
        if entry is None or entry.deleted or entry.winner.body is None:
            return None
        body = entry.winner.body.value
        state, when = body.get("_replication_state"), body.get("_replication_state_time")
        stats = body.get("_replication_stats", {})
        info: Any = None
        start: Any = None
        if state == "completed":
            info = {name: value for name, value in stats.items() if name != "start_time"}
            start = stats.get("start_time")
        elif state == "failed":
            reason = body.get("_replication_state_reason")
            info, start = None if reason is None else {"error": reason}, when
        else:
            state = None
        return {
            "database": key[0],
            "doc_id": key[1],
            "id": None,
            "source": shown_url(body.get("source")),
            "target": shown_url(body.get("target")),
            "state": state,
            "error_count": int(state == "failed"),
            "info": info,
            "start_time": start,
            "last_updated": when,
        }


class _Row:
    """The replication of one document. ``requested``: the members that say what to replicate."""

    def __init__(self, requested: dict[str, Any], now: float) -> None:
        self.requested = requested
        self.added = self.updated = now
        self.state = "initializing"
        self.reason: Any = None
        self.job: Job | None = None

    @property
    def is_over(self) -> bool:
        return self.state in _OVER

    @property
    def is_under_way(self) -> bool:
        return self.job is not None and not self.job.finished.is_set()


# Documents as other users than their owner see them: without credentials
#
# Source: ``couch_replicator_docs:after_doc_read``.


_LOGIN = re.compile(r"http(s)?://[^:]+:[^@]+@(.*)$")


def without_credentials(database: Database, docid: str, leaf: Revision, user: UserContext) -> Revision:
    """Return the revision itself for its owner, else a copy without credentials and with the hash of that copy."""
    if docid.startswith("_design/") or leaf.body is None or leaf.body.value.get("owner") == user.name:
        return leaf
    body = {
        name: _stripped(value) if name in ("source", "target") else value for name, value in leaf.body.value.items()
    }
    parent = leaf.parent.key if leaf.parent is not None else None
    shown = copy(leaf)
    shown.id = bytes.fromhex(revision_hash(leaf.deleted, parent, body, attachments.hash_tuples(leaf.attachments)))
    shown.body = Body(body, json.encode(body), database.parsed)
    return shown


def _stripped(endpoint: Any) -> Any:
    if isinstance(endpoint, str):
        return _LOGIN.sub(lambda match: f"http{match[1] or ''}://{match[2]}", endpoint, count=1)
    if isinstance(endpoint, dict):
        return {name: value for name, value in endpoint.items() if name not in ("headers", "auth")}
    return endpoint
