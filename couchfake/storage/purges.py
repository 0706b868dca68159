"""What was purged from a database, so that indexes and replicas can forget it too."""

from __future__ import annotations

from couchfake.storage.revision_ids import RevisionId, format_rev


class PurgeHistory:
    """Purge requests by their sequence; the oldest leave when there are more than ``limit``."""

    __slots__ = ("_infos", "limit", "seq")

    def __init__(self) -> None:
        self.seq = 0
        self.limit = 1000
        self._infos: list[tuple[int, str, list[str]]] = []

    def copy(self) -> PurgeHistory:
        copied = PurgeHistory()
        copied.seq, copied.limit, copied._infos = self.seq, self.limit, list(self._infos)
        return copied

    def add(self, docid: str, revs: list[RevisionId]) -> None:
        self.seq += 1
        self._infos.append((self.seq, docid, [format_rev(rev) for rev in revs]))

    def since(self, seq: int) -> list[tuple[int, str, list[str]]]:
        """``(purge sequence, document id, revisions)`` of the requests after ``seq``. Costs what it answers."""
        oldest = self.seq - len(self._infos)  # they are numbered without gaps
        return self._infos[max(0, seq - oldest) :]

    def trim(self) -> None:
        """Compaction keeps only the newest ``limit``."""
        del self._infos[: max(0, len(self._infos) - self.limit)]
