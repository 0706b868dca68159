"""A query of a view: answered from a snapshot of the index, and its rows as JSON text with the documents beside them.

What the real server's coordinator adds to the answer of its one shard is added here: a reduced value goes through one
more rereduce, ``skip`` is counted again, keys come in the order of the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

from couchfake.errors import BadRequest, Crash, QueryParseError
from couchfake.settings import PARTITION_QUERY_LIMIT, QUERY_LIMIT
from couchfake.storage.documents import PLAIN, DocOptions, shown_document
from couchfake.storage.revision_ids import RevisionId, parse_rev
from couchfake.values import json
from couchfake.views.index import Index, Snapshot, TreeDefinition
from couchfake.views.keys import MISSING, KeyRange, group_prefix, key_range
from couchfake.views.options import ViewOptions, bounded, check, group_level
from couchfake.views.tree import Ranks, Row, RowTree

if TYPE_CHECKING:
    from couchfake.config import Config
    from couchfake.storage.database import Database, Visible
    from couchfake.storage.documents import DocumentEntry
    from couchfake.storage.revision_tree import Revision

_BATCH = 250

_REVERSED = "No rows can match your key range, reverse your start_key and end_key or set descending="
_REVERSED_REFS = {True: 1505073861, False: 72864418}
"""The crash references of the two: they follow from where in the server's code it gives up."""


@dataclass(frozen=True)
class MapAnswer:
    """The rows of a map query, with the size of the whole view and the place of the first row in it."""

    total_rows: int
    offset: int
    rows: Iterator[Row]


class ViewQuery:
    """One query of one tree. ``options`` have been checked."""

    def __init__(self, tree: RowTree, definition: TreeDefinition, options: ViewOptions) -> None:
        self._tree = tree
        self._collate = definition.collate
        self._options = options
        self._prefix = b""
        if definition.partitioned and options.partition is not None:
            self._prefix = definition.partition_prefix(options.partition)
        self._check_range()

    def rows(self) -> MapAnswer:
        """Answer as a map query."""
        options, tree = self._options, self._tree
        spans = self._spans()
        if options.keys is not None and options.descending:
            spans.reverse()
        offset = self._offset(spans, options.skip if self._prefix else 0)
        if not self._prefix:
            offset = min(len(tree), offset + options.skip)
        if len(spans) == 1:
            rows = tree.rows(spans[0], options.descending, options.skip)
        else:
            every = chain.from_iterable(tree.rows(span, options.descending) for span in spans)
            rows = islice(every, options.skip, None)
        return MapAnswer(len(tree), offset, islice(rows, options.limit))

    def reduced(self, nth: int) -> Iterator[tuple[Any, Any]]:
        """Answer by the tree's ``nth`` reducer: keys of groups (None where all is one) and values."""
        options, tree = self._options, self._tree
        reducer = tree.reducers[nth]
        stop = None if options.limit is None else options.skip + options.limit
        groups = islice(self._groups(), options.skip, stop)
        while batch := list(islice(groups, _BATCH)):
            partial = tree.reduce([ranks for _, ranks in batch], nth, options.descending)
            values = reducer.rereduce_all([[value] for value in partial])
            for (key, _), value in zip(batch, values, strict=True):
                yield key, reducer.finish(value)

    def _groups(self) -> Iterable[tuple[Any, Ranks]]:
        """The keys of groups as they are shown, with the rows of each."""
        options, tree = self._options, self._tree
        level = group_level(options)
        if options.keys is not None or level == 0:
            keys = [None] if options.keys is None else options.keys
            for key, span in zip(keys, self._spans(), strict=True):
                low, high = tree.ranks(span)
                if low < high:
                    yield key, (low, high)
            return

        def prefix_of(key: Any) -> bytes:
            return self._prefix + group_prefix(self._collate, key, level)

        for key, ranks in tree.groups(self._spans()[0], prefix_of, options.descending):
            yield (key[:level] if isinstance(key, list) else key), ranks

    def _spans(self) -> list[KeyRange]:
        options = self._options
        ends = [(options.start_key, options.end_key)] if options.keys is None else [(key, key) for key in options.keys]
        return [
            key_range(
                self._collate,
                start,
                end,
                options.start_key_docid,
                options.end_key_docid,
                options.inclusive_end,
                options.descending,
                self._prefix,
            )
            for start, end in ends
        ]

    def _offset(self, spans: list[KeyRange], skip: int) -> int:
        """The place of the first row that is neither skipped nor missing; of none, where the last range ends."""
        offset = 0
        for span in spans:
            rows = self._tree.count(span)
            offset = (
                len(self._tree) - self._tree.rank(span.upper)
                if self._options.descending
                else (self._tree.rank(span.lower))
            )
            if rows > skip:
                return offset + skip
            offset += rows
            skip -= rows
        return offset

    def _check_range(self) -> None:
        """A range whose start lies behind its end is an error, found where the index is read."""
        start, end = self._options.start_key, self._options.end_key
        if start is MISSING or end is MISSING:
            return
        low, high = self._collate(start), self._collate(end)
        descending = self._options.descending
        if low < high if descending else low > high:
            other = "false" if descending else "true"
            raise Crash("query_parse_error", _REVERSED + other, status=400, ref=_REVERSED_REFS[descending])


