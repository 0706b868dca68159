"""From a WSGI call to an endpoint and back: virtual host, user, route, rights, and errors as responses.

``[vhosts]`` maps the Host of a request to a path below which it is answered. A host may have parts that bind
(``:name``), a wildcard for all the rest (``*``), a port and a path; the target may use what was bound.
``[httpd] vhost_global_handlers`` names the paths that stay as they are.
Source: CouchDB documentation, "Configuration: Virtual Hosts"; ``couch_httpd_vhost``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from werkzeug.http import http_date

from couchfake.api.routing import TABLE
from couchfake.auth.permissions import authorize
from couchfake.chttpd.finishing import as_script, finish, preflight, refusal
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, error_response
from couchfake.config import Config
from couchfake.errors import CouchError, MethodNotAllowed, NotFound, ServerError
from couchfake.node import Node
from couchfake.settings import VHOST_GLOBAL_HANDLERS, VHOSTS, X_FORWARDED_HOST
from couchfake.transports.client import ClientDisconnected
from couchfake.transports.wsgi import make_environ

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
    which a rewritten request goes through again. ``extensions`` answer below first parts of the path that are not
    CouchDB's; the mapping may change later.
    """

    def __init__(
        self,
        node: Node,
        observer: Observer | None = None,
        extensions: Mapping[str, Callable[[Request], Response]] | None = None,
    ) -> None:
        self.node = node
        self._observer = observer or Unobserved()
        self._extensions = {} if extensions is None else extensions

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = perf_counter()
        request = Request(environ, self.node, self.answer)
        try:
            mapped = dispatch_host(environ, self.node.config)
            if mapped is not environ:
                request = Request(mapped, self.node, self.answer)
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
        if self._extensions and segments and segments[0] in self._extensions:
            return self._extensions[segments[0]](request)
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


# ---- virtual hosts

Bindings = dict[str, str]


class _VirtualHost(NamedTuple):
    """``host`` begins with the top-level domain; ``port`` None is any."""

    host: list[str]
    port: int | None
    path: list[str]
    target: list[str]


def dispatch_host(environ: dict[str, Any], config: Config) -> dict[str, Any]:
    """Return the environment of the request that a virtual host maps ``environ`` to; ``environ`` if none does."""
    if not config.has_section(VHOSTS):
        return environ
    raw: str = environ.get("REQUEST_URI") or environ.get("RAW_URI") or ""
    path, mark, query = raw.partition("?")
    parts = [part for part in path.split("/") if part]
    header = config[X_FORWARDED_HOST].upper().replace("-", "_")
    host, port = _host_and_port(environ.get("HTTP_" + header) or environ.get("HTTP_HOST") or "")
    for each in _virtual_hosts(config):
        target = _target(each, host, port, parts)
        if target is not None and not _is_global(parts, config):
            rest = "/" + "/".join(parts[len(each.path) :]) + mark + query
            headers = {"HTTP_X_COUCHDB_VHOST_PATH": rest}
            return make_environ(environ, environ["REQUEST_METHOD"], target + rest, headers, environ["wsgi.input"])
    return environ


def _virtual_hosts(config: Config) -> list[_VirtualHost]:
    """The configured hosts: literal parts before parts that bind, these before wildcards; longer ones first."""
    found = []
    for key, target in config.section(VHOSTS).items():
        if target:
            name, slash, path = key.partition("/")
            host, port = _host_and_port(name)
            found.append(_VirtualHost(host, port, _parts(slash + path), _parts(target)))
    return sorted(found, key=_precedence, reverse=True)


def _precedence(each: _VirtualHost) -> tuple[Any, ...]:
    """Erlang's order of terms: atoms, which wildcards are, then tuples, which bindings are, then strings."""
    ranks = [(0 if part == "*" else 1 if part.startswith(":") else 2, part) for part in reversed(each.host)]
    return ranks, each.port is None, each.port or 0, each.path, each.target


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _host_and_port(text: str) -> tuple[list[str], int | None]:
    """The parts of a host, the top-level domain first, and the port; None if there is none."""
    name, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        return [part for part in reversed(text.split(".")) if part], None
    return [part for part in reversed(name.split(".")) if part], int(port)


def _target(virtual: _VirtualHost, host: list[str], port: int | None, path: list[str]) -> str | None:
    """Return the path that a virtual host maps to; None if the request is not for it."""
    if virtual.port is not None and virtual.port != port:
        return None
    bound = _bind(virtual.host, host)
    if bound is None or path[: len(virtual.path)] != virtual.path:
        return None
    bindings, remaining = bound
    parts: list[str] = []
    for part in virtual.target:
        if part == "*":
            parts += reversed(remaining)
            break
        parts.append(bindings.get(part, "undefined") if part.startswith(":") else part)
    return "/" + "/".join(parts)


def _bind(pattern: list[str], host: list[str]) -> tuple[Bindings, list[str]] | None:
    """Return what the pattern's parts bind, and the parts of the host that its wildcard covers; None if it differs."""
    bindings: Bindings = {}
    for place, part in enumerate(pattern):
        if place == len(host):
            return None
        if part == "*" and place == len(pattern) - 1:
            return bindings, host[place:]
        if part.startswith(":"):
            bindings[part] = host[place]
        elif part != host[place]:
            return None
    return (bindings, []) if len(pattern) == len(host) else None


def _is_global(path: list[str], config: Config) -> bool:
    return (path[0] if path else "/") in config[VHOST_GLOBAL_HANDLERS]
