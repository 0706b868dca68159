"""What was purged from a database, so that indexes and replicas can forget it too."""

from __future__ import annotations

from couchfake.storage.revision_ids import RevisionId, format_rev

PurgeInfo = tuple[int, str, list[str]]
"""A purge sequence, a document's id, and the revisions that the request named."""


class PurgeHistory:
    """Purge requests by their sequence. ``listed`` shows no more than ``limit`` once ``trim`` was called.

    All of them are kept for indexes, which may be further behind.
    """

    __slots__ = ("_first_listed", "_infos", "limit", "seq")

    def __init__(self) -> None:
        self.seq = 0
        self.limit = 1000
        self._infos: list[PurgeInfo] = []
        self._first_listed = 0

    def copy(self) -> PurgeHistory:
        copied = PurgeHistory()
        copied.seq, copied.limit, copied._infos = self.seq, self.limit, list(self._infos)
        copied._first_listed = self._first_listed
        return copied

    def add(self, docid: str, revs: list[RevisionId]) -> None:
        self._infos.append((self.seq + 1, docid, [format_rev(rev) for rev in revs]))
        self.seq += 1

    def since(self, seq: int) -> list[PurgeInfo]:
        """Return the requests after ``seq``."""
        return self._infos[seq:]

    def listed(self) -> list[PurgeInfo]:
        """Return the requests that the history still shows."""
        return self._infos[self._first_listed :]

    def trim(self) -> None:
        """Show only the newest ``limit`` requests from now on."""
        self._first_listed = max(self._first_listed, len(self._infos) - self.limit)

    def state(self) -> tuple[int, int]:
        """Return what ``restore`` needs to undo later changes."""
        return self.seq, self._first_listed

    def restore(self, state: tuple[int, int]) -> None:
        """Put an earlier state back."""
        self.seq, self._first_listed = state
        del self._infos[self.seq :]
