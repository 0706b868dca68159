"""Which sessions were opened after a snapshot, so that they end when it is restored.

A session cookie carries its own proof, and the server keeps no list of them. So the signatures of those that are
given out are noted while a snapshot exists, and refused once it has been restored.
"""

from __future__ import annotations

import threading

_MOST_ENDED = 10_000


class OpenedSessions:
    """The sessions of one server. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshots = 0
        self._opened: list[bytes] = []
        self._ended: dict[bytes, None] = {}

    def note(self, signature: bytes) -> None:
        """A session was opened or prolonged. In the same second a user gets the same cookie, which then is valid."""
        if not self._snapshots and not self._ended:
            return
        with self._lock:
            self._ended.pop(signature, None)
            if self._snapshots:
                self._opened.append(signature)

    def is_ended(self, signature: bytes) -> bool:
        return signature in self._ended

    def begin(self) -> int:
        """Note sessions from now on, until ``drop``. Return the mark for ``end_since``."""
        with self._lock:
            self._snapshots += 1
            return len(self._opened)

    def end_since(self, mark: int) -> None:
        """End the sessions that were opened after ``begin`` returned ``mark``."""
        with self._lock:
            self._ended.update(dict.fromkeys(self._opened[mark:]))
            del self._opened[mark:]
            while len(self._ended) > _MOST_ENDED:
                del self._ended[next(iter(self._ended))]

    def drop(self) -> None:
        with self._lock:
            self._snapshots -= 1
            if not self._snapshots:
                self._opened.clear()
