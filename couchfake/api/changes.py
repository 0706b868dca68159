"""``/{db}/_changes`` in its four feeds, with the filter that a request names, and the formats of feeds.

A feed is one JSON object (normal, longpoll), a line for each change (continuous), or server-sent events (eventsource).
Each chunk is sent at once. Rows are collected until there are enough of them, or no more at the moment.
Source: CouchDB documentation, "/{db}/_changes".
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from couchfake.api.design_functions import function_request
from couchfake.api.document_queries import LISTED, set_flag
from couchfake.auth.permissions import require_server_admin
from couchfake.changes.feed import NO_LIMIT, ChangesQuery, Ended, Event, Heartbeat, Row, Rows, RowWriter, read_changes
from couchfake.changes.filters import DesignDocuments, DocIds, Filter, Selector, Style, filter_function, view_filter
from couchfake.chttpd.parameters import unquote
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import (
    PrimedStream,
    Response,
    etag_matches,
    json_body,
    json_stream,
    make_etag,
    not_modified,
    stream_response,
)
from couchfake.config import Config
from couchfake.errors import BadRequest, Crash, ServerError
from couchfake.node.stats import Stats
from couchfake.settings import CHANGES_DOC_IDS_OPTIMIZATION_THRESHOLD, CHANGES_TIMEOUT, QUERY_REVS_LIMIT
from couchfake.storage.database import Database
from couchfake.storage.documents import DocOptions
from couchfake.transports.client import Client
from couchfake.values import json
from couchfake.values.erlang import INTEGER, read_integer

_CLIENTS = "couchdb.httpd.clients_requesting_changes"


def changes(request: Request, rest: list[str]) -> Response:
    """``GET`` and ``POST /{db}/_changes``; more parts of the path count for nothing."""
    body: dict[str, Any] | None = None
    if request.verb == "POST":
        request.require_json_type()
        if request.content_length != 0:
            body = request.json_object()
    requested = _read(request)
    chosen = read_filter(request, requested.filter, body)
    if requested.feed not in FORMATS:
        raise BadRequest("Supported `feed` types: normal, continuous, live, longpoll, eventsource")
    database = request.db
    visible = request.node.hooks.reader(database, request.user)
    if visible is not None and chosen is not None and chosen.opens_documents:
        require_server_admin(request.user)  # what a filter tells of a document is for those who may see it
    headers = {}
    if requested.feed == "normal":
        etag = headers["ETag"] = _etag(database)
        if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), etag):
            return not_modified(etag)
    query = ChangesQuery(
        feed=requested.feed,
        since=database.start_seq(requested.since, requested.descending),
        limit=requested.limit,
        descending=requested.descending,
        style=requested.style,
        filter=chosen,
        include_docs=requested.include_docs,
        shown=requested.shown,
        visible=visible,
        seq_interval=requested.seq_interval,
        timeout=feed_timeout(requested.timeout, requested.heartbeat, request.node.config),
        heartbeat=requested.heartbeat is not None,
        clock=request.node.clock,
    )
    counted = partial(_counted, request.node.stats)
    return feed_response(request, database, query, FORMATS[query.feed](database, query), headers, counted)


def _counted(stats: Stats, chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """Count a feed while it is open."""
    stats.add(_CLIENTS)
    try:
        yield from chunks
    finally:
        stats.add(_CLIENTS, -1)


# ---- parameters

_ATOMS = frozenset(
    ["main_only", "all_docs", "", "all", "both", "docs", "false", "main", "none", "null", "ok", "true", "x"]
)
"""Styles, and other words that the real server knows as atoms: it refuses them only when it shows a change."""


@dataclass
class _Requested:
    """The parameters as they were sent. ``heartbeat`` and ``timeout`` in milliseconds; ``heartbeat`` True: default."""

    feed: Any = "normal"
    since: str = "0"
    limit: int = NO_LIMIT
    descending: bool = False
    style: Style = "main_only"
    filter: str = ""
    include_docs: bool = False
    shown: DocOptions = field(default_factory=DocOptions)
    seq_interval: int = 1
    heartbeat: int | bool | None = None
    timeout: int | None = None


def _read(request: Request) -> _Requested:
    """Go through the parameters in order, the case of their names aside; unknown ones are passed over."""
    requested = _Requested()
    for name, value in request.parameters.pairs:
        name = name.lower()
        if name in ("since", "last-event-id"):
            requested.since = value
        elif name == "feed":
            requested.feed = "continuous" if value == "live" else value
        elif name == "filter":
            requested.filter = value
        elif name in ("limit", "timeout"):
            setattr(requested, name, _integer(value))
        elif name == "style":
            if value not in _ATOMS:
                raise ServerError("badarg")
            requested.style = value
        elif name == "heartbeat":
            requested.heartbeat = value == "true" or _heartbeat(value)
        elif name == "seq_interval":
            requested.seq_interval = _seq_interval(value)
        elif value == "true" and name in ("descending", "include_docs"):
            setattr(requested, name, True)
        else:
            set_flag(requested.shown, name, value, LISTED)
    # A browser that takes up its event source again names the last event that it saw in a header.
    if requested.feed == "eventsource":
        requested.since = request.environ.get("HTTP_LAST_EVENT_ID", requested.since)
    return requested


def _integer(text: str) -> int:
    """Parse an integer; the real server crashes on anything else."""
    if not INTEGER.fullmatch(text):
        raise ServerError("badarg")
    return read_integer(text)


def _heartbeat(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise BadRequest("Invalid heartbeat value. Expecting a positive integer value (in milliseconds).")
    if read_integer(text) <= 0:
        raise BadRequest("The heartbeat value should be a positive integer (in milliseconds).")
    return read_integer(text)


def _seq_interval(text: str) -> int:
    if not INTEGER.fullmatch(text) or read_integer(text) <= 0:
        raise BadRequest("invalid_seq_interval")
    return read_integer(text)


def _etag(database: Database) -> str:
    with database.lock:
        return make_etag([database.uuid, database.update_seq, database.purge_seq, database.doc_count])


# The filter that a request names, with what it takes from query string and body


def read_filter(request: Request, name: str, body: dict[str, Any] | None) -> Filter | None:
    """The filter of that name; None for all changes. ``body`` is the request's, None if there is none.

    Errors: BadRequest for unknown names and unfit arguments, NotFound for design functions that are not there.
    """
    if name == "_doc_ids":
        return _doc_ids(request, body)
    if name == "_selector":
        return _selector(request, body)
    if name == "_design":
        return DesignDocuments()
    if name == "_view":
        return _view(request)
    if name.startswith("_"):
        raise BadRequest("unknown builtin filter name")
    parts = _parts(name)
    if not parts:
        return None
    if len(parts) != 2:
        raise BadRequest("`filter` must be of the form `designname/filtername`")
    ddoc, function = parts
    return filter_function(
        request.node.query_server,
        request.db,
        ddoc,
        function,
        lambda: function_request(request, body=body),
        _revs_limit(request),
    )


def _parts(name: str) -> list[str]:
    """``ddoc/function``, each part escaped once more than the parameter as a whole."""
    raw = name.encode("utf-8", "surrogateescape").decode("latin-1")
    return [unquote(part) for part in raw.split("/") if part]


def _body(request: Request, body: dict[str, Any] | None) -> dict[str, Any]:
    return request.json_object() if body is None else body


def _doc_ids(request: Request, body: dict[str, Any] | None) -> Filter:
    if request.verb == "POST":
        ids = _body(request, body).get("doc_ids")
    else:
        ids = request.parameters.json("doc_ids")
    if not isinstance(ids, list) or not all(isinstance(docid, str) for docid in ids):
        raise BadRequest("`doc_ids` filter parameter is not a list of doc ids.")
    return DocIds(ids, request.node.config[CHANGES_DOC_IDS_OPTIMIZATION_THRESHOLD])


def _selector(request: Request, body: dict[str, Any] | None) -> Filter:
    if request.verb != "POST":
        raise BadRequest("Selector must be specified in POST payload")
    members = _body(request, body)
    chosen = Selector(members.get("selector"), members.get("fields"), request.node.collator)
    if members.get("fields", []) is None:  # null is not the same as nothing
        raise BadRequest("Selector error: fields must be JSON array")
    return chosen


def _view(request: Request) -> Filter:
    name = request.parameters.get("view", "")
    if not name:
        raise BadRequest("`view` filter parameter is not provided.")
    parts = _parts(name)
    if not parts:
        raise BadRequest("`view` must be of the form `designname/viewname`")
    if len(parts) != 2:
        raise Crash("case_clause", "".join(parts))
    ddoc, view = parts
    return view_filter(request.node.query_server, request.db, ddoc, view, _revs_limit(request))


def _revs_limit(request: Request) -> int:
    return request.node.config[QUERY_REVS_LIMIT]


# ---- formats

CHUNK = 1 << 16
"""The bytes that are collected before they are sent."""

LONGEST = 10**12
"""Milliseconds: no feed waits longer."""


class Format:
    """What the formats have in common. Subclasses define the form of rows, heartbeats and the end."""

    is_json = True
    head = b""
    beat = b"\n"
    first_sign = b"\n"
    """What is sent when the feed begins to wait and nothing was sent before, to show that the answer has begun."""

    def __init__(self, database: Database, query: ChangesQuery) -> None:
        self.database = database
        self.query = query
        self.writer = RowWriter(database, query)

    def rows(self, rows: list[Row]) -> bytes:
        raise NotImplementedError

    def end(self, ended: Ended, collected: bool) -> bytes:
        """Return the end of the body. ``collected``: rows are sent in the same chunk."""
        raise NotImplementedError

    def row_texts(self, rows: Sequence[Row]) -> list[bytes]:
        """Return the JSON text of each row."""
        return self.writer.write(rows, self.writer.sequences(rows))

    def summary(self, ended: Ended) -> bytes:
        """Return the members that follow the last row."""
        last_seq = json.encode(self.database.pack_seq(ended.last_seq))
        return b'"last_seq":%b,"pending":%d' % (last_seq, ended.pending)

    def heartbeat(self) -> bytes:
        return self.beat

    def chunks(self, events: Iterable[Event]) -> Generator[bytes, None, None]:
        """Yield the body."""
        collected, size, silent = [self.head], 0, True
        for event in events:
            if isinstance(event, Rows):
                collected.append(self.rows(event.rows))
                size += len(collected[-1])
                silent = False
                if size < CHUNK:
                    continue
            elif isinstance(event, Ended):
                collected.append(self.end(event, size > 0))
            elif isinstance(event, Heartbeat):
                collected.append(self.heartbeat())
                silent = False
            elif silent:
                collected.append(self.first_sign)
                silent = False
            text = b"".join(collected)
            if text:
                yield text
            collected, size = [], 0


class OneObject(Format):
    """``{"results": […], "last_seq": …, "pending": …}``; a heartbeat is a blank line within it."""

    head = b'{"results":[\n'

    def __init__(self, database: Database, query: ChangesQuery) -> None:
        super().__init__(database, query)
        self._separator = b""

    def rows(self, rows: list[Row]) -> bytes:
        texts = self.row_texts(rows)
        if not texts:
            return b""
        text = self._separator + b",\r\n".join(texts)
        self._separator = b",\r\n"
        return text

    def end(self, ended: Ended, collected: bool) -> bytes:
        return b"\n],\n%b}\n\n" % self.summary(ended)


class Lines(Format):
    """A JSON object on a line of its own for each change, and at the end one with ``last_seq``."""

    def rows(self, rows: list[Row]) -> bytes:
        return b"\n".join([*self.row_texts(rows), b""])

    def end(self, ended: Ended, collected: bool) -> bytes:
        return b"{%b}\n\n" % self.summary(ended)


class Events(Format):
    """Server-sent events: ``data`` is the change, ``id`` its sequence. The end says nothing."""

    is_json = False
    beat = b"event: heartbeat\ndata: \n\n"

    def rows(self, rows: list[Row]) -> bytes:
        sequences = self.writer.sequences(rows)
        texts = self.writer.write(rows, sequences)
        return b"".join([b"data: %b\nid: %b\n\n" % (text, seq.encode()) for text, seq in zip(texts, sequences)])

    def end(self, ended: Ended, collected: bool) -> bytes:
        return b"\n" if collected else b""


FORMATS: dict[str, type[Format]] = {
    "normal": OneObject,
    "longpoll": OneObject,
    "continuous": Lines,
    "eventsource": Events,
}


def feed_response(
    request: Request,
    database: Database,
    query: ChangesQuery,
    form: Format,
    headers: dict[str, str],
    watched: Callable[[Generator[bytes, None, None]], Generator[bytes, None, None]] = lambda chunks: chunks,
) -> Response:
    """Return the answer to a request for a feed: in one piece if it is a short normal one, otherwise in chunks.

    ``watched`` wraps the chunks of a live feed, so that it sees them begin and end.
    """
    text = form.chunks(read_changes(database, query, Client.of(request.environ)))
    if query.feed == "normal":
        return json_body(text, headers)
    chunks = PrimedStream(watched(text))
    if form.is_json:
        return json_stream(chunks, headers)
    return stream_response(chunks, "text/event-stream", headers={**headers, "Cache-Control": "no-cache"})


def feed_timeout(timeout: int | None, heartbeat: int | bool | None, config: Config) -> float:
    """Return the seconds without a change after which a live feed ends or sends a heartbeat.

    ``timeout`` and ``heartbeat`` are milliseconds as requested, None if they were not given. ``heartbeat`` counts if
    both were; True means the default, which is also the longest.
    """
    default = config[CHANGES_TIMEOUT]
    wanted = timeout if heartbeat is None else heartbeat
    return min(default if wanted is None or wanted is True else max(0, min(default, wanted)), LONGEST) / 1000
