"""Writing edits into a database, by the rules of the real server.

An interactive edit must extend a leaf, else it conflicts; a replicated one is always taken in. Documents of one
request get their sequences in the order of their ids. Where a validation function, an attachment or a design
document is in play every edit of the request is looked at first ("prepared"), and only then the edits are merged;
without them an unknown parent is not a conflict for a document that does not exist. Source: ``couch_db``,
``couch_db_updater``; CouchDB documentation, "Replication and conflict model".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from couchfake.errors import Conflict, CouchError, MissingStub
from couchfake.storage import attachments
from couchfake.storage.activity import Activity
from couchfake.storage.database import Database, Outcome
from couchfake.storage.documents import Body, DocumentEntry, LocalDocument
from couchfake.storage.edits import Edit
from couchfake.storage.journal import Transaction
from couchfake.storage.partitions import check_room, full_partitions
from couchfake.storage.revision_ids import RevisionId, revision_hash
from couchfake.storage.revision_tree import Fill, Revision
from couchfake.storage.sizes import WRITE_OVERHEAD
from couchfake.values.erlang import INTEGER, read_integer


class _Task:
    """An edit on its way, with what has become of it."""

    __slots__ = ("edit", "outcome")

    def __init__(self, edit: Edit) -> None:
        self.edit = edit
        self.outcome: Outcome | None = None


def _docid(task: _Task) -> str:
    return task.edit.id


def write(database: Database, edits: Sequence[Edit], user: Any, new_edits: bool = True) -> list[Outcome]:
    """Write the edits; for each, in their order, the new revision or the error that refused it.

    Raises a CouchError where the server refuses the request as a whole, before anything is written.
    """
    verdicts = Verdicts(database, user)
    with database.lock:
        database.require_open()
        for edit in edits:
            database.hooks.before_doc_update(database, edit, user, new_edits)
        outcomes = _write(database, edits, new_edits, verdicts)
    while outcomes is None:
        verdicts.reach()  # without the lock: whoever reads or writes need not wait for JavaScript
        with database.lock:
            database.require_open()
            outcomes = _write(database, edits, new_edits, verdicts)
    database.hooks.after_write(database)
    return outcomes


def _write(database: Database, edits: Sequence[Edit], new_edits: bool, verdicts: Verdicts) -> list[Outcome] | None:
    """Write the edits. Return None, having written nothing, if verdicts of validation functions are missing."""
    tasks = [_Task(edit) for edit in edits]
    local: list[_Task] = []
    stored: list[_Task] = []
    for task in tasks:
        (local if task.edit.id.startswith("_local/") else stored).append(task)
    stored.sort(key=_docid)
    if _must_prepare(database, stored):
        prepare = _prepare_edit if new_edits else _prepare_replicated
        for task in stored:
            prepare(database, task, stored, verdicts)
        if verdicts.missing:
            return None
        for task in stored:
            if task.outcome is None:
                attachments.require_data(task.edit.inputs)
    full = full_partitions(database, (task.edit.id for task in stored)) if new_edits else ()
    known = len(database.entries)
    transaction = database.begin(list(edits))
    try:
        for docid, bucket in groupby([task for task in stored if task.outcome is None], _docid):
            _merge_bucket(database, docid, list(bucket), new_edits, full, transaction)
        for task in local:
            transaction.note_local(task.edit.id, database.local_documents.get(task.edit.id))
            _write_local(database, task)
            if not new_edits and task.edit.rev is not None:
                task.outcome = task.edit.rev  # what the writer sent, although the document has the next one
        written, inserted = database.update_seq - transaction.update_seq, len(database.entries) - known
        database.commit(transaction)
    except BaseException:
        database.abort(transaction)
        raise
    _count(database.activity, written, inserted, len(local))
    return [_outcome(task) for task in tasks]


def _count(activity: Activity, written: int, inserted: int, local: int) -> None:
    activity.writes += 1
    activity.document_writes += written
    activity.document_inserts += inserted
    activity.local_document_writes += local


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
    for task in tasks:
        edit = task.edit
        if edit.inputs or edit.attachments or edit.id.startswith("_design/"):
            return True
    return database.hooks.has_validators(database)


class Verdicts:
    """The verdicts of validation functions on the edits of one request, by edit and the revision that it follows.

    A verdict holds as long as the design documents and the security object stay as they were.
    """

    __slots__ = ("_database", "_given", "_user", "missing")

    def __init__(self, database: Database, user: Any) -> None:
        self._database = database
        self._user = user
        self._given: dict[tuple[int, RevisionId | None], tuple[Any, CouchError | None]] = {}
        self.missing: list[tuple[Edit, Revision | None]] = []

    def of(self, edit: Edit, old: Revision | None) -> CouchError | None:
        """Return the error that refuses an edit; None if it may be written, or its verdict is missing so far."""
        if not self._database.hooks.runs_javascript(self._database, edit, self._user):
            return self._ask(edit, old)
        basis, error = self._given.get(_position(edit, old), (None, None))
        if basis is None or not all(a is b for a, b in zip(basis, self._basis())):
            self.missing.append((edit, old))
            return None
        return error

    def reach(self) -> None:
        """Run the validation functions for the verdicts that are missing. Call it without the database's lock."""
        missing, self.missing = self.missing, []
        for edit, old in missing:
            basis = self._basis()
            self._given[_position(edit, old)] = (basis, self._ask(edit, old))

    def _basis(self) -> tuple[Any, Any]:
        return self._database.hooks.validators(self._database), self._database.security

    def _ask(self, edit: Edit, old: Revision | None) -> CouchError | None:
        try:
            self._database.hooks.validate(self._database, edit, old, self._user)
        except CouchError as error:
            return error
        return None


