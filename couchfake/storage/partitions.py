"""The rules for ids in a partitioned database: ``partition:id``. CouchDB documentation, "Partitioned Databases"."""

from __future__ import annotations

from typing import Any

from couchfake.errors import CouchError, IllegalDocid
from couchfake.storage.edits import check_docid


def is_exempt(docid: str) -> bool:
    """Design and local documents belong to no partition."""
    return docid.startswith(("_design/", "_local/"))


def partition_of(docid: str) -> str:
    """The partition of an id; IllegalDocid where it names none."""
    partition, colon, _ = docid.partition(":")
    if not colon:
        raise IllegalDocid("Doc id must be of form partition:id")
    return partition


def check_partition(name: Any) -> str:
    """The name, if a partition can have it."""
    if not isinstance(name, str):
        raise _illegal_partition("be a string")
    if not name:
        raise _illegal_partition("not be empty")
    if name.startswith("_"):
        raise _illegal_partition("not start with an underscore")
    if ":" in name:
        raise _illegal_partition("not contain a colon")
    return name


def _illegal_partition(rule: str) -> CouchError:
    return CouchError(400, "illegal_partition", f"Partition must {rule}")


def check_partitioned_docid(docid: str) -> None:
    """Refuse an id that a document of a partitioned database cannot be written under."""
    if not is_exempt(docid):
        partition = partition_of(docid)
        check_partition(partition)
        check_docid(docid[len(partition) + 1 :])
