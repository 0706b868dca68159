"""Feeds as bytes: one JSON object (normal, longpoll), a line for each change, or server-sent events.

Each chunk is sent at once. Rows are collected until there are enough of them, or no more at the moment.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence

from couchfake.changes.feed import ChangesQuery, Ended, Event, Heartbeat, Row, Rows, RowWriter, read_changes
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import PrimedStream, Response, json_body, json_stream, stream_response
from couchfake.config import Config
from couchfake.settings import CHANGES_TIMEOUT
from couchfake.storage.database import Database
from couchfake.transports.client import Client
from couchfake.values import json

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
    both were; True stands for the default, which is also the longest.
    """
    default = config[CHANGES_TIMEOUT]
    wanted = timeout if heartbeat is None else heartbeat
    return min(default if wanted is None or wanted is True else max(0, min(default, wanted)), LONGEST) / 1000
