"""Bodies that are made while they are sent, begun before their head goes out."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping

from couchfake.chttpd.responses import Response, json_stream

CHUNK = 1 << 16
"""Bytes that are collected before they are sent."""


class PrimedStream(Iterator[bytes]):
    """The chunks of a generator, whose first chunk is made at once: an error up to there is still an error response.

    ``close()`` ends the generator, even if nothing was read.
    """

    def __init__(self, chunks: Generator[bytes, None, None]) -> None:
        self._chunks = chunks
        self._ahead: list[bytes] = []
        self._make_one()

    def _make_one(self) -> bool:
        for chunk in self._chunks:
            self._ahead.append(chunk)
            return True
        return False

    def whole(self) -> bytes | None:
        """Return the whole body if it is one chunk at most; else None, and the stream is read as before.

        Waits for the second chunk, so it is not for feeds.
        """
        if self._make_one():
            return None
        return b"".join(self._ahead)

    def __next__(self) -> bytes:
        return self._ahead.pop(0) if self._ahead else next(self._chunks)

    def close(self) -> None:
        self._chunks.close()


def json_body(chunks: Generator[bytes, None, None], headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON text as a response: whole, with its length, if it is one chunk, else a stream."""
    stream = PrimedStream(chunks)
    whole = stream.whole()
    return json_stream(stream if whole is None else whole, headers)


def in_chunks(pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Join small pieces into chunks of ``CHUNK`` bytes or more; the last may be shorter."""
    pending: list[bytes] = []
    size = 0
    for piece in pieces:
        pending.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(pending)
            pending, size = [], 0
    if pending:
        yield b"".join(pending)
