"""Documents by id: ``_all_docs``, ``_design_docs``, ``_local_docs``. CouchDB documentation, "/{db}/_all_docs"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

from sortedcontainers import SortedDict, SortedList

from couchfake.api.document_queries import require_readable
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, in_chunks, json_body
from couchfake.errors import BadRequest, QueryParseError, ServerError
from couchfake.settings import PARTITION_QUERY_LIMIT, QUERY_LIMIT
from couchfake.storage import documents
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocOptions, DocumentEntry, LocalDocument
from couchfake.storage.revision_tree import Revision
from couchfake.values import json
from couchfake.views.keys import MISSING
from couchfake.views.options import ViewOptions, bounded, check, check_all_docs, of_body, of_one_query, of_query

Namespace = Literal["_all_docs", "_design", "_local"]

Found = tuple[DocumentEntry, Revision] | LocalDocument | None


def all_docs(request: Request) -> Response:
    """``GET`` and ``POST /{db}/_all_docs``"""
    return _list(request, "_all_docs")


def design_docs(request: Request) -> Response:
    """``GET`` and ``POST /{db}/_design_docs``"""
    return _list(request, "_design")


def local_docs(request: Request) -> Response:
    """``GET`` and ``POST /{db}/_local_docs``"""
    return _list(request, "_local")


def all_docs_queries(request: Request) -> Response:
    """``POST /{db}/_all_docs/queries``"""
    return _several(request, "_all_docs")


def design_docs_queries(request: Request) -> Response:
    """``POST /{db}/_design_docs/queries``"""
    return _several(request, "_design")


def local_docs_queries(request: Request) -> Response:
    """``POST /{db}/_local_docs/queries``"""
    return _several(request, "_local")


def _list(request: Request, namespace: Namespace) -> Response:
    options = _read(request)
    options = _checked(request, options)
    check_all_docs(options)
    if namespace == "_all_docs":
        _require_partitions(request, options.all_keys)
    visible = request.node.hooks.reader(request.db, request.user)
    return _respond(_text(Listing(request.db, namespace, options, options.all_keys, visible)))


def _several(request: Request, namespace: Namespace) -> Response:
    """Several queries in one request; a single key of one of them is a key like any other, not a list.

    Only here the body need not have a JSON content type.
    """
    body = request.json_object()
    if "queries" not in body:
        raise BadRequest("POST body must include `queries` parameter.")
    if not isinstance(body["queries"], list):
        raise BadRequest("`queries` member must be an array.")
    base = of_query(request.parameters.pairs)
    visible = request.node.hooks.reader(request.db, request.user)
    listings = []
    for members in body["queries"]:
        if not isinstance(members, dict):
            raise ServerError("function_clause")
        options = _checked(request, of_one_query(members, base))
        check(options, reducing=False)
        if namespace == "_all_docs":
            _require_partitions(request, options.keys)
        listings.append(Listing(request.db, namespace, options, options.keys, visible))
    return _respond(_texts(listings))


# ---- parameters


def _read(request: Request) -> ViewOptions:
    """A POST has its parameters in the body as well; those of the URL win."""
    base = None
    if request.verb == "POST":
        request.require_json_type()
        body = request.json_object()
        if not isinstance(body.get("keys", []), list):
            raise BadRequest("`keys` body member must be an array.")
        base = of_body(body)
    elif not isinstance(request.parameters.json("keys", []), list):
        raise BadRequest("`keys` parameter must be an array.")
    options = of_query(request.parameters.pairs, base)
    if not isinstance(options.all_keys, list | None):
        raise QueryParseError("`keys` must be an array of strings.")
    return options


def _checked(request: Request, options: ViewOptions) -> ViewOptions:
    if options.partition is not None and not request.db.partitioned:
        raise QueryParseError("`partition` parameter is not supported on this db")
    return bounded(options, request.node.config[QUERY_LIMIT if options.partition is None else PARTITION_QUERY_LIMIT])


def _require_partitions(request: Request, keys: list[Any] | None) -> None:
    """Refuse keys that name no partition, if the database is partitioned."""
    for key in keys or ():
        if isinstance(key, str):
            require_readable(request, key)


# ---- the answer


def _text(listing: Listing) -> Iterator[bytes]:
    """One listing's JSON text, a row on each line."""
    yield b'{%b"rows":[\r\n' % listing.meta
    separator = b""
    for row in listing.rows():
        yield separator + row
        separator = b",\r\n"
    yield b"\r\n]}"


