"""What a replication needs of the databases at its two ends."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from couchfake.errors import CouchError
from couchfake.storage.edits import Edit

UpdateSequence = Any
"""A sequence of the source, as it gave it out: opaque to everybody else (``0`` is the beginning)."""


class SourceChange(NamedTuple):
    """A document that changed: where in the source's order, and its revisions."""

    seq: UpdateSequence
    docid: str
    revs: list[str]


class Page(NamedTuple):
    """Changes in order; ``last_seq`` is how far the source looked, filtered ones included."""

    changes: list[SourceChange]
    last_seq: UpdateSequence


@dataclass
class SourceFilter:
    """Which changes of the source count. ``filter`` is ``ddoc/name`` or a built-in one, with its parameters."""

    doc_ids: list[str] | None = None
    selector: dict[str, Any] | None = None
    filter: str | None = None
    query_params: dict[str, Any] = field(default_factory=dict)
    winning_revs_only: bool = False


class Fetched(NamedTuple):
    """Revisions that came from a source. ``in_bulk`` of them came by ``_bulk_get``, ``attempts`` were tried so."""

    edits: list[Edit]
    in_bulk: int = 0
    attempts: int = 0


class Unreachable(Exception):
    """A peer that does not answer, or not as a CouchDB: worth another try later."""


class ReplicationEndpoint(Protocol):
    """One end of a replication. Methods raise ``CouchError`` for refusals and ``Unreachable`` for no answer."""

    @property
    def name(self) -> str:
        """As it is shown to people: an URL, never with credentials."""

    def open(self) -> None:
        """Make sure that the database is there and may be read."""

    def create(self, params: dict[str, Any]) -> None:
        """Make the database, unless it is there."""

    def update_seq(self) -> UpdateSequence: ...

    def design_document(self, name: str) -> dict[str, Any] | None:
        """``_design/{name}``; None where there is none."""

    def changes(self, query: SourceFilter, since: UpdateSequence, limit: int) -> Page: ...

    def wait(self, since: UpdateSequence, seconds: float, stopping: threading.Event) -> None:
        """Return when something may have changed after ``since``, after some seconds at the latest.

        Who wants it to end sooner sets ``stopping`` and calls ``interrupt``.
        """

    def interrupt(self) -> None:
        """Wake a ``wait`` of another thread."""

    def missing(self, revs: dict[str, list[str]]) -> dict[str, list[str]]:
        """Of the named revisions those that are not here."""

    def fetch(self, docid_revs: Sequence[tuple[str, list[str]]], bulk: bool) -> Fetched: ...

    def write(self, edits: list[Edit]) -> list[CouchError]:
        """Take revisions in; the refusals of single ones."""

    def read_local(self, docid: str) -> dict[str, Any] | None: ...

    def write_local(self, docid: str, document: dict[str, Any]) -> None: ...
