"""From a WSGI call to an endpoint and back: virtual host, user, route, rights, and errors as responses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Protocol

from werkzeug.http import http_date

from couchfake.api.routing import TABLE
from couchfake.api.vhosts import dispatch_host
from couchfake.auth.permissions import authorize
from couchfake.chttpd.finishing import as_script, finish, preflight, refusal
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, error_response
from couchfake.errors import CouchError, MethodNotAllowed, NotFound, ServerError
from couchfake.node.node import Node
from couchfake.transports.client import ClientDisconnected

logger = logging.getLogger("couchfake")
DROPPED = 0
"""The status by which the log knows a request whose connection was closed without an answer."""


class Observer(Protocol):
    """Sees each request on its way in, and its answer on its way out."""

    def answer(self, request: Request, answer: Callable[[Request], Response]) -> Response:
        """Answer a request, usually by calling ``answer``. ClientDisconnected closes the connection."""

    def answered(self, request: Request, response: Response, seconds: float) -> None:
        """Note the answer. ``seconds``: how long it took."""


class Unobserved:
    """Sees nothing."""

    def answer(self, request: Request, answer: Callable[[Request], Response]) -> Response:
        return answer(request)

    def answered(self, request: Request, response: Response, seconds: float) -> None:
        pass


class Dispatcher:
    """The WSGI application of a node.

    Every request enters, and every response leaves, through ``__call__``. An endpoint answers through :meth:`answer`,
    which a rewritten request goes through again.
    """

    def __init__(self, node: Node, observer: Observer | None = None) -> None:
        self.node = node
        self._observer = observer or Unobserved()
        self.extensions: dict[str, Callable[[Request], Response]] = {}
        """What answers below a first part of the path that CouchDB does not know."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = perf_counter()
        request = Request(dispatch_host(environ, self.node.config), self.node, self.answer)
        try:
            response = as_script(request, self._answer_or_refusal(request))
            finish(request, response, started)
            return self._send(request, response, started, start_response)
        except ClientDisconnected:
            self._observer.answered(request, Response(b"", DROPPED), perf_counter() - started)
            raise
        except Exception:  # the last line of defence: no traceback ever reaches a client
            logger.exception("%s %s failed", request.method, request.target[0])
            response = error_response(ServerError("internal error of couchfake"))
            return self._send(request, response, started, start_response)

    def _answer_or_refusal(self, request: Request) -> Response:
        try:
            return self._observer.answer(request, self.answer)
        except CouchError as error:
            return refusal(request, error)

    def _send(
        self, request: Request, response: Response, started: float, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        seconds = perf_counter() - started
        self.node.stats.request(request.method, response.status_code, seconds * 1000)
        if not self.node.clock.is_real and "Date" not in response.headers:
            response.headers["Date"] = http_date(self.node.clock())
        self._observer.answered(request, response, seconds)
        return response(request.environ, start_response)

    def answer(self, request: Request) -> Response:
        """Return the response of the endpoint that the path and the method name. Raise CouchError."""
        request.check_target()
        preflight_response = preflight(request)
        if preflight_response is not None:
            return preflight_response
        segments, verb = request.segments, request.verb
        if self.extensions and segments and segments[0] in self.extensions:
            return self.extensions[segments[0]](request)
        authorize(request.user, verb, segments, self.node.security_of, self.node.config)
        found = TABLE.match(segments)
        if found is None:
            raise NotFound()
        route, captured = found
        name = captured.pop("db", None)
        if name is not None and not (len(segments) == 1 and verb in ("PUT", "DELETE")):
            request.db = self.node.database(name)
        if route.before is not None:
            route.before(request, **captured)
        handler = route.handler(verb)
        if handler is None:
            raise MethodNotAllowed(route.allow)
        return handler(request, **captured)
