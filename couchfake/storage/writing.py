"""Writing edits into a database, by the rules of the real server.

An interactive edit must extend a leaf, else it conflicts; a replicated one is always taken in. Documents of one
request get their sequences in the order of their ids. Where a validation function, an attachment or a design
document is in play every edit of the request is looked at first ("prepared"), and only then the edits are merged;
without them a parent that nobody knows is no conflict for a document that is not there. Source: ``couch_db``,
``couch_db_updater``; CouchDB documentation, "Replication and conflict model".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from couchfake.errors import Conflict, CouchError, MissingStub
from couchfake.storage import attachment_inputs, attachments
from couchfake.storage.bodies import Body
from couchfake.storage.database import Database, Outcome
from couchfake.storage.documents import DocumentEntry, LocalDocument
from couchfake.storage.edits import Edit
from couchfake.storage.full_partitions import check_room, full_partitions
from couchfake.storage.revision_hash import revision_hash
from couchfake.storage.revision_ids import RevisionId
from couchfake.storage.revision_tree import Fill, Revision
from couchfake.values.integers import read_integer


@dataclass
class _Task:
    """An edit on its way, with what has become of it."""

    edit: Edit
    outcome: Outcome | None = None


def write(database: Database, edits: Sequence[Edit], user: Any, new_edits: bool = True) -> list[Outcome]:
    """Write the edits; for each, in their order, the new revision or the error that refused it.

    Raises a CouchError where the server refuses the request as a whole, before anything is written.
    """
    with database.lock:
        database.require_open()
        tasks = [_Task(edit) for edit in edits]
        for edit in edits:
            database.rules.before_write(database, edit, user, new_edits)
        local: list[_Task] = []
        stored: list[_Task] = []
        for task in tasks:
            (local if task.edit.id.startswith("_local/") else stored).append(task)
        stored.sort(key=lambda task: task.edit.id)
        if _must_prepare(database, stored):
            prepare = _prepare_edit if new_edits else _prepare_replicated
            for task in stored:
                prepare(database, task, stored, user)
        before, known = database.update_seq, len(database.entries)
        full = full_partitions(database, (task.edit.id for task in stored)) if new_edits else ()
        for docid, bucket in groupby((task for task in stored if task.outcome is None), lambda task: task.edit.id):
            _merge_bucket(database, docid, list(bucket), new_edits, full)
        for task in local:
            _write_local(database, task)
            if not new_edits and not isinstance(task.outcome, CouchError):
                task.outcome = task.edit.rev  # the writer is told what he sent; the document has the next one
        activity = database.activity
        activity.writes += 1
        activity.document_writes += database.update_seq - before
        activity.document_inserts += len(database.entries) - known
        activity.local_document_writes += len(local)
        if database.update_seq != before:
            database.rules.after_write(database, list(edits))
            database.changed.notify_all()
        return [_outcome(task) for task in tasks]


def write_one(database: Database, edit: Edit, user: Any, new_edits: bool = True) -> RevisionId:
    """Write one edit, or raise why not."""
    [outcome] = write(database, [edit], user, new_edits)
    if isinstance(outcome, CouchError):
        raise outcome
    return outcome


def _outcome(task: _Task) -> Outcome:
    assert task.outcome is not None
    return task.outcome


# ---- looking at edits before any is written


def _must_prepare(database: Database, tasks: list[_Task]) -> bool:
    return any(
        task.edit.inputs or task.edit.attachments or task.edit.id.startswith("_design/") for task in tasks
    ) or database.rules.has_validators(database)


def _validate(database: Database, task: _Task, old: Revision | None, user: Any) -> None:
    try:
        database.rules.validate(database, task.edit, old, user)
    except CouchError as error:
        task.outcome = error


def _take_attachments(edit: Edit, parent: Revision | None, new_pos: int | None) -> None:
    if edit.inputs:
        known = () if parent is None else parent.attachments
        edit.attachments = attachment_inputs.resolve(edit.inputs, known, docid=edit.id, new_pos=new_pos)


def _prepare_edit(database: Database, task: _Task, _: list[_Task], user: Any) -> None:
    edit = task.edit
    entry = database.entries.get(edit.id)
    parent = None
    if edit.rev is not None:
        leaves = entry.leaves() if entry is not None else []
        parent = next((leaf for leaf in leaves if leaf.key == edit.rev), None)
    if edit.has_stubs and entry is None:
        _take_attachments(edit, None, None)  # raises
    if (edit.rev is None and (entry is None or entry.counted)) or parent is not None:
        _take_attachments(edit, parent, edit.start + 1)
        _validate(database, task, parent, user)
    else:
        task.outcome = Conflict()


def _prepare_replicated(database: Database, task: _Task, tasks: list[_Task], user: Any) -> None:
    edit = task.edit
    entry = database.entries.get(edit.id)
    if entry is None:
        _take_attachments(edit, None, None)
        _validate(database, task, None, user)
        return
    assert edit.rev is not None
    if entry.tree.find(edit.rev) is not None and not _fills_a_leaf(entry, edit.rev):
        task.outcome = edit.rev  # known already: ignored, and counted a success
    elif any(other is not task and other.edit.id == edit.id and _descends(other.edit, edit.rev) for other in tasks):
        task.outcome = edit.rev  # its descendant comes in the same request, and no body is kept for it
    else:
        old = _known_ancestor(entry, edit)
        if old is None and edit.has_stubs:
            raise MissingStub(f"Invalid attachment stub in {edit.id} for {_first_stub(edit)}")
        _take_attachments(edit, old, None)
        _validate(database, task, old, user)


def _first_stub(edit: Edit) -> str:
    return next(entry.name for entry in edit.inputs if entry.is_stub)


def _fills_a_leaf(entry: DocumentEntry, rev: RevisionId) -> bool:
    return any(leaf.key == rev and leaf.body is None for leaf in entry.leaves())


def _descends(edit: Edit, rev: RevisionId) -> bool:
    steps = edit.start - rev[0]
    return 0 < steps < len(edit.ids) and edit.ids[steps] == rev[1]


def _known_ancestor(entry: DocumentEntry, edit: Edit) -> Revision | None:
    """The nearest revision above the edit's whose body is there."""
    for steps, raw in enumerate(edit.ids[1:], 1):
        node = entry.tree.find((edit.start - steps, raw))
        if node is not None:
            return next((above for above in node.lineage() if above.body is not None), None)
    return None


