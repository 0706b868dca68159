"""``/_db_updates``: what happened to databases. CouchDB documentation, "Server API: /_db_updates".

It is the changes feed of a database whose documents are named after events, with rows of another form.
"""

from __future__ import annotations

from collections.abc import Sequence

from couchfake.api.changes import Events, Format, Lines, OneObject, feed_response, feed_timeout
from couchfake.changes.feed import NO_LIMIT, ChangesQuery, Ended, Feed, Row
from couchfake.chttpd.parameters import Parameters
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, etag_matches, make_etag, not_modified
from couchfake.errors import BadRequest
from couchfake.node import Node
from couchfake.settings import GLOBAL_CHANGES_DBNAME
from couchfake.storage.database import Database
from couchfake.values import json
from couchfake.values.erlang import INTEGER, read_integer

DEFAULT_HEARTBEAT = 60_000
"""The milliseconds of ``heartbeat=true``."""


def db_updates(request: Request) -> Response:
    """``GET /_db_updates`` in all four feeds."""
    numbers = _read_numbers(request.parameters)
    database = request.node.database(request.node.config[GLOBAL_CHANGES_DBNAME])
    feed = request.parameters.get("feed") or "normal"
    form = _FORMATS.get(feed)
    if form is None:
        raise BadRequest("Supported `feed` types: normal, continuous, longpoll, eventsource")
    query = _query(database, request.parameters, form.feed, numbers, request.node)
    headers = {}
    if feed == "normal":
        headers["ETag"] = make_etag([database.uuid, database.update_seq])
        if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), headers["ETag"]):
            return not_modified(headers["ETag"])
    return feed_response(request, database, query, form(database, query), headers)


def _read_numbers(parameters: Parameters) -> dict[str, int]:
    """Read the parameters that are whole numbers; ``heartbeat`` and ``timeout`` are milliseconds."""
    numbers: dict[str, int] = {}
    for name, value in parameters.pairs:
        if name in ("limit", "timeout", "heartbeat") and not (name == "heartbeat" and value in ("true", "false")):
            if not INTEGER.fullmatch(value) or read_integer(value) < 0:
                raise BadRequest("invalid_integer")
            numbers[name] = read_integer(value)
    if parameters.get("heartbeat") == "true":
        numbers["heartbeat"] = DEFAULT_HEARTBEAT
    return numbers


def _query(database: Database, parameters: Parameters, feed: Feed, numbers: dict[str, int], node: Node) -> ChangesQuery:
    since = parameters.get("since") or "0"
    descending = parameters.get("descending") == "true"
    heartbeat = numbers.get("heartbeat")
    return ChangesQuery(
        feed=feed,
        since=database.start_seq(since, descending),
        limit=numbers.get("limit", NO_LIMIT),
        descending=descending,
        timeout=feed_timeout(numbers.get("timeout"), heartbeat, node.config),
        heartbeat=heartbeat is not None,
        clock=node.clock,
    )


class _Updates(Format):
    """Rows that name a database and what happened to it. A heartbeat is sent only if one is due."""

    first_sign = b""

    def __init__(self, database: Database, query: ChangesQuery) -> None:
        super().__init__(database, query)
        self._sent = query.clock.monotonic()

    def row_texts(self, rows: Sequence[Row]) -> list[bytes]:
        """Return the JSON of each event; other documents of the database have none."""
        self._sent = self.query.clock.monotonic()
        texts = []
        for change, _ in rows:
            what, colon, name = change.entry.id.partition(":")
            if colon:
                texts.append(json.encode({"db_name": name, "type": what, "seq": self.database.pack_seq(change.seq)}))
        return texts

    def summary(self, ended: Ended) -> bytes:
        return b'"last_seq":%b' % json.encode(self.database.pack_seq(ended.last_seq))

    def heartbeat(self) -> bytes:
        if not self.query.heartbeat or self.query.clock.monotonic() - self._sent < self.query.timeout:
            return b""
        self._sent = self.query.clock.monotonic()
        return b"\n"


class _Normal(_Updates, OneObject):
    feed: Feed = "normal"


class _Longpoll(_Updates, OneObject):
    feed: Feed = "longpoll"


class _Continuous(_Updates, Lines):
    feed: Feed = "continuous"


class _EventSource(Events):
    """The data of these events are the changes of the database itself, as the real server sends them."""

    feed: Feed = "eventsource"
    first_sign = b""


_FORMATS: dict[str, type[_Normal | _Longpoll | _Continuous | _EventSource]] = {
    form.feed: form for form in (_Normal, _Longpoll, _Continuous, _EventSource)
}
