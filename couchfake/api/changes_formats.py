"""The feeds as bytes: one JSON object (normal, longpoll), a line for each change, server-sent events.

Each chunk is sent at once. Rows are held back until there are enough of them, or no more are there at the moment.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

from couchfake.changes.feed import Ended, Event, Heartbeat, Rows
from couchfake.changes.query import ChangesQuery
from couchfake.changes.rows import RowWriter
from couchfake.changes.scan import Row
from couchfake.storage.database import Database
from couchfake.values import json

CHUNK = 1 << 16
"""Bytes that are put together before they are sent."""


class Format:
    """What the formats share. Subclasses say how rows, signs of life and the end look."""

    is_json = True
    head = b""
    beat = b"\n"

    def __init__(self, database: Database, query: ChangesQuery) -> None:
        self.database = database
        self.writer = RowWriter(database, query)

    def rows(self, rows: list[Row]) -> bytes:
        raise NotImplementedError

    def end(self, ended: Ended, held: bool) -> bytes:
        """``held``: whether rows go out with it."""
        raise NotImplementedError

    def chunks(self, events: Iterable[Event]) -> Generator[bytes, None, None]:
        """The body."""
        held, size, silent = [self.head], 0, True
        for event in events:
            if isinstance(event, Rows):
                held.append(self.rows(event.rows))
                size += len(held[-1])
                silent = False
                if size < CHUNK:
                    continue
            elif isinstance(event, Ended):
                held.append(self.end(event, size > 0))
            elif isinstance(event, Heartbeat):
                held.append(self.beat)
                silent = False
            elif silent:
                held.append(b"\n")  # who waits should see at least that the answer has begun
                silent = False
            text = b"".join(held)
            if text:
                yield text
            held, size = [], 0


class OneObject(Format):
    """``{"results": […], "last_seq": …, "pending": …}``; a sign of life is a blank line within it."""

    head = b'{"results":[\n'

    def __init__(self, database: Database, query: ChangesQuery) -> None:
        super().__init__(database, query)
        self._separator = b""

    def rows(self, rows: list[Row]) -> bytes:
        text = self._separator + b",\r\n".join(self.writer.write(rows, self.writer.sequences(rows)))
        self._separator = b",\r\n"
        return text

    def end(self, ended: Ended, held: bool) -> bytes:
        last_seq = json.encode(self.database.pack_seq(ended.last_seq))
        return b'\n],\n"last_seq":%b,"pending":%d}\n' % (last_seq, ended.pending)


class Lines(Format):
    """A JSON object on a line of its own for each change, and at the end one with ``last_seq``."""

    def rows(self, rows: list[Row]) -> bytes:
        return b"\n".join([*self.writer.write(rows, self.writer.sequences(rows)), b""])

    def end(self, ended: Ended, held: bool) -> bytes:
        last_seq = json.encode(self.database.pack_seq(ended.last_seq))
        return b'{"last_seq":%b,"pending":%d}\n\n' % (last_seq, ended.pending)


class Events(Format):
    """Server-sent events: ``data`` is the change, ``id`` its sequence. The end says nothing."""

    is_json = False
    beat = b"event: heartbeat\ndata: \n\n"

    def rows(self, rows: list[Row]) -> bytes:
        sequences = self.writer.sequences(rows)
        texts = self.writer.write(rows, sequences)
        return b"".join([b"data: %b\nid: %b\n\n" % (text, seq.encode()) for text, seq in zip(texts, sequences)])

    def end(self, ended: Ended, held: bool) -> bytes:
        return b"\n" if held else b""


FORMATS: dict[str, type[Format]] = {
    "normal": OneObject,
    "longpoll": OneObject,
    "continuous": Lines,
    "eventsource": Events,
}
