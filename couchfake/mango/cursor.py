"""Running a query, page by page.

Rows of the chosen index, or documents by id, are read in order; each is tested against the whole selector, until one
more than requested is found. Documents are tested as they are stored, and assembled only if they match.

A bookmark is where the next page begins: base64url of an Erlang term that holds the last row's document id and key. It
does not name the query: another query may use it, and begins at that row.

Source: the server's ``mango_cursor_view`` and ``mango_json_bookmark``.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from couchfake.mango import errors
from couchfake.mango.errors import invalid_bookmark
from couchfake.mango.index import IndexDefinition, index_rows
from couchfake.mango.matcher import Matcher
from couchfake.mango.options import FindOptions
from couchfake.mango.planner import Plan, keys
from couchfake.mango.selector import Projection, field_names, parse_field, parse_name, set_path
from couchfake.storage.documents import PLAIN, DocOptions, meta_members, shown_document
from couchfake.values import json
from couchfake.values.collation import MAX_KEY, Collator
from couchfake.values.erlang import (
    VERSION,
    TermError,
    external,
    external_atom,
    external_list,
    external_tuple,
    read_term,
)
from couchfake.views.index import Snapshot
from couchfake.views.keys import key_range

if TYPE_CHECKING:
    from couchfake.storage.database import Database, Visible
    from couchfake.storage.documents import DocumentEntry
    from couchfake.storage.revision_tree import Revision

    _Document = tuple[DocumentEntry, Revision]

NIL = "nil"
_DOCID, _KEY = external_atom("startkey_docid"), external_atom("startkey")
_FOREIGN = re.compile(r"[^A-Za-z0-9+/_\-=\s]")


class Bookmark(NamedTuple):
    """A row."""

    docid: Any
    key: Any


def pack(bookmark: Bookmark) -> str:
    docid, key = external(bookmark.docid), external(bookmark.key)
    term = external_list([external_tuple(_DOCID, docid), external_tuple(_KEY, key)])
    packed = zlib.compress(term)
    if len(packed) <= len(term) - 5:  # Erlang compresses a term only if the result is no larger, header included
        term = b"P" + len(term).to_bytes(4, "big") + packed
    return base64.urlsafe_b64encode(VERSION + term).decode("ascii").rstrip("=")


def unpack(text: str) -> Bookmark:
    """Read a bookmark. Raise a CouchError (400) if the text is not one."""
    try:
        if _FOREIGN.search(text):
            raise TermError("not base64")
        bare = "".join(text.split()).rstrip("=")
        data = base64.urlsafe_b64decode(bare.replace("+", "-").replace("/", "_") + "=" * (-len(bare) % 4))
        pairs = dict(_pairs(read_term(data)))
        return Bookmark(pairs["startkey_docid"], pairs["startkey"])
    except (TermError, binascii.Error, KeyError):
        raise invalid_bookmark(text) from None


def _pairs(term: Any) -> list[tuple[str, Any]]:
    if not isinstance(term, list):
        raise TermError("not a list")
    return [pair for pair in term if isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)]


# ---- queries

AT_A_TIME = 1000
"""How many ids are read at once, under the database's lock."""

SCAN_WARNING_THRESHOLD = 10
NO_INDEX = "No matching index found, create an index to optimize query time."
HIGH_SCAN = (
    "The number of documents examined is high in proportion to the number of results returned. "
    "Consider adding a more specific index to improve this."
)
_NOTHING: dict[str, Any] = {}


@dataclass
class Found:
    """A query's answer: ``docs`` as JSON texts, and the members behind them in their order."""

    docs: list[bytes] = field(default_factory=list)
    members: dict[str, Any] = field(default_factory=dict)
    examined: int = 0
    """Documents that were read while the rows were."""

    quorum_examined: int = 0
    """Documents that were read afterwards, from several copies."""


@dataclass
class Statistics:
    """``execution_stats``: what the query has examined."""

    keys: int = 0
    docs: int = 0
    quorum_docs: int = 0
    results: int = 0
    started: float = field(default_factory=time.perf_counter)

    def to_json(self) -> dict[str, Any]:
        return {
            "total_keys_examined": self.keys,
            "total_docs_examined": self.docs,
            "total_quorum_docs_examined": self.quorum_docs,
            "results_returned": self.results,
            "execution_time_ms": round((time.perf_counter() - self.started) * 1000, 3),
        }


def find(
    db: Database,
    plan: Plan,
    collator: Collator,
    threshold: int = SCAN_WARNING_THRESHOLD,
    visible: Visible | None = None,
) -> Found:
    """Run a plan.

    ``threshold``: add a warning if more documents than this are examined for each one found. Raise a CouchError (400)
    if a name of a field is invalid.
    """
    check_names(plan.options)
    if plan.ranges is None or plan.index is None:
        return Found()
    return _Cursor(db, plan, plan.index, collator, visible).run(threshold)


def check_names(options: FindOptions) -> None:
    """Raise a CouchError (400) if the selector, ``fields`` or ``sort`` name a field whose name has an empty part."""
    for name in field_names(options.selector):
        if name:
            parse_field(name)
    for name in options.fields or ():
        parse_name(name)
    for name, _ in options.sort:
        parse_field(name)


