"""Which ids a request may name: for writing, and (in partitioned databases) for reading."""

from __future__ import annotations

from couchfake.chttpd.request import Request
from couchfake.settings import MAX_DOCUMENT_ID_LENGTH
from couchfake.storage.edits import check_docid
from couchfake.storage.partitions import check_partitioned_docid, is_exempt, partition_of


def require_writable(request: Request, docid: str) -> None:
    """Refuse an id that no document of the request's database can have."""
    check_docid(docid, request.node.config[MAX_DOCUMENT_ID_LENGTH])
    if request.db.partitioned:
        check_partitioned_docid(docid)


def require_readable(request: Request, docid: str) -> None:
    """In a partitioned database an id without a partition is refused even for reading."""
    if request.db.partitioned and not is_exempt(docid):
        partition_of(docid)
