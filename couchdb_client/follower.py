"""Following the changes of a database through restarts of the server, of the network and of the program."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import requests

from couchdb_client.changes import open_feed, read_change
from couchdb_client.document import get
from couchdb_client.errors import CertificateError, ConnectionFailed, ServerError, TimedOut
from couchdb_client.options import Change
from couchdb_client.resource import Resource
from couchdb_client.streams import ResponseBody

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Checkpoint", "Follower", "LocalCheckpoint"]

log = logging.getLogger("couchdb_client")

#: Seconds before each further attempt to reach the server; the last of them is repeated.
DELAYS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

_FAILURES = (ConnectionFailed, TimedOut, ServerError, requests.exceptions.ProxyError)


class Checkpoint(Protocol):
    """Where a follower notes how far it has come."""

    def load(self) -> Any:
        """Return the sequence that was saved last; None if none was saved."""

    def save(self, seq: Any) -> None:
        """Note that all changes up to ``seq`` have been handled."""


class LocalCheckpoint:
    """A checkpoint in a local document (``_local/NAME``) of the database, which is not replicated."""

    def __init__(self, database: Resource, name: str) -> None:
        self.docid = f"_local/{name}"
        self._database = database
        self._doc: dict[str, Any] | None = None

    def load(self) -> Any:
        return self._read().get("seq")

    def save(self, seq: Any) -> None:
        doc = self._doc or self._read()
        doc["seq"] = seq
        doc["_rev"] = self._database.of_document(self.docid).fetch("PUT", body=doc)["rev"]

    def _read(self) -> dict[str, Any]:
        doc: dict[str, Any] = get(self._database, self.docid, None, {}) or {"_id": self.docid}
        self._doc = doc
        return doc


class Follower(Iterator[Change]):
    """The changes of a database, one after the other, without end.

    When the feed ends or breaks, or the server answers with an error of status 500 or above, it is opened again from
    the last change, after a pause that grows with each failure in a row (``delays``, in seconds). Errors that do not
    go away by waiting, like a missing database, missing rights or a certificate that is not trusted, are raised.

    With a ``checkpoint``, following begins where it has been saved last (else at ``since``), and it is saved when the
    change after each ``save_every``-th is requested, and by `close`. A program that ends in between gets the changes
    since then again: each change is handled at least once.

    Iterate in one thread; `close` may be called from any, and ends the iteration.
    """

    def __init__(
        self,
        database: Resource,
        options: Mapping[str, Any],
        since: Any = 0,
        *,
        checkpoint: Checkpoint | None = None,
        save_every: int = 1,
        heartbeat: int = 30_000,
        delays: tuple[float, ...] = DELAYS,
    ) -> None:
        self._database = database
        self._options = {**options, "feed": "continuous", "heartbeat": heartbeat}
        self._checkpoint = checkpoint
        self._save_every = save_every
        self._delays = delays
        self._feed: ResponseBody | None = None
        self._is_reading = False
        self._failures = 0
        self._unsaved = 0
        self._closed = threading.Event()
        saved = checkpoint.load() if checkpoint is not None else None
        #: The sequence of the last change.
        self.since: Any = since if saved is None else saved

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __next__(self) -> Change:
        if self._unsaved >= self._save_every:
            self._save()
        self._is_reading = True
        try:
            while not self._closed.is_set():
                try:
                    change = self._next()
                except _FAILURES as exc:
                    self._pause(exc)
                    continue
                if change is not None:
                    return change
        finally:
            self._is_reading = False
            if self._closed.is_set():
                self._stop()
        raise StopIteration

    def close(self) -> None:
        """End the iteration, also where another thread waits in it, and save the checkpoint."""
        self._closed.set()
        feed = self._feed
        if not self._is_reading:
            self._stop()
        elif feed is not None:
            feed.interrupt()
        if self._unsaved:
            self._save()

    def _next(self) -> Change | None:
        """Return the next change, None if the feed has ended."""
        if self._feed is None:
            self._feed = open_feed(self._database, {**self._options, "since": self.since})
        change = None
        while change is None and not self._closed.is_set():
            line = self._feed.readline()
            if not line.endswith(b"\n"):
                break
            self._failures = 0
            change = read_change(line)
        if change is None or "id" not in change:
            if change is not None:
                self.since = change.get("last_seq", self.since)
                self._feed.read()  # to the end, so that the connection can be used again
            self._stop()
            return None
        self.since = change["seq"]
        self._unsaved += 1
        return change

    def _pause(self, exc: Exception) -> None:
        """Wait before another attempt. Raise ``exc`` if it will not go away by waiting."""
        self._stop()
        status = getattr(exc, "status", None)
        if self._closed.is_set():
            return
        if isinstance(exc, CertificateError) or (isinstance(status, int) and status < 500):
            raise exc
        delay = self._delays[min(self._failures, len(self._delays) - 1)]
        self._failures += 1
        log.info("the changes feed broke (%s), opening it again in %s s", exc, delay)
        self._closed.wait(delay)

    def _stop(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()

    def _save(self) -> None:
        self._unsaved = 0
        if self._checkpoint is not None:
            self._checkpoint.save(self.since)