class _Cursor:
    def __init__(
        self, db: Database, plan: Plan, index: IndexDefinition, collator: Collator, visible: Visible | None
    ) -> None:
        self.db = db
        self.visible = visible
        self.plan = plan
        self.index = index
        self.collator = collator
        self.matcher = Matcher(plan.options.selector, collator)
        self.projection = Projection(plan.options.fields) if plan.options.fields else None
        self.shown = DocOptions(conflicts=True) if plan.options.conflicts and plan.options.r == 1 else PLAIN
        self.found = Found()
        self.statistics = Statistics()
        self.to_skip = plan.options.skip
        self.remaining = plan.options.limit
        self.repeated = 0  # rows to pass over, because the page before ended with them
        self.last: tuple[str, Any] | None = None  # ID and key of the row that the answer ends with

    def run(self, threshold: int) -> Found:
        options = self.plan.options
        begin = unpack(options.bookmark) if options.bookmark is not None else None
        self.repeated = 0 if begin is None else 1
        if self.index.special:
            self._scan_documents(begin)
        elif self.plan.covering:
            self._scan_covering(begin)
        else:
            self._scan_rows(begin)
        members = self.found.members
        members["bookmark"] = pack(Bookmark(*self.last)) if self.last else options.bookmark or NIL
        if options.execution_stats:
            members["execution_stats"] = self.statistics.to_json()
        if warnings := self._warnings(threshold):
            members["warning"] = "\n".join(warnings)
        self.found.examined, self.found.quorum_examined = self.statistics.docs, self.statistics.quorum_docs
        return self.found

    # ---- going through documents by id

    def _scan_documents(self, begin: Bookmark | None) -> None:
        statistics, test = self.statistics, self._test()
        quorum = self.plan.options.r > 1
        counted = 0, 0  # keys and documents up to the last row that matched
        for entry, leaf in self._documents(begin):
            statistics.keys += 1
            if self.visible is not None:
                leaf = self.visible(entry, leaf)
            if quorum:
                if self._is_repeated() or entry.id.startswith("_design/"):
                    continue
                statistics.quorum_docs += 1
            else:
                statistics.docs += 1
            if not test(entry, leaf):
                continue
            repeated = not quorum and self._is_repeated()
            if entry.id.startswith("_design/"):
                # The server sends its counts with each row, and drops the rows of design documents with their counts.
                statistics.keys, statistics.docs = counted
                continue
            counted = statistics.keys, statistics.docs
            if not repeated and not self._take(entry, leaf, entry.id):
                return

    def _is_repeated(self) -> bool:
        """Return whether a row is the one that the previous page ended with: the first, whichever it is now.

        The server counts the rows that match; where documents are read afterwards (``r``) it counts all.
        """
        if self.repeated:
            self.repeated -= 1
            return True
        return False

    def _documents(self, begin: Bookmark | None) -> Iterator[_Document]:
        """Iterate over the live documents of the query's range, in its direction."""
        low, high = keys(self.plan)
        if begin is not None:
            low, high = (low, begin.key) if self.plan.descending else (begin.key, high)
        lowest, highest = self._id_bounds(low, high)
        if highest is None:
            return
        inclusive = (True, True)
        while True:
            with self.db.lock:
                entries = self.db.entries
                span = self.db.live_ids.irange(lowest, highest or None, inclusive, reverse=self.plan.descending)
                ids = list(islice(span, AT_A_TIME))
                found = [(entry, entry.winner) for entry in map(entries.__getitem__, ids)]
            yield from found
            if len(ids) < AT_A_TIME:
                return
            if self.plan.descending:
                highest, inclusive = ids[-1], (inclusive[0], False)
            else:
                lowest, inclusive = ids[-1], (False, inclusive[1])

    def _id_bounds(self, low: Any, high: Any) -> tuple[str, str | None]:
        """Return a range of ids, which as strings sort above other values. "" means no upper bound, None no ids."""
        lowest = low if isinstance(low, str) else ""
        highest = "" if high is MAX_KEY else high if isinstance(high, str) else None
        if high == "":
            highest = None
        partition = self.plan.options.partition
        if partition:
            lowest = max(lowest, f"{partition}:")
            if highest is not None:
                highest = min(highest or f"{partition};", f"{partition};")
        return lowest, None if highest is not None and highest and highest < lowest else highest

    # ---- going through an index

    def _rows(self, begin: Bookmark | None) -> Iterator[tuple[Any, str, Any]]:
        snapshot = self._snapshot()
        options = self.plan.options
        first, last = keys(self.plan)
        if self.plan.descending:
            first, last = last, first
        if begin is not None:
            first = begin.key
            self._check_direction(first, last)
        span = key_range(
            self.collator.sort_key,
            first,
            last,
            start_key_docid=begin.docid if begin else None,
            descending=self.plan.descending,
            prefix=self.collator.sort_key(options.partition) if options.partition else b"",
        )
        return snapshot.trees[0].rows(span, descending=self.plan.descending)

    def _snapshot(self) -> Snapshot:
        """Return the index as the query wants it.

        With ``update=false`` an index that was never built is built, as the real server does at once in the background;
        one that is behind answers as it is, and follows before the next query.
        """
        index = index_rows(self.db, self.index, self.collator)
        if self.plan.options.update and not self.plan.options.stale:
            return index.update()
        snapshot = index.snapshot
        if not self.index.autoupdate:
            return snapshot
        following = index.update_in_background()
        return snapshot if snapshot.update_seq else following

    def _check_direction(self, first: Any, last: Any) -> None:
        one, other = self.collator.sort_key(first), self.collator.sort_key(last)
        if one < other if self.plan.descending else one > other:
            raise errors.no_rows_in_range()

    def _scan_rows(self, begin: Bookmark | None) -> None:
        statistics, test = self.statistics, self._test()
        quorum = self.plan.options.r > 1
        for key, docid, _ in self._rows(begin):
            statistics.keys += 1
            found = self.db.open_leaf(docid)
            if found is None or found[1].deleted:
                continue
            entry, leaf = found
            if self.visible is not None:
                leaf = self.visible(entry, leaf)
            if quorum:
                if self._is_repeated():
                    continue
                statistics.quorum_docs += 1
            else:
                statistics.docs += 1
            if test(entry, leaf) and (quorum or not self._is_repeated()) and not self._take(entry, leaf, key):
                return

    def _scan_covering(self, begin: Bookmark | None) -> None:
        """Read documents from the keys of an index that has all requested fields."""
        paths = [parse_field(column) for column in self.index.columns]
        match = self.matcher.match
        for key, docid, _ in self._rows(begin):
            self.statistics.keys += 1
            document: dict[str, Any] = {"_id": docid}
            for path, value in zip(reversed(paths), reversed(key), strict=True):
                set_path(document, path, value)
            if match(document) and not self._is_repeated() and not self._take_document(document, docid, key):
                return

    # ---- documents

    def _test(self) -> Callable[[DocumentEntry, Revision], bool]:
        """Return the selector's test of a stored document. It builds as little of the document as possible."""
        matches, names = self.matcher.matches, self.matcher.meta_names
        if self.matcher.whole or names - {"_id"}:
            return lambda entry, leaf: self.matcher.match(self._document(entry, leaf))
        if names:
            return lambda entry, leaf: matches(leaf.body.value if leaf.body else _NOTHING, {"_id": entry.id})
        return lambda entry, leaf: matches(leaf.body.value if leaf.body else _NOTHING, _NOTHING)

    def _document(self, entry: DocumentEntry, leaf: Revision) -> dict[str, Any]:
        document = self.db.open_doc(entry, leaf)
        if self.shown.conflicts:
            document.update(meta_members(entry, leaf, self.shown))
        return document

    def _take(self, entry: DocumentEntry, leaf: Revision, key: Any) -> bool:
        """Take a document that matches. Return False if it is one more than requested."""
        if self.projection is not None:
            document = self._document(entry, leaf) if self._counts() else _NOTHING
            return self._take_document(document, entry.id, key)
        skipped = self.to_skip > 0
        if not self._goes_on(entry.id, key):
            return False
        if not skipped:
            self.found.docs.append(shown_document(entry, leaf, self.shown, 0))
        return True

    def _take_document(self, document: dict[str, Any], docid: str, key: Any) -> bool:
        skipped = self.to_skip > 0
        if not self._goes_on(docid, key):
            return False
        if not skipped and self.projection is not None:
            self.found.docs.append(json.encode(self.projection.extract(document)))
        return True

    def _counts(self) -> bool:
        """Return whether the next document that matches is one of the answer."""
        return self.to_skip == 0 and self.remaining > 0

    def _goes_on(self, docid: str, key: Any) -> bool:
        """Count a document that matches, as skipped or as one of the answer. Return False if the answer was full."""
        remaining = self.remaining
        if remaining > 0:
            self.last = docid, key
        if self.to_skip:
            self.to_skip -= 1
            return True
        if not remaining:
            return False
        self.remaining = remaining - 1
        self.statistics.results += 1
        return True

    # ---- warnings

    def _warnings(self, threshold: int) -> list[str]:
        warnings = []
        if mistaken := self._unused_index():
            warnings.append(mistaken)
        if self.index.special:
            warnings.append(NO_INDEX)
        examined = self.statistics.docs + self.statistics.quorum_docs
        if 0 < threshold < examined / max(self.statistics.results, 1):
            warnings.append(HIGH_SCAN)
        return warnings

    def _unused_index(self) -> str | None:
        """Return a warning if ``use_index`` names an index that was not chosen."""
        if not self.plan.options.use_index:
            return None
        ddoc, *name = self.plan.options.use_index
        ddoc = f"_design/{ddoc.removeprefix('_design/')}"
        if self.index.ddoc == ddoc and name in ([], [self.index.name]):
            return None
        if name:
            return f"{ddoc}, {name[0]} was not used because it is not a valid index for this query."
        return f"{ddoc} was not used because it does not contain a valid index for this query."