def _texts(listings: Iterable[Listing]) -> Iterator[bytes]:
    yield b'{"results":['
    separator = b"\r\n"
    for listing in listings:
        yield separator
        yield from _text(listing)
        separator = b",\r\n"
    yield b"\r\n]}"


def _respond(pieces: Iterator[bytes]) -> Response:
    return json_body(in_chunks(chain(pieces, [b"\n"])))


# ---- one listing


class Listing:
    """The rows are fixed when the listing is made; reading them later does not need the database's lock.

    ``keys``: rows for these, in their order, instead of a range. ``meta``: the members before the rows.
    """

    def __init__(
        self,
        database: Database,
        namespace: Namespace,
        options: ViewOptions,
        keys: list[Any] | None,
        visible: Visible | None = None,
    ) -> None:
        self._database = database
        self._visible = visible
        self._namespace = namespace
        self._options = options
        with database.lock:
            total = self._total()
            if keys is not None:
                offset, seq = None, None
                self._found = [(key, self._find(key)) for key in self._asked(keys)]
            else:
                ids: Ids = database.local_documents if namespace == "_local" else database.live_ids
                cut = self._range().cut(ids)
                offset = None if total is None else min(total, cut.offset + options.skip)
                seq = None if namespace == "_local" else database.pack_seq(database.update_seq)
                self._found = [(docid, self._find(docid)) for docid in cut]
        self.meta = b'"total_rows":%b,"offset":%b,' % (json.encode(total), json.encode(offset))
        if options.update_seq:
            self.meta += b'"update_seq":%b,' % json.encode(seq)

    def _total(self) -> int | None:
        if self._namespace == "_local":
            return None
        database = self._database
        return count_design_documents(database.live_ids) if self._namespace == "_design" else database.doc_count

    def _range(self) -> IdRange:
        options = self._options
        whole = options.partition is None  # in a partition the server looks at keys only
        requested = IdRange(
            _end(options.start_key, options.start_key_docid if whole else None),
            _end(options.end_key, options.end_key_docid if whole else None),
            options.inclusive_end,
            options.descending,
            options.skip,
            options.limit,
        )
        if self._namespace == "_design":
            requested = requested.within(DESIGN, AFTER_DESIGN)
        if options.partition is not None:
            requested = requested.within(f"{options.partition}:", f"{options.partition};")
        return requested

    def _asked(self, keys: list[Any]) -> list[Any]:
        """Skip and limit keys first, then omit those of another namespace."""
        options = self._options
        keys = (keys[::-1] if options.descending else keys)[options.skip :][: options.limit]
        if self._namespace == "_all_docs":
            return keys
        return [key for key in keys if isinstance(key, str) and key.startswith(f"{self._namespace}/")]

    def _find(self, docid: Any) -> Found:
        if not isinstance(docid, str):
            return None
        if docid.startswith("_local/"):
            return self._database.local(docid)
        entry = self._database.entries.get(docid)
        return None if entry is None else (entry, entry.tree.leaves[0])

    def rows(self) -> Iterator[bytes]:
        """The text of each row."""
        include_docs, shown = self._options.include_docs, self._shown()
        quote = json.raw_quote
        for key, found in self._found:
            if found is None or isinstance(found, LocalDocument):
                yield _other_row(key, found, include_docs)
                continue
            entry, leaf = found
            name = quote(key)
            value = f'{{"rev":"{leaf.rev}","deleted":true}}' if leaf.deleted else f'{{"rev":"{leaf.rev}"}}'
            text = f'{{"id":{name},"key":{name},"value":{value}'
            row = json.utf8(json.with_capital_digits(text) if "\\" in text else text)
            yield b'%b,"doc":%b}' % (row, self._document(entry, leaf, shown)) if include_docs else row + b"}"

    def _document(self, entry: DocumentEntry, leaf: Revision, shown: DocOptions) -> bytes:
        self._database.activity.reads += 1
        if leaf.deleted:
            return b"null"
        if self._visible is not None:
            leaf = self._visible(entry, leaf)
            if leaf.deleted:
                return b"null"
        return documents.shown_document(entry, leaf, shown, self._database.revs_limit)

    def _shown(self) -> DocOptions:
        options = self._options
        if not (options.conflicts or options.attachments or options.att_encoding_info):
            return documents.PLAIN
        return DocOptions(
            conflicts=bool(options.conflicts),
            attachments=options.attachments,
            att_encoding_info=options.att_encoding_info,
        )


