"""``/_db_updates``: what happened to databases. CouchDB documentation, "Server API: /_db_updates"."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from couchfake.chttpd.parameters import Parameters
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, etag_matches, json_stream, make_etag, not_modified, stream_response
from couchfake.errors import BadRequest
from couchfake.hooks.global_changes import db_name
from couchfake.storage.database import Database
from couchfake.storage.documents import DocumentEntry
from couchfake.transports.client import Client
from couchfake.values import json
from couchfake.values.integers import read_integer

FEEDS = ("normal", "continuous", "longpoll", "eventsource")


@dataclass(frozen=True)
class Query:
    """``timeout`` and ``heartbeat`` in seconds; ``heartbeat`` 0: none."""

    feed: str
    since: str
    limit: int | None
    descending: bool
    timeout: float
    heartbeat: float


def db_updates(request: Request) -> Response:
    """``GET /_db_updates`` in all four feeds."""
    query = _read(request.parameters, request.node.config.integer("chttpd", "changes_timeout"))
    database = request.node.database(db_name(request.node.config))
    if query.feed not in FEEDS:
        raise BadRequest("Supported `feed` types: normal, continuous, longpoll, eventsource")
    since = (
        database.update_seq if query.since == "now" else 0 if query.since == "0" else database.unpack_seq(query.since)
    )
    headers = {}
    if query.feed == "normal":
        headers["ETag"] = make_etag([database.uuid, database.update_seq])
        if etag_matches(request.environ.get("HTTP_IF_NONE_MATCH"), headers["ETag"]):
            return not_modified(headers["ETag"])
        return json_stream(_results(database, query, since, None), headers)
    peer = Client.of(request.environ)
    if query.feed == "longpoll":
        return json_stream(_results(database, query, since, peer), headers)
    if query.feed == "continuous":
        return json_stream(_lines(database, query, since, peer), headers)
    return stream_response(
        _events(database, query, since, peer), "text/event-stream", headers={"Cache-Control": "no-cache"}
    )


_FOR_EVER = 10**12  # of rows, or milliseconds


def _read(parameters: Parameters, default_timeout: int) -> Query:
    numbers: dict[str, int] = {}
    for name, value in parameters.pairs:
        if name in ("limit", "timeout", "heartbeat") and not (name == "heartbeat" and value in ("true", "false")):
            if not value.isascii() or not value.lstrip("+").isdigit():
                raise BadRequest("invalid_integer")
            numbers[name] = min(read_integer(value), _FOR_EVER)
    if parameters.get("heartbeat") == "true":
        numbers["heartbeat"] = 60000
    return Query(
        feed=parameters.get("feed") or "normal",
        since=parameters.get("since") or "0",
        limit=numbers.get("limit"),
        descending=parameters.get("descending") == "true",
        timeout=numbers.get("timeout", default_timeout) / 1000,
        heartbeat=numbers.get("heartbeat", 0) / 1000,
    )


def _row(database: Database, entry: DocumentEntry) -> dict[str, Any] | None:
    """What happened; None for documents of the database that tell no event."""
    what, colon, name = entry.id.partition(":")
    return {"db_name": name, "type": what, "seq": database.pack_seq(entry.seq)} if colon else None


def _batches(database: Database, query: Query, since: int, peer: Client | None) -> Iterator[list[DocumentEntry]]:
    """The events after ``since``, then those that come, batch by batch; an empty one where a heartbeat is due.

    Ends with the time, the peer or the database. Without a peer nobody waits.
    """
    end = time.monotonic() + query.timeout
    while True:
        with database.lock:
            found = list(database.entries_since(since))
            if not found and peer is not None and not database.closed:
                left = query.heartbeat or max(0.0, end - time.monotonic())
                peer.wait(database.changed, left)
                found = list(database.entries_since(since))
        if found:
            since = found[-1].seq
        yield found[::-1] if query.descending else found
        if peer is None or peer.gone or database.closed:
            return
        if not query.heartbeat and not found and time.monotonic() >= end:
            return


def _limited(
    database: Database, query: Query, since: int, peer: Client | None
) -> Iterator[tuple[DocumentEntry, dict[str, Any]] | None]:
    """The events and their rows, as many as are wanted; None for a heartbeat."""
    left = query.limit
    if left == 0:
        return
    for batch in _batches(database, query, since, peer):
        if not batch:
            yield None
        for entry in batch:
            row = _row(database, entry)
            if row is not None:
                yield entry, row
                if left is not None:
                    left -= 1
                    if left == 0:
                        return


def _results(database: Database, query: Query, since: int, peer: Client | None) -> Iterator[bytes]:
    """One JSON object; with a peer it waits for the first event (``longpoll``)."""
    last, separator = since, b""
    yield b'{"results":[\n'
    for batch in _batches(database, query, since, peer) if query.limit != 0 else ():
        rows = [(entry, row) for entry in batch if (row := _row(database, entry)) is not None][: query.limit]
        for entry, row in rows:
            last = entry.seq
            yield separator + json.encode(row)
            separator = b",\r\n"
        if rows or peer is None:
            break
        if query.heartbeat:
            yield b"\n"
    if query.limit is None and not query.descending:
        last = max(last, database.update_seq if separator else since)
    yield b'\n],\n"last_seq":' + json.encode(database.pack_seq(last)) + b"}\n"


def _lines(database: Database, query: Query, since: int, peer: Client) -> Iterator[bytes]:
    """A line for each event, an empty one for a heartbeat, and the last sequence at the end."""
    last = since
    for each in _limited(database, query, since, peer):
        if each is not None:
            last = each[0].seq
            yield json.encode(each[1]) + b"\n"
        elif query.heartbeat:
            yield b"\n"
    yield b'{"last_seq":' + json.encode(database.pack_seq(last)) + b"}\n"


def _events(database: Database, query: Query, since: int, peer: Client) -> Iterator[bytes]:
    """Server-sent events. Their data is the change of the underlying database, as the real server sends it."""
    for each in _limited(database, query, since, peer):
        if each is not None:
            entry, row = each
            change = {"seq": row["seq"], "id": entry.id, "changes": [{"rev": entry.winner.rev}]}
            yield b"data: " + json.encode(change) + b"\nid: " + json.encode(row["seq"]) + b"\n\n"
        elif query.heartbeat:
            yield b"event: heartbeat\ndata: \n\n"
