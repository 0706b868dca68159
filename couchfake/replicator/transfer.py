"""One run of a replication: what it needs of its two databases, and how it copies from one to the other.

A run goes from its last checkpoint to the end of the source, or until it is cancelled.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, NamedTuple, Protocol

from couchfake.errors import CouchError
from couchfake.replicator.errors import filter_code, source_not_opened
from couchfake.storage.edits import Edit
from couchfake.values import json

# ---- what a run needs of its two databases

UpdateSequence = Any
"""A sequence of the source, opaque to others; ``0`` is the beginning."""


class SourceChange(NamedTuple):
    """A document that has changed: its place in the source's order, and its leaf revisions."""

    seq: UpdateSequence
    docid: str
    revs: list[str]


class Page(NamedTuple):
    """Changes in order. ``last_seq``: the last one read, filtered ones included; ``pending``: how many follow it."""

    changes: list[SourceChange]
    last_seq: UpdateSequence
    pending: int | None = None


@dataclass
class SourceFilter:
    """Which changes are replicated. ``filter`` is ``ddoc/name`` or a built-in one, with its parameters."""

    doc_ids: list[str] | None = None
    selector: dict[str, Any] | None = None
    filter: str | None = None
    query_params: dict[str, Any] = field(default_factory=dict)
    winning_revs_only: bool = False


class Fetched(NamedTuple):
    """Revisions fetched from a source. ``attempts`` were requested with ``_bulk_get``, ``in_bulk`` came that way."""

    edits: list[Edit]
    in_bulk: int = 0
    attempts: int = 0


class Unreachable(Exception):
    """A server that does not answer, or not as a CouchDB does. Another attempt may succeed."""


class UnknownHost(Unreachable):
    """No server has the name."""


class ReplicationEndpoint(Protocol):
    """The source or target of a replication. Methods raise CouchError for refusals, Unreachable without an answer."""

    @property
    def name(self) -> str:
        """A URL without credentials, for messages and listings."""

    def open(self) -> None:
        """Raise an error unless the database exists and may be read."""

    def create(self, params: dict[str, Any]) -> None:
        """Create the database unless it exists."""

    def update_seq(self) -> UpdateSequence: ...

    def design_document(self, name: str) -> dict[str, Any] | None:
        """Return ``_design/{name}``, None if there is no such document."""

    def changes(self, query: SourceFilter, since: UpdateSequence, limit: int) -> Page: ...

    def wait(self, since: UpdateSequence, seconds: float, stopping: threading.Event) -> None:
        """Return when something may have changed after ``since``, after ``seconds`` at the latest.

        To end it sooner, set ``stopping`` and call ``interrupt``.
        """

    def interrupt(self) -> None:
        """End a ``wait`` in another thread."""

    def missing(self, revs: dict[str, list[str]]) -> dict[str, list[str]]:
        """Return those of the named revisions that the database lacks."""

    def fetch(self, docid_revs: Sequence[tuple[str, list[str]]], bulk: bool) -> Fetched: ...

    def write(self, edits: list[Edit]) -> list[CouchError]:
        """Write revisions. Return the errors of those that are refused."""

    def read_local(self, docid: str) -> dict[str, Any] | None: ...

    def write_local(self, docid: str, document: dict[str, Any]) -> None: ...


# ---- the run

GATHERING = 0.05
"""Seconds that a continuous run waits for further changes, to copy them together as the real server's batches do."""

_COUNTED = (
    "missing_checked",
    "missing_found",
    "docs_read",
    "docs_written",
    "doc_write_failures",
    "bulk_get_docs",
    "bulk_get_attempts",
)