def _position(edit: Edit, old: Revision | None) -> tuple[int, RevisionId | None]:
    return id(edit), None if old is None else old.key


def _validate(task: _Task, old: Revision | None, verdicts: Verdicts) -> None:
    task.outcome = verdicts.of(task.edit, old)


def _take_attachments(edit: Edit, parent: Revision | None, new_pos: int | None) -> None:
    if edit.inputs:
        known = () if parent is None else parent.attachments
        edit.attachments = attachments.resolve(edit.inputs, known, docid=edit.id, new_pos=new_pos)


def _prepare_edit(database: Database, task: _Task, _: list[_Task], verdicts: Verdicts) -> None:
    edit = task.edit
    entry = database.entries.get(edit.id)
    parent = None
    if edit.rev is not None:
        parent = entry.tree.find_leaf(edit.rev) if entry is not None else None
    if edit.has_stubs and entry is None:
        _take_attachments(edit, None, None)  # raises
    if (edit.rev is None and (entry is None or entry.counted)) or parent is not None:
        _take_attachments(edit, parent, edit.start + 1)
        _validate(task, parent, verdicts)
    else:
        task.outcome = Conflict()


def _prepare_replicated(database: Database, task: _Task, tasks: list[_Task], verdicts: Verdicts) -> None:
    edit = task.edit
    entry = database.entries.get(edit.id)
    if entry is None:
        _take_attachments(edit, None, None)
        _validate(task, None, verdicts)
        return
    assert edit.rev is not None
    if _is_known(entry, edit):
        task.outcome = edit.rev  # ignored, and counted as a success
    elif any(other is not task and other.edit.id == edit.id and _descends(other.edit, edit.rev) for other in tasks):
        task.outcome = edit.rev  # its descendant comes in the same request, and no body is kept for it
    else:
        old = _known_ancestor(entry, edit)
        if old is None and edit.has_stubs:
            raise MissingStub(f"Invalid attachment stub in {edit.id} for {_first_stub(edit)}")
        _take_attachments(edit, old, None)
        _validate(task, old, verdicts)


def _first_stub(edit: Edit) -> str:
    return next(entry.name for entry in edit.inputs if entry.is_stub)