# ---- merging them


def _merge_bucket(database: Database, docid: str, bucket: list[_Task], new_edits: bool, full: Collection[str]) -> None:
    """All edits of one document: they get one sequence together."""
    entry = database.changing(docid)
    if entry is None:
        entry = DocumentEntry(docid)
    seq = database.update_seq + 1
    size = entry.size()
    grown = False
    for task in bucket:
        if new_edits:
            grown |= _merge_edit(database, entry, task, seq, full)
        else:
            grown |= _merge_replicated(database, entry, task, seq)
    if grown:
        if not new_edits:
            entry.tree.repair(database.revs_limit)
        entry.tree.stem(database.revs_limit)
        database.add_entry(entry)
        database.size += entry.size() - size
        database.touch(entry)
        database.count(entry, entry.deleted)


def _merge_edit(database: Database, entry: DocumentEntry, task: _Task, seq: int, full: Collection[str]) -> bool:
    edit = task.edit
    start, ids = edit.start, edit.ids
    hashed: Sequence[tuple[str, Any, bytes] | None] = attachments.hash_tuples(edit.attachments)
    if entry.counted:
        if start != 0 or edit.deleted:
            task.outcome = Conflict()
            return False
        # A deleted document that is written anew goes on from its tombstone.
        start, ids = entry.winner.pos, [entry.winner.id]
        hashed = [None] * len(hashed)
    parent = (start, ids[0]) if ids else None
    if parent is not None and not parent[1]:
        task.outcome = Conflict()
        return False
    try:
        check_room(full, entry, edit, parent)
    except CouchError as error:
        task.outcome = error
        return False
    new = bytes.fromhex(revision_hash(edit.deleted, parent, edit.body, hashed))
    _, node = entry.tree.merge(start + 1, [new, *ids], _filler(database, edit, seq), only_as_new_leaf=True)
    if node is None:
        task.outcome = Conflict()
        return False
    database.count(entry, entry.deleted)
    task.outcome = node.key
    return True


def _merge_replicated(database: Database, entry: DocumentEntry, task: _Task, seq: int) -> bool:
    edit = task.edit
    roots = [root.key for root in entry.tree.roots]
    filled: list[Revision] = []
    fill = _filler(database, edit, seq)

    def note_and_fill(node: Revision) -> None:
        filled.append(node)
        fill(node)

    result, _ = entry.tree.merge(edit.start, edit.ids, note_and_fill)
    task.outcome = edit.rev
    return bool(filled) or result != "internal_node" or roots != [root.key for root in entry.tree.roots]


def _filler(database: Database, edit: Edit, seq: int) -> Fill:
    def fill(node: Revision) -> None:
        node.deleted = edit.deleted
        node.body = Body(edit.body, edit.encoded(), database.parsed)
        node.attachments = edit.attachments
        node.seq = seq

    return fill


def _write_local(database: Database, task: _Task) -> None:
    """Local documents never conflict: the new revision is one more than the one that was named, whatever is there."""
    edit = task.edit
    number = 0
    if edit.rev is not None:
        pos, raw = edit.rev
        if pos != 0 or not raw.isdigit():
            task.outcome = CouchError(500, "error", "Invalid rev format")
            return
        number = read_integer(raw.decode("ascii"))
    if edit.deleted:
        database.put_local(edit.id, None)
        task.outcome = (0, b"0")
    else:
        database.put_local(edit.id, LocalDocument(edit.id, number + 1, edit.body))
        task.outcome = (0, str(number + 1).encode("ascii"))
