"""Counts of what was done in a database.

The real server counts these for the node as a whole, reads and writes of its own databases (``_users`` and so on) left
out. Source: ``couch_db``, ``couch_db_updater``.
"""

from __future__ import annotations


class Activity:
    """``reads``: documents opened; ``writes``: requests to write; the others count documents. Not exact to the last
    one where threads meet, and so without a lock."""

    __slots__ = (
        "document_inserts",
        "document_writes",
        "indexed",
        "local_document_writes",
        "purges",
        "reads",
        "vdu_rejects",
        "writes",
    )

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self.document_writes = 0
        self.document_inserts = 0
        self.indexed = 0
        self.local_document_writes = 0
        self.purges = 0
        self.vdu_rejects = 0

    def copy(self) -> Activity:
        copied = Activity()
        copied.add(self, own=False)
        return copied

    def add(self, other: Activity, own: bool) -> None:
        """Add what was done elsewhere; ``own``: in a database of the server's own."""
        if not own:
            self.reads += other.reads
            self.writes += other.writes
        self.document_writes += other.document_writes
        self.document_inserts += other.document_inserts
        self.indexed += other.indexed
        self.local_document_writes += other.local_document_writes
        self.purges += other.purges
        self.vdu_rejects += other.vdu_rejects

    def counters(self) -> dict[str, int]:
        """By the names that ``_stats`` has for them, without their beginning."""
        return {
            "database_reads": self.reads,
            "database_writes": self.writes,
            "database_purges": self.purges,
            "document_inserts": self.document_inserts,
            "document_writes": self.document_writes,
            "local_document_writes": self.local_document_writes,
            "query_server.vdu_rejects": self.vdu_rejects,
        }
