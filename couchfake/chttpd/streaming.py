"""Answers that are made while they are sent, begun before their head goes out."""

from __future__ import annotations

from collections.abc import Generator, Iterator


class PrimedStream(Iterator[bytes]):
    """The chunks of a generator, the first of which is made at once: an error up to there is still an error answer.

    ``close()`` ends the generator, whether it was read from or not.
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
        """All of it, where it is one chunk at most; None where more follow, which are read as before.

        Waits for the second chunk: not for feeds.
        """
        if self._make_one():
            return None
        return b"".join(self._ahead)

    def __next__(self) -> bytes:
        return self._ahead.pop(0) if self._ahead else next(self._chunks)

    def close(self) -> None:
        self._chunks.close()