def _is_known(entry: DocumentEntry, edit: Edit) -> bool:
    """Return whether a leaf is this revision, or the tree has the edit's history; leaves without a body are neither."""
    assert edit.rev is not None
    leaf = entry.tree.find_leaf(edit.rev)
    if leaf is not None:
        return leaf.body is not None
    return entry.tree.find(edit.rev) is not None and entry.tree.result_of(edit.start, edit.ids) == "internal_node"


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


def _merge_bucket(
    database: Database,
    docid: str,
    bucket: list[_Task],
    new_edits: bool,
    full: Collection[str],
    transaction: Transaction,
) -> None:
    """Merge all edits of one document. Together they take one sequence."""
    entry = database.entries.get(docid)
    transaction.note(docid, entry)
    entry = DocumentEntry(docid) if entry is None else database.changing(docid) or entry
    seq = database.update_seq + 1
    grown = False
    for task in bucket:
        fill = _filler(database, task.edit, seq, transaction)
        if new_edits:
            grown |= _merge_edit(database, entry, task, fill, full)
        else:
            grown |= _merge_replicated(database, entry, task, fill)
    if grown:
        limit = database.revs_limit
        if not new_edits:
            leaves = entry.leaves()
            entry.tree.repair(limit)
            if entry.leaves() is not leaves:
                database.leaf_sizes.replace(leaves, entry.leaves())
        if entry.tree.exceeds(limit) and (not new_edits or database.hooks.stem_interactive_updates()):
            entry.tree.stem(limit)
        database.add_entry(entry)
        written = WRITE_OVERHEAD
        for task in bucket:
            written += len(task.edit.encoded())
        database.appended += written
        database.touch(entry)
        database.count(entry, entry.deleted)


def _merge_edit(database: Database, entry: DocumentEntry, task: _Task, fill: Fill, full: Collection[str]) -> bool:
    edit = task.edit
    start, ids = edit.start, edit.ids
    hashed: Sequence[tuple[str, Any, bytes] | None] = attachments.hash_tuples(edit.attachments)
    if entry.counted:
        if start != 0 or edit.deleted:
            task.outcome = Conflict()
            return False
        # A deleted document that is created again continues from its tombstone.
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
    _, leaf, replaced = entry.tree.merge(start + 1, [new, *ids], fill, only_as_new_leaf=True)
    if leaf is None:
        task.outcome = Conflict()
        return False
    database.leaf_sizes.add(leaf, replaced)
    database.count(entry, entry.deleted)
    task.outcome = leaf.key
    return True


def _merge_replicated(database: Database, entry: DocumentEntry, task: _Task, fill: Fill) -> bool:
    edit = task.edit
    roots = entry.tree.roots
    filled: list[Revision] = []

    def note_and_fill(node: Revision) -> None:
        filled.append(node)
        fill(node)

    result, leaf, replaced = entry.tree.merge(edit.start, edit.ids, note_and_fill)
    if leaf is not None and result != "internal_node":
        database.leaf_sizes.add(leaf, replaced)
    task.outcome = edit.rev
    return bool(filled) or result != "internal_node" or roots is not entry.tree.roots


def _filler(database: Database, edit: Edit, seq: int, transaction: Transaction) -> Fill:
    def fill(node: Revision) -> None:
        transaction.note_fill(node)
        node.deleted = edit.deleted
        node.body = Body(edit.body, edit.encoded(), database.parsed)
        node.attachments = edit.attachments
        node.seq = seq

    return fill


def _write_local(database: Database, task: _Task) -> None:
    """Local documents never conflict: the new revision is one more than the revision that was named."""
    edit = task.edit
    if edit.deleted:
        database.put_local(edit.id, None)
        task.outcome = (0, b"0")
        return
    number = 0
    if edit.rev is not None:
        pos, raw = edit.rev
        text = raw.decode("utf-8", "replace")
        if pos != 0 or not INTEGER.fullmatch(text):
            task.outcome = CouchError(500, "error", "Invalid rev format")
            return
        number = read_integer(text)
    database.put_local(edit.id, LocalDocument(edit.id, number + 1, edit.body))
    task.outcome = (0, str(number + 1).encode("ascii"))
