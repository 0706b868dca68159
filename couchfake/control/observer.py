"""What the test kit does with each request: faults before and after the server's answer, and an entry in the log."""

from __future__ import annotations

from collections.abc import Callable

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.control.faults import Faults, answer_of
from couchfake.control.open_feeds import OpenFeeds
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
