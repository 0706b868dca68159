"""What a replication needs of its two databases."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from couchfake.errors import CouchError
from couchfake.storage.edits import Edit

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