def _other_row(key: Any, found: LocalDocument | None, include_docs: bool | None) -> bytes:
    """The row of a local document, or of a key without a document."""
    name = json.dumps(key)
    if found is None:
        return json.utf8(f'{{"key":{name},"error":"not_found"}}')
    row = json.utf8(f'{{"id":{name},"key":{name},"value":{{"rev":"0-{found.rev}"}}')
    return b'%b,"doc":%b}' % (row, json.encode(found.document())) if include_docs else row + b"}"


def _end(key: Any, docid: str | None) -> str | None:
    """Return the end of a range. A key that is not a string sorts before all ids."""
    if key is MISSING:
        return docid
    return key if isinstance(key, str) else ""


# The part of an ordered list of ids that a query asks for
#
# Ids are ordered by their UTF-8 bytes. The end of a range that is not a string sorts before all of them.
# Source: ``couch_db:fold_docs/4``.


Ids = SortedList[str] | SortedDict[str, Any]

DESIGN, AFTER_DESIGN = "_design/", "_design0"


@dataclass(frozen=True)
class IdRange:
    """From ``start`` to ``end`` in the direction of reading; None: open there. ``limit`` None: all."""

    start: str | None = None
    end: str | None = None
    inclusive_end: bool = True
    descending: bool = False
    skip: int = 0
    limit: int | None = None

    def within(self, lowest: str, highest: str) -> IdRange:
        """The same between two ids."""
        if self.descending:
            start = highest if self.start is None else min(self.start, highest)
            end = lowest if self.end is None else max(self.end, lowest)
        else:
            start = lowest if self.start is None else max(self.start, lowest)
            end = highest if self.end is None else min(self.end, highest)
        return replace(self, start=start, end=end)

    def cut(self, ids: Ids) -> Cut:
        """The range's place among ``ids``."""
        start, end = self.start, self.end
        if self.descending:
            upper = len(ids) if start is None else ids.bisect_right(start)
            beyond = ids.bisect_left if self.inclusive_end else ids.bisect_right
            return Cut(ids, 0 if end is None else beyond(end), upper, len(ids) - upper, self)
        lower = 0 if start is None else ids.bisect_left(start)
        beyond = ids.bisect_right if self.inclusive_end else ids.bisect_left
        return Cut(ids, lower, len(ids) if end is None else beyond(end), lower, self)


@dataclass(frozen=True)
class Cut:
    """``offset``: how many ids are passed over before the range begins, in the direction of reading."""

    ids: Ids
    lower: int
    upper: int
    offset: int
    requested: IdRange

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of the range. The cost is linear in their number and logarithmic in the list's length."""
        skip, limit = self.requested.skip, self.requested.limit
        lower, upper = self.lower, self.upper
        if self.requested.descending:
            upper -= skip
            if limit is not None:
                lower = max(lower, upper - limit)
        else:
            lower += skip
            if limit is not None:
                upper = min(upper, lower + limit)
        return iter(self.ids.islice(lower, upper, self.requested.descending)) if lower < upper else iter(())


def count_design_documents(ids: Ids) -> int:
    return ids.bisect_left(AFTER_DESIGN) - ids.bisect_left(DESIGN)
