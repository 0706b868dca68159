"""A document as the database keeps it: bodies and their sizes, entries, and the JSON that clients read.

Most documents are written once and read as text, so the text of a body is what is kept; parsed values are five times as
big. A bounded number of parsed bodies stays in memory beside their texts, the oldest parsed leaving first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from couchfake.storage import attachments as stored_attachments
from couchfake.storage.attachments import Attachment
from couchfake.storage.revision_ids import RevisionId
from couchfake.storage.revision_tree import Revision, RevisionTree
from couchfake.storage.sizes import json_size, text_size
from couchfake.values import json

PARSED_OVERHEAD = 400
"""Bytes that a parsed body counts beside its text, so that the number of small ones is bounded too."""


class ParsedBodies:
    """The parsed bodies of one server.

    At most ``limit`` bytes are kept: the bodies' texts, and ``PARSED_OVERHEAD`` for each of them.
    """

    def __init__(self, limit: int = 40_000_000) -> None:
        self._limit = limit
        self._size = 0
        self._queue: deque[Body] = deque()

    def keep(self, body: Body) -> None:
        """Count a body that was parsed, and drop the values of the oldest bodies if there are too many."""
        self._queue.append(body)
        self._size += len(body.json) + PARSED_OVERHEAD
        while self._size > self._limit:
            try:
                oldest = self._queue.popleft()
            except IndexError:  # another thread was faster
                self._size = 0
                return
            oldest.forget()
            self._size -= len(oldest.json) + PARSED_OVERHEAD


class Body:
    """The members of a document without the underscore ones. ``json`` is the object's text, ``{…}``, in UTF-8."""

    __slots__ = ("_parsed", "_size", "_value", "json")

    def __init__(self, value: dict[str, Any], encoded: bytes, parsed: ParsedBodies) -> None:
        self.json = encoded
        self._parsed = parsed
        self._value: dict[str, Any] | None = value
        self._size: int | None = None
        parsed.keep(self)

    @property
    def value(self) -> dict[str, Any]:
        """The members as values. They are shared: never change them."""
        value = self._value
        if value is None:
            value = self._value = json.loads(self.json)
            self._parsed.keep(self)
        return value

    @property
    def size(self) -> int:
        """The bytes of the body as ``sizes`` counts them."""
        size = self._size
        if size is None:
            size = text_size(self.json)
            self._size = size = json_size(self.value) if size is None else size
        return size

    def forget(self) -> None:
        self._value = None


# ---- entries and their JSON


class DocumentEntry:
    """One document, deleted or not: its id, its latest update sequence, its revisions.

    ``counted`` says how the database's counts have it: True as deleted, False as live, None not at all. A purge does
    not look at it again, so that it can differ from ``deleted`` (the real server's counts go wrong in the same way).
    """

    __slots__ = ("counted", "id", "seq", "tree")

    def __init__(self, id: str) -> None:
        self.id = id
        self.seq = 0
        self.counted: bool | None = None
        self.tree = RevisionTree()

    def copy(self) -> DocumentEntry:
        """Return an entry that can be changed without changing this one."""
        entry = DocumentEntry(self.id)
        entry.seq, entry.counted, entry.tree = self.seq, self.counted, self.tree.copy()
        return entry

    @property
    def winner(self) -> Revision:
        return self.tree.leaves[0]

    @property
    def deleted(self) -> bool:
        return self.tree.leaves[0].deleted

    def leaves(self) -> tuple[Revision, ...]:
        """The leaves, winner first, the others by rank."""
        return self.tree.leaves

    def size(self) -> int:
        """Return the bytes of the leaves' bodies and attachments, as ``sizes.external`` counts them."""
        return sum(leaf.size() for leaf in self.tree.leaves)


class LocalDocument:
    """A document of ``_local/``: it has no history; its revision is ``0-N``."""

    __slots__ = ("body", "id", "rev")

    def __init__(self, id: str, rev: int, body: dict[str, Any]) -> None:
        self.id = id
        self.rev = rev
        self.body = body

    def document(self, revs: bool = False) -> dict[str, Any]:
        shown = {"_id": self.id, "_rev": f"0-{self.rev}", **self.body}
        if revs:
            shown["_revisions"] = {"start": 0, "ids": [str(self.rev)]}
        return shown


@dataclass
class DocOptions:
    """Additions to a document's JSON, named like the query parameters that request them."""

    revs: bool = False
    revs_info: bool = False
    conflicts: bool = False
    deleted_conflicts: bool = False
    local_seq: bool = False
    attachments: bool = False
    follows: bool = False
    att_encoding_info: bool = False
    atts_since: tuple[RevisionId, ...] | None = None

    @property
    def any_meta(self) -> bool:
        return self.revs_info or self.conflicts or self.deleted_conflicts or self.local_seq

    def without_meta(self) -> DocOptions:
        """Return the same options without the members about other revisions and the sequence."""
        if not self.any_meta:
            return self
        return replace(self, revs_info=False, conflicts=False, deleted_conflicts=False, local_seq=False)


