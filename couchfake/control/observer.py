"""What the test kit observes: each request, the feeds that are open, and what design functions log.

A request meets faults before and after the server's answer, and becomes an entry in the request log. Changes feeds are
noted for as long as somebody is reading them.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.control.faults import Faults, answer_of
from couchfake.control.request_log import RequestLog
from couchfake.values.clock import Clock

CONTROL_PATH = "/_couchfake"
"""Requests to the test kit itself are neither logged nor subject to faults."""

INSPECTOR = "inspector"
"""The same holds for requests with this value of the header ``X-CouchFake``: the inspector's own to CouchDB's API."""


class Observer:
    """Stands between a server's dispatcher and its endpoints."""

    def __init__(self, requests: RequestLog, faults: Faults, feeds: OpenFeeds, clock: Clock) -> None:
        self._requests = requests
        self._feeds = feeds
        self._faults = faults
        self._clock = clock

    def answer(self, request: Request, answer: Callable[[Request], Response]) -> Response:
        """Answer a request with the faults that are on."""
        if not self._faults or _is_control(request):
            return answer(request)
        faults = self._faults.met_by(request)
        return answer_of(request, faults, answer) if faults else answer(request)

    def answered(self, request: Request, response: Response, seconds: float) -> None:
        """Note a request and its answer."""
        if _is_control(request):
            return
        self._feeds.watch(request, response)
        self._requests.add(request, response, self._clock(), seconds)


def _is_control(request: Request) -> bool:
    return request.target[0].startswith(CONTROL_PATH) or request.environ.get("HTTP_X_COUCHFAKE") == INSPECTOR


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


# ---- design functions: the arguments of ``log()``, and the errors that a map function swallowed

KEPT_LINES = 1000

_logger = logging.getLogger("couchfake.design_functions")


class FunctionLine(NamedTuple):
    """One line. ``level``: ``info`` for ``log()``, ``error`` for an error."""

    level: str
    message: str
    test: str | None


class FunctionLog:
    """The last lines that design functions logged, the oldest first. They go to ``logging`` too."""

    def __init__(self) -> None:
        self._lines: deque[FunctionLine] = deque(maxlen=KEPT_LINES)
        self.test: str | None = None
        """The id of the test that runs, noted in each line."""

    def add(self, level: str, message: str) -> None:
        self._lines.append(FunctionLine(level, message, self.test))
        _logger.log(logging.ERROR if level == "error" else logging.INFO, "%s", message)

    def copy_from(self, other: FunctionLog) -> None:
        """Take over the lines of another log."""
        self._lines.extend(other)

    def clear(self) -> None:
        self._lines.clear()

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[FunctionLine]:
        return iter(list(self._lines))