@dataclass
class Statistics:
    """Counters of a replication, earlier sessions included, as the history shows them."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))

    def add(self, **counts: int) -> None:
        for name, count in counts.items():
            self.counts[name] += count

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Statistics:
        return cls({name: entry[name] if isinstance(entry.get(name), int) else 0 for name in _COUNTED})


@dataclass
class Options:
    """How to replicate. Sizes are in documents, lengths of ids in bytes, times in seconds."""

    query: SourceFilter = field(default_factory=SourceFilter)
    since_seq: UpdateSequence = None
    continuous: bool = False
    create_target: bool = False
    create_target_params: dict[str, Any] = field(default_factory=dict)
    use_checkpoints: bool = True
    use_bulk_get: bool = True
    batch_size: int = 500
    checkpoint_interval: float = 30.0
    connection_timeout: float = 30.0
    retries: int = 5
    max_docid_length: float = math.inf


class Cancelled(Exception):
    """The run has been cancelled."""


class Transfer:
    """One run. ``run`` returns its result: the members of a ``_replicate`` answer, without ``ok``."""

    def __init__(
        self,
        replication_id: str,
        session_id: str,
        source: ReplicationEndpoint,
        target: ReplicationEndpoint,
        options: Options,
        clock: Callable[[], float],
        limit: Callable[[str], int | None] = lambda database: None,
    ) -> None:
        """``limit`` returns the number of documents after which a run to a database fails: a fault of the test kit."""
        self.source = source
        self.target = target
        self.options = options
        self.statistics = Statistics()
        self.through_seq: UpdateSequence = 0
        self.checkpointed_seq: UpdateSequence = 0
        self.source_seq: UpdateSequence = 0
        self.pending: int | None = None
        """Changes of the source beyond those that have been looked at. None before the first look."""
        self._seen: UpdateSequence = 0  # how far the source has been read, filtered changes included
        self._id = replication_id
        self._session_id = session_id
        self._clock = clock
        self._started = clock()
        self._stopping = threading.Event()
        self._start_seq: UpdateSequence = 0
        self._history: list[dict[str, Any]] = []
        self._log: dict[str, Any] = {}
        self._last_checkpoint = clock()
        self._limit = limit
        self._is_source_open = False
        self._filter_code: str | None = None
        self.is_prepared = False  # whether both databases have been opened

    # ---- life

    def stop(self) -> None:
        """End the run soon. Called from another thread."""
        self._stopping.set()
        self.source.interrupt()

    def run(self) -> dict[str, Any]:
        """Replicate, after ``fetch_filter``. Raise CouchError, Unreachable or Cancelled.

        The last checkpoint stays valid.
        """
        self.prepare()
        try:
            self._copy_all()
            while self.options.continuous:
                self._checkpoint()
                self.source.wait(self._seen, self._until_checkpoint(), self._stopping)
                self._stopping.wait(GATHERING)
                self._copy_all()
        except Cancelled:
            self._checkpoint()
            raise
        return self._result()

    def is_idle(self) -> bool:
        """Return whether the source has no change that has not been looked at. Raise CouchError or Unreachable."""
        return self.is_prepared and self.pending == 0 and self._seen == self.source.update_seq()

    def prepare(self) -> None:
        """Open both databases and find the sequence to begin at. ``fetch_filter`` comes first."""
        if not self._is_source_open:
            self.source.open()
        if self.options.create_target:
            self.target.create(self.options.create_target_params)
        self.target.open()
        self._id = checkpoint_id(self._id, self._filter_code)
        docid = "_local/" + self._id
        self._source_log = self.source.read_local(docid)
        self._target_log = self.target.read_local(docid)
        self._start_seq, self._history = common_ancestry(self._source_log, self._target_log)
        if self._history:
            self.statistics = Statistics.of(self._history[0])
        if self.options.since_seq is not None:
            self._start_seq = self.options.since_seq
        self.through_seq = self.checkpointed_seq = self._seen = self._start_seq
        self.source_seq = self.source.update_seq()
        self.is_prepared = True

    def fetch_filter(self) -> None:
        """Fetch the code of the filter function, if there is one. Raise FilterNotFetched."""
        name = self.options.query.filter
        if name is None or name.startswith("_"):
            return
        ddoc, _, function = name.partition("/")
        try:
            self.source.open()
        except CouchError as error:
            raise source_not_opened(self.source.name, error) from None
        self._is_source_open = True
        document = self.source.design_document(ddoc)
        self._filter_code = filter_code(ddoc, document, function, self.source.name)

    def _copy_all(self) -> None:
        while True:
            self._refuse_if_stopping()
            page = self.source.changes(self.options.query, self._seen, self.options.batch_size)
            if page.changes:
                self._copy(page.changes)
                self.through_seq = page.changes[-1].seq
            if self._until_checkpoint() <= 0:
                self._checkpoint()
            if page.last_seq == self._seen:
                self.pending = page.pending
                return
            self._seen, self.pending = page.last_seq, page.pending

    def _refuse_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise Cancelled

    def _copy(self, changes: list[SourceChange]) -> None:
        longest = self.options.max_docid_length
        revs = {
            change.docid: change.revs
            for change in changes
            if len(change.docid.encode("utf-8", "surrogateescape")) <= longest
        }
        self.statistics.add(doc_write_failures=len(changes) - len(revs))
        missing = self.target.missing(revs)
        self.statistics.add(
            missing_checked=sum(len(each) for each in revs.values()),
            missing_found=sum(len(each) for each in missing.values()),
        )
        if not missing:
            return
        fetched = self.source.fetch(list(missing.items()), self.options.use_bulk_get)
        self._refuse_if_stopping()
        limit = self._limit(self.target.name)
        edits = (
            fetched.edits if limit is None else fetched.edits[: max(0, limit - self.statistics.counts["docs_written"])]
        )
        failures = self.target.write(edits)
        self.statistics.add(
            docs_read=len(edits),
            docs_written=len(edits) - len(failures),
            doc_write_failures=len(failures),
            bulk_get_docs=fetched.in_bulk,
            bulk_get_attempts=fetched.attempts,
        )
        if len(edits) < len(fetched.edits):
            raise CouchError(500, "replication_stopped", f"stopped by a fault after {limit} documents")

    # ---- checkpoints and results

    def _until_checkpoint(self) -> float:
        return self._last_checkpoint + self.options.checkpoint_interval - self._clock()

    def _checkpoint(self) -> None:
        self._last_checkpoint = self._clock()
        if not self.options.use_checkpoints or self.through_seq == self.checkpointed_seq:
            return
        self._log = new_log(self._entry(), self._history, self._extra())
        docid = "_local/" + self._id
        self._source_log = self._store(self.source, docid, self._source_log)
        self._target_log = self._store(self.target, docid, self._target_log)
        self.checkpointed_seq = self.through_seq

    def _store(self, peer: ReplicationEndpoint, docid: str, old: dict[str, Any] | None) -> dict[str, Any] | None:
        rev = {"_rev": old["_rev"]} if old else {}
        peer.write_local(docid, {"_id": docid, **rev, **self._log})
        return peer.read_local(docid)

    def _entry(self) -> dict[str, Any]:
        return {
            "session_id": self._session_id,
            "start_time": formatdate(self._started, usegmt=True),
            "end_time": formatdate(self._clock(), usegmt=True),
            "start_last_seq": self._start_seq,
            "end_last_seq": self.through_seq,
            "recorded_seq": self.through_seq,
            **self.statistics.counts,
        }

    def _extra(self) -> dict[str, Any]:
        """Members that the log repeats for replications of named documents (as in versions before 1.1)."""
        if self.options.query.doc_ids is None:
            return {}
        entry = self._entry()
        names = ("start_time", "end_time", "docs_read", "docs_written", "doc_write_failures")
        return {name: entry[name] for name in names}

    def _result(self) -> dict[str, Any]:
        if self.through_seq == self.checkpointed_seq:
            log = {name: value for name, value in (self._source_log or {}).items() if not name.startswith("_")}
            return {"no_changes": True, **log}
        if not self.options.use_checkpoints:
            return {"use_checkpoints": False}
        self._checkpoint()
        return self._log


# Checkpoints: both databases record in a local document how far a replication came
#
# CouchDB's and PouchDB's replicators use the same format, so that each can continue where another stopped.
# Source: CouchDB documentation, "Replication Protocol: Retrieve Replication Logs from Source and Target".


LOG_VERSION = 4
MAX_HISTORY = 50  # sessions

Log = dict[str, Any]


def checkpoint_id(replication_id: str, code: str | None) -> str:
    """Return the id of the logs. It changes with the code of the filter function, so that the replication restarts."""
    if code is None:
        return replication_id
    return hashlib.md5(json.encode([replication_id, code]), usedforsecurity=False).hexdigest()


def common_ancestry(source: Log | None, target: Log | None) -> tuple[UpdateSequence, list[dict[str, Any]]]:
    """Return the last sequence that both logs record, and the history before it; 0 and an empty list without one.

    If the last session of both is the same, it is in the history too.
    """
    if not source or not target:
        return 0, []
    histories = source.get("history", []), target.get("history", [])
    if source.get("session_id") == target.get("session_id"):
        return source.get("source_last_seq", 0), list(histories[0])
    for place, (ours, theirs) in enumerate(zip(*histories)):
        if ours.get("session_id") in _sessions(histories[1][place:]):
            return ours.get("recorded_seq", 0), histories[0][place + 1 :]
        if theirs.get("session_id") in _sessions(histories[0][place + 1 :]):
            return theirs.get("recorded_seq", 0), histories[1][place + 1 :]
    return 0, []


def _sessions(history: list[dict[str, Any]]) -> list[Any]:
    return [entry.get("session_id") for entry in history]


def new_log(entry: dict[str, Any], history: list[dict[str, Any]], extra: dict[str, Any]) -> Log:
    """Return the log after a session. ``entry`` replaces what the same session has recorded before."""
    older = [each for each in history if each.get("session_id") != entry["session_id"]]
    return {
        "session_id": entry["session_id"],
        "source_last_seq": entry["recorded_seq"],
        "replication_id_version": LOG_VERSION,
        **extra,
        "history": [entry, *older][:MAX_HISTORY],
    }