PLAIN = DocOptions()


def lineage(leaf: Revision, limit: int) -> list[Revision]:
    """A revision and its ancestors, at most ``limit`` (the database's revs_limit shows at once on reads)."""
    nodes: list[Revision] = []
    node: Revision | None = leaf
    while node is not None and len(nodes) < limit:
        nodes.append(node)
        node = node.parent
    return nodes


def meta_members(entry: DocumentEntry, leaf: Revision, shown: DocOptions) -> dict[str, Any]:
    """Return the members about the document's other revisions, in the server's order."""
    meta: dict[str, Any] = {}
    if shown.revs_info:
        meta["_revs_info"] = [{"rev": node.rev, "status": status(node)} for node in leaf.lineage()]
    losers = entry.leaves()[1:]
    if shown.conflicts:
        revs = [each.rev for each in losers if not each.deleted]
        if revs:
            meta["_conflicts"] = revs
    if shown.deleted_conflicts:
        revs = [each.rev for each in losers if each.deleted]
        if revs:
            meta["_deleted_conflicts"] = revs
    if shown.local_seq:
        meta["_local_seq"] = entry.seq
    return meta


def status(node: Revision) -> str:
    if node.body is None:
        return "missing"
    return "deleted" if node.deleted else "available"


def revisions_member(leaf: Revision, limit: int) -> dict[str, Any]:
    return {"start": leaf.pos, "ids": [node.hash for node in lineage(leaf, limit)]}


def body_of(leaf: Revision) -> dict[str, Any]:
    return {} if leaf.body is None else leaf.body.value


def document(docid: str, leaf: Revision) -> dict[str, Any]:
    """``_id``, ``_rev``, the body, ``_deleted``, attachment stubs: a new dict whose nested values are shared."""
    shown: dict[str, Any] = {"_id": docid, "_rev": leaf.rev}
    if leaf.body is not None:
        shown.update(leaf.body.value)
    if leaf.deleted:
        shown["_deleted"] = True
    if leaf.attachments:
        shown["_attachments"] = stored_attachments.render_all(leaf.attachments)
    return shown


def encoded_document(
    docid: str,
    leaf: Revision,
    extra: Collection[tuple[str, Any]] = (),
    attachments: dict[str, Any] | None = None,
) -> bytes:
    """The same as JSON text, from the text that is kept; ``extra`` are meta members, ``attachments`` their JSON."""
    head = json.utf8(f'{{"_id":{json.quote(docid)},"_rev":"{leaf.rev}"')
    body = leaf.body
    members = b"}" if body is None else body.json[1:]
    if not (extra or attachments or leaf.deleted):
        return b"%b,%b" % (head, members) if len(members) > 1 else head + members
    parts = [head]
    if len(members) > 1:
        parts += [b",", members[:-1]]
    if leaf.deleted:
        parts.append(b',"_deleted":true')
    for name, value in extra:
        parts += [b',"', name.encode("ascii"), b'":', json.encode(value)]
    if attachments:
        parts += [b',"_attachments":', json.encode(attachments)]
    parts.append(b"}")
    return b"".join(parts)


def shown_document(entry: DocumentEntry, leaf: Revision, shown: DocOptions, limit: int) -> bytes:
    """Return a revision's JSON text with the requested additions."""
    if shown is PLAIN and not leaf.attachments:
        return encoded_document(entry.id, leaf)
    extra: dict[str, Any] = {}
    if shown.revs:
        extra["_revisions"] = revisions_member(leaf, limit)
    if shown.any_meta:
        extra.update(meta_members(entry, leaf, shown))
    return encoded_document(entry.id, leaf, extra.items(), attachments_member(leaf, shown))


def attachments_member(leaf: Revision, shown: DocOptions) -> dict[str, Any] | None:
    if not leaf.attachments:
        return None
    form: stored_attachments.Form = "follows" if shown.follows else "data" if shown.attachments else "stub"
    return stored_attachments.render_all(
        leaf.attachments, form, encoding_info=shown.att_encoding_info, since_pos=since_pos(leaf, shown)
    )


def since_pos(leaf: Revision, shown: DocOptions) -> int:
    """The generation of the newest of ``atts_since`` that is an ancestor: later attachments only are sent.

    -1 if there is none: an attachment that was replicated without ``revpos`` has 0.
    """
    if shown.atts_since is None:
        return -1
    known = set(shown.atts_since)
    return next((node.pos for node in leaf.lineage() if node.key in known), -1)


def sent_attachments(leaf: Revision, shown: DocOptions) -> list[Attachment]:
    """The attachments whose bytes an answer carries."""
    return stored_attachments.newer_than(leaf.attachments, since_pos(leaf, shown))
