"""Rows of answers as JSON text, and the documents that go with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from couchfake.errors import BadRequest, Crash
from couchfake.storage.documents import DocOptions, shown_document
from couchfake.storage.revision_ids import RevisionId, parse_rev
from couchfake.values import json
from couchfake.views.options import ViewOptions
from couchfake.views.tree import Row

if TYPE_CHECKING:
    from couchfake.storage.database import Database, Visible
    from couchfake.storage.documents import DocumentEntry
    from couchfake.storage.revision_tree import Revision

_Found: TypeAlias = "tuple[DocumentEntry, Revision]"

_PLAIN = DocOptions()


def map_texts(db: Database, rows: Iterable[Row], options: ViewOptions, visible: Visible | None = None) -> Iterator[str]:
    """Yield the JSON text of each row of a map query, with its document if requested."""
    quote, text_of = json.quote, _text_of
    if not options.include_docs:
        for key, docid, value in rows:
            yield f'{{"id":{quote(docid)},"key":{text_of(key)},"value":{text_of(value)}}}'
        return
    for row in rows:
        key, docid, value = row
        doc = included_document(db, row, options, visible)
        text = "null" if doc is None else doc.decode("utf-8")
        yield f'{{"id":{quote(docid)},"key":{text_of(key)},"value":{text_of(value)},"doc":{text}}}'


def included_document(db: Database, row: Row, options: ViewOptions, visible: Visible | None = None) -> bytes | None:
    """The text of the document that ``include_docs`` puts beside a row: another one where the value has its ``_id``.

    A linked document comes as it is now, without what ``conflicts`` and ``attachments`` would add; it may be a local
    one. A ``_rev`` that is not a revision ends the query (400, as a crash).
    """
    _, docid, value = row
    rev = None
    shown = DocOptions(
        conflicts=bool(options.conflicts),
        attachments=options.attachments,
        att_encoding_info=options.att_encoding_info,
    )
    if isinstance(value, dict):
        rev = _rev(value["_rev"]) if "_rev" in value else None
        if "_id" in value:
            docid, shown = value["_id"], _PLAIN
    with db.lock:
        local = db.local(docid) if rev is None and isinstance(docid, str) else None
        if local is not None:
            return json.encode(local.document())
        found = _find(db, docid, rev)
        if found is None:
            return None
        entry, leaf = found
        return shown_document(entry, leaf if visible is None else visible(entry, leaf), shown, db.revs_limit)


def _rev(given: Any) -> RevisionId:
    try:
        return parse_rev(given)
    except BadRequest as error:
        raise Crash(error.error, error.reason, error.status) from error


def _find(db: Database, docid: Any, rev: RevisionId | None) -> _Found | None:
    if not isinstance(docid, str):
        return None
    found = db.open_leaf(docid, rev)
    if found is None or found[1].body is None or (rev is None and found[1].deleted):
        return None
    return found


def _text_of(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return json.quote(value)
    if value is None:
        return "null"
    return str(value) if kind is int else json.dumps(value)
