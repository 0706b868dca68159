"""The changes feeds that somebody is reading."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response

FEEDS = frozenset(("continuous", "eventsource", "live", "longpoll"))


class OpenFeeds:
    """The feeds of one server whose answers have not ended. Iterating gives their URLs, the oldest first."""

    def __init__(self) -> None:
        self._open: dict[object, str] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def watch(self, request: Request, response: Response) -> None:
        """Count an answer among the open feeds until it ends, if it is one."""
        path, query = request.target
        if isinstance(response.body, bytes) or "feed=" not in query:
            return
        if path.rstrip("/").endswith(("/_changes", "/_db_updates")) and request.parameters.get("feed") in FEEDS:
            key = object()
            with self._lock:
                self._open[key] = f"{path}?{query}"
            response.body = _Watched(response.body, self, key)

    def end(self, key: object) -> None:
        with self._lock:
            self._open.pop(key, None)


class _Watched:
    def __init__(self, chunks: Any, feeds: OpenFeeds, key: object) -> None:
        self._chunks: Iterable[bytes] = chunks
        self._feeds = feeds
        self._key = key

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        finally:
            self._feeds.end(self._key)

    def close(self) -> None:
        self._feeds.end(self._key)
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
