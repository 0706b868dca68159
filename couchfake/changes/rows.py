"""A change as JSON text.

Rows are put together as text from what is there as text: packed sequences, ids, revisions and stored bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from couchfake.changes.filters import Change, conflicts
from couchfake.changes.scan import ChangesQuery, Row
from couchfake.storage import documents
from couchfake.storage.database import Database
from couchfake.values import json


class RowWriter:
    """Writes the rows of one feed, from the first to the last: which rows have a sequence depends on their number."""

    def __init__(self, database: Database, query: ChangesQuery) -> None:
        self._database = database
        self._query = query
        self._left = query.limit
        # Where a filter has read all leaves, the document comes with its conflicts even if there are none.
        reads = query.filter is not None and query.filter.opens_documents
        self._lists_conflicts = reads and query.style == "all_docs" and query.shown.conflicts
        self._shown = replace(query.shown, conflicts=False) if self._lists_conflicts else query.shown

    def sequences(self, rows: Sequence[Row]) -> list[str]:
        """The sequences of the rows as JSON, null for those that are left out."""
        packed = self._database.pack_seqs([change.seq for change, _ in rows])
        interval, left = self._query.seq_interval, self._left
        self._left -= len(rows)
        if interval == 1:
            return [f'"{seq}"' for seq in packed]
        return [f'"{seq}"' if (left - place) % interval == 0 else "null" for place, seq in enumerate(packed)]

    def write(self, rows: Sequence[Row], sequences: Sequence[str]) -> list[bytes]:
        """Each row's JSON text."""
        quote = json.quote
        texts = []
        for seq, (change, revisions) in zip(sequences, rows):
            if len(revisions) == 1:
                revs = f'{{"rev":"{revisions[0].rev}"}}'
            else:
                revs = ",".join([f'{{"rev":"{revision.rev}"}}' for revision in revisions])
            deleted = ',"deleted":true' if change.leaves[0].deleted else ""
            texts.append(f'{{"seq":{seq},"id":{quote(change.entry.id)},"changes":[{revs}]{deleted}')
        try:
            encoded = [text.encode() for text in texts]
        except UnicodeEncodeError:
            encoded = [text.encode("utf-8", json.REPAIRED) for text in texts]
        if not self._query.include_docs:
            return [text + b"}" for text in encoded]
        return [b'%b,"doc":%b}' % (text, self._document(change)) for text, (change, _) in zip(encoded, rows)]

    def _document(self, change: Change) -> bytes:
        """The winner, whatever revisions the row tells of."""
        winner, shown = change.leaves[0], self._shown
        if self._query.visible is not None:
            winner = self._query.visible(change.entry, winner)
        text = documents.shown_document(change.entry, winner, shown, self._database.revs_limit)
        if self._lists_conflicts:
            text = b'%b,"_conflicts":%b}' % (text[:-1], json.encode(conflicts(change)))
        chosen = self._query.filter
        if chosen is not None and chosen.projection is not None:
            return json.encode(chosen.projection.extract(json.loads(text)))
        return text