@dataclass(frozen=True)
class View:
    """An index, the number of the view's tree in it, and of its reducer among the tree's, None if it has none.

    ``autoupdate``: the index is updated in the background. ``is_stale``: the index is answered as it is, whatever the
    query says; a fault of the test kit.
    """

    index: Index
    tree: int
    reducer: int | None
    autoupdate: bool = True
    is_stale: bool = False

    @property
    def partitioned(self) -> bool:
        return self.index.definitions[self.tree].partitioned

    def reduces(self, options: ViewOptions) -> bool:
        """Return whether a query is answered by the reduce function."""
        return self.reducer is not None and options.reduce is not False

    def check(self, options: ViewOptions, config: Config, *, listed: bool = False) -> ViewOptions:
        """Return the options with the configured limit. Raise QueryParseError if this view cannot answer the query.

        ``listed``: the query is for a list function, where ``keys`` with one key is still a list of keys.
        """
        if listed and self.reduces(options):
            check(replace(options, keys=options.all_keys, start_key=MISSING, end_key=MISSING), reducing=True)
        limit = config[PARTITION_QUERY_LIMIT if self.partitioned else QUERY_LIMIT]
        options = bounded(options, limit)
        check(options, self.reduces(options))
        if self.partitioned and options.partition is None:
            raise QueryParseError("`partition` parameter is mandatory for queries to this view.")
        if not self.partitioned and options.partition is not None:
            raise QueryParseError("`partition` parameter is not supported in this design doc")
        return options

    def snapshot(self, options: ViewOptions) -> Snapshot:
        """Return the index as the query wants it: up to date, as it is, or as it is and updated afterwards."""
        if self.is_stale:
            return self.index.snapshot
        if options.update is True:
            return self.index.update()
        if self.autoupdate:
            return self.index.update_in_background()
        snapshot = self.index.snapshot
        if options.update == "lazy":
            self.index.update_in_background()
        return snapshot

    def query(self, snapshot: Snapshot, options: ViewOptions) -> ViewQuery:
        """The query, with its range checked."""
        return ViewQuery(snapshot.trees[self.tree], self.index.definitions[self.tree], options)


# ---- rows as JSON

_Found: TypeAlias = "tuple[DocumentEntry, Revision]"


def map_texts(db: Database, rows: Iterable[Row], options: ViewOptions, visible: Visible | None = None) -> Iterator[str]:
    """Yield the JSON text of each row of a map query, with its document if requested."""
    quote, text_of = json.raw_quote, _raw_text_of
    if not options.include_docs:
        for key, docid, value in rows:
            text = f'{{"id":{quote(docid)},"key":{text_of(key)},"value":{text_of(value)}}}'
            yield json.with_capital_digits(text) if "\\" in text else text
        return
    for row in rows:
        key, docid, value = row
        doc = included_document(db, row, options, visible)
        shown = "null" if doc is None else doc.decode("utf-8")
        text = f'{{"id":{quote(docid)},"key":{text_of(key)},"value":{text_of(value)},"doc":{shown}}}'
        yield json.with_capital_digits(text) if "\\" in text else text


def included_document(db: Database, row: Row, options: ViewOptions, visible: Visible | None = None) -> bytes | None:
    """The text of the document that ``include_docs`` puts beside a row: another one where the value has its ``_id``.

    A linked document comes as it is now, without what ``conflicts`` and ``attachments`` would add; it may be a local
    one. A ``_rev`` that is not a revision ends the query (400, as a crash).
    """
    _, docid, value = row
    rev = None
    shown = PLAIN
    if options.conflicts or options.attachments or options.att_encoding_info:
        shown = DocOptions(
            conflicts=bool(options.conflicts),
            attachments=options.attachments,
            att_encoding_info=options.att_encoding_info,
        )
    if isinstance(value, dict):
        rev = _rev(value["_rev"]) if "_rev" in value else None
        if "_id" in value:
            docid, shown = value["_id"], PLAIN
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


def _raw_text_of(value: Any) -> str:
    """Return a value as JSON, its strings as ``raw_quote`` writes them."""
    kind = type(value)
    if kind is str:
        return json.raw_quote(value)
    if value is None:
        return "null"
    return str(value) if kind is int else json.dumps(value)
