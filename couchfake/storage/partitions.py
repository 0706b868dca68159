"""Partitioned databases: the rules for ids, ``partition:id``, and partitions that are full.

In a full partition interactive edits may not make documents larger; the partition's size before the request counts.
CouchDB documentation, "Partitioned Databases" and ``[couchdb] max_partition_size``; source: ``couch_db_updater``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from couchfake.errors import CouchError, IllegalDocid
from couchfake.storage.documents import DocumentEntry
from couchfake.storage.edits import Edit, check_docid, size_in_bytes
from couchfake.storage.revision_ids import RevisionId
from couchfake.storage.sizes import json_size

if TYPE_CHECKING:
    from couchfake.storage.database import Database


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
    if size_in_bytes(name) is None:
        raise _illegal_partition("be valid UTF-8")
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


def partition_entries(database: Database, partition: str) -> list[DocumentEntry]:
    prefix = f"{partition}:"
    return [entry for docid, entry in database.entries.items() if docid.startswith(prefix)]


def full_partitions(database: Database, docids: Iterable[str]) -> Collection[str]:
    """Return which of the documents' partitions are full."""
    if not database.partitioned:
        return ()
    limit = database.hooks.max_partition_size()
    if not 0 < limit <= database.external_size:  # no partition is larger than the database
        return ()
    partitions = {partition_of(docid) for docid in docids if not is_exempt(docid)}
    return [each for each in partitions if sum(entry.size() for entry in partition_entries(database, each)) >= limit]


def check_room(full: Collection[str], entry: DocumentEntry, edit: Edit, parent: RevisionId | None) -> None:
    """Raise a 403 if an edit makes its document larger in a full partition. Edits that will conflict pass."""
    if not full or is_exempt(edit.id) or partition_of(edit.id) not in full:
        return
    replaced = 0
    if entry.tree.roots:
        leaf = next((leaf for leaf in entry.leaves() if leaf.key == parent), None)
        if leaf is None:
            return
        replaced = leaf.size()
    if json_size(edit.body) + sum(each.encoded_length for each in edit.attachments) > replaced:
        raise CouchError(403, "partition_overflow", f"Partition limit exceeded due to update on '{edit.id}'")
