"""What every response gets before it leaves: request id, cookies, challenges, CORS, frame options, and JSONP.

The order is the real server's: CORS headers first, then ``Prefer: return=minimal`` removes headers, and only
X-Frame-Options come after it.

Cross-origin resource sharing is as ``[chttpd] enable_cors`` and ``[cors]`` say; for requests to a host, a section
``[cors:HOST]`` overrides ``[cors]``. Source: CouchDB documentation, "Configuration: Cross-Origin Resource Sharing"; the
Fetch standard.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator, Iterable
from time import perf_counter
from typing import TypeVar

from couchfake.chttpd.parameters import quote
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import JsonResponse, Response, error_response
from couchfake.config import Config
from couchfake.errors import BadRequest, CouchError
from couchfake.settings import (
    ALLOW_JSONP,
    AUTHENTICATION_REDIRECT,
    CORS_CREDENTIALS,
    CORS_EXPOSED_HEADERS,
    CORS_HEADERS,
    CORS_MAX_AGE,
    CORS_METHODS,
    CORS_ORIGINS,
    ENABLE_CORS,
    ENABLE_XFRAME_OPTIONS,
    PREFER_MINIMAL,
    REQUIRE_VALID_USER,
    WWW_AUTHENTICATE,
    X_FRAME_HOSTS,
    X_FRAME_SAME_ORIGIN,
    Setting,
)
from couchfake.transports.wsgi import close_iterable

SERVER_NAME = "CouchDB/3.5.0 (couchfake)"

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
# Headers without which a body cannot be sent; ``Prefer: return=minimal`` does not remove them.
_FRAMING = ("content-length", "transfer-encoding")


def request_id(request: Request) -> str:
    """Return the id that the client gave its request, or a new one."""
    given: str = request.environ.get("HTTP_X_COUCH_REQUEST_ID", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(5)


def refusal(request: Request, error: CouchError) -> Response:
    """Return the response to an error. A 401 has a challenge if one is configured, or redirects a browser."""
    if error.status != 401:
        return error_response(error)
    config = request.node.config
    challenge = request.environ.get("HTTP_X_COUCHDB_WWW_AUTHENTICATE") or config[WWW_AUTHENTICATE]
    if not challenge and config[REQUIRE_VALID_USER]:
        challenge = 'Basic realm="server"'
    response = error_response(error)
    if challenge:
        response.headers["WWW-Authenticate"] = challenge
    elif not request.accepts("application/json") and request.accepts("text/html"):
        page = config[AUTHENTICATION_REDIRECT]
        query = f"?return={quote(request.target[0])}&reason={quote(str(error.reason))}"
        response.status_code = 302
        response.headers["Location"] = request.base_uri + page + query
    return response


def finish(request: Request, response: Response, started: float) -> None:
    """Add the headers of every response. ``started`` is the ``perf_counter()`` at which its request came in."""
    environ, config = request.environ, request.node.config
    response.add_headers(
        ("Server", SERVER_NAME),
        ("X-Couch-Request-ID", request_id(request)),
        ("X-CouchDB-Body-Time", str(int((perf_counter() - started) * 1000))),
    )
    user = vars(request).get("user")
    if user is not None and user.renewed_cookie is not None and "Set-Cookie" not in response.headers:
        response.headers["Set-Cookie"] = user.renewed_cookie
    if "HTTP_ORIGIN" in environ and "Access-Control-Allow-Origin" not in response.headers:
        cors = cors_of(request, config)
        if cors is not None:
            cors.add_headers(response)
    if environ.get("HTTP_PREFER") == "return=minimal":
        _keep_only(response, [name.lower() for name in config[PREFER_MINIMAL]])
    if config[ENABLE_XFRAME_OPTIONS]:
        response.headers["X-Frame-Options"] = _frame_options(request)


def preflight(request: Request) -> Response | None:
    """Return the response to a preflight request of a page of another origin; None for every other request."""
    if request.method != "OPTIONS" or "HTTP_ORIGIN" not in request.environ:
        return None
    cors = cors_of(request, request.node.config)
    return None if cors is None else cors.preflight()


def _keep_only(response: Response, wanted: list[str]) -> None:
    for name, _ in list(response.headers):
        if name.lower() not in wanted and name.lower() not in _FRAMING:
            del response.headers[name]


def _frame_options(request: Request) -> str:
    config = request.node.config
    if config[X_FRAME_SAME_ORIGIN]:
        return "SAMEORIGIN"
    hosts = config[X_FRAME_HOSTS]
    if "*" in hosts or request.base_uri in hosts:
        return f"ALLOW-FROM {request.base_uri}"
    return "DENY"


# JSONP: JSON responses as a script that calls a function of the page, if ``[chttpd] allow_jsonp`` is set
#
# CouchDB documentation, "HTTP Server: JSONP"; source: ``couch_httpd:initialize_jsonp/1``.


_CALLBACK = re.compile(r"[A-Za-z0-9._\[\]]+")


def as_script(request: Request, response: Response) -> Response:
    """Return the response as a call of the function that the parameter ``callback`` names."""
    if not isinstance(response, JsonResponse) or "callback" not in request.target[1]:
        return response
    try:
        callback = request.parameters.get("callback")
    except BadRequest:  # a broken escape, which the response reports already
        return response
    if not callback or not request.node.config[ALLOW_JSONP]:
        return response
    body = response.body
    if not _CALLBACK.fullmatch(callback):
        if not isinstance(body, bytes):
            close_iterable(body)
        return error_response(BadRequest("invalid_callback"))
    head = f"/* CouchDB */{callback}(".encode("ascii")
    if isinstance(body, bytes):
        response.body = head + body.removesuffix(b"\n") + b");\n"
    else:
        response.body = _call(head, body)
    response.headers["Content-Type"] = "application/javascript"
    return response


def _call(head: bytes, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield the call. Each chunk's line end waits for the next chunk, because the call ends before the last one."""
    pending = head
    try:
        for chunk in chunks:
            text = pending + chunk
            pending = b"\n" if text.endswith(b"\n") else b""
            if len(text) > len(pending):
                yield text.removesuffix(b"\n")
        yield b");\n"
    finally:
        close_iterable(chunks)


# ---- CORS

_T = TypeVar("_T")

METHODS: tuple[str, ...] = ("CONNECT", "COPY", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE")
HEADERS: tuple[str, ...] = (
    "accept",
    "accept-language",
    "authorization",
    "content-length",
    "content-range",
    "content-type",
    "destination",
    "expires",
    "if-match",
    "last-modified",
    "origin",
    "pragma",
    "x-couch-full-commit",
    "x-couch-id",
    "x-couch-persist",
    "x-couchdb-www-authenticate",
    "x-http-method-override",
    "x-requested-with",
    "x-couchdb-vhost-path",
)
EXPOSED: tuple[str, ...] = (
    "accept-ranges",
    "etag",
    "server",
    "x-couch-request-id",
    "x-couch-update-newrev",
    "x-couchdb-body-time",
)
SIMPLE = ("cache-control", "content-language", "expires", "last-modified", "pragma")


class Cors:
    """The rules for a request from another origin. ``allowed`` is False if the origin is not allowed."""

    def __init__(self, request: Request, config: Config) -> None:
        self._request = request
        self._config = config
        self._host = (request.header("Host") or "").rpartition("]")[2].partition(":")[0]
        self.origin = request.environ.get("HTTP_ORIGIN")
        origins = self._setting(CORS_ORIGINS)
        self.allowed = self.origin is not None and ("*" in origins or self.origin in origins)

    def _setting(self, setting: Setting[_T]) -> _T:
        return self._config.for_host(setting, self._host)

    def _common(self) -> dict[str, str]:
        headers = {"Access-Control-Allow-Origin": self.origin or ""}
        if self._setting(CORS_CREDENTIALS) and self.origin != "*":
            headers["Access-Control-Allow-Credentials"] = "true"
        return headers

    def preflight(self) -> Response | None:
        """Return the answer to a preflight request, or None if the request that it announces is not allowed."""
        method = self._request.environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        methods = self._setting(CORS_METHODS) or METHODS
        requested = self._request.environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        headers = [header.lower() for header in self._setting(CORS_HEADERS) or HEADERS]
        # White space before a comma is not stripped: the real server does the same.
        wanted = [header.lstrip().lower() for header in requested.split(",")] if requested else []
        if method not in methods or any(header not in headers for header in wanted):
            return None
        return Response(
            b"",
            204,
            {
                **self._common(),
                "Access-Control-Max-Age": self._setting(CORS_MAX_AGE),
                "Access-Control-Allow-Methods": ", ".join(methods),
                "Access-Control-Allow-Headers": requested,
            },
        )

    def add_headers(self, response: Response) -> None:
        """Let the page that made the request read an answer and its headers."""
        exposed = [header.lower() for header in self._setting(CORS_EXPOSED_HEADERS) or EXPOSED]
        simple = [name.lower() for name, _ in response.headers if name.lower() in SIMPLE]
        response.headers.update(self._common())
        response.headers["Access-Control-Expose-Headers"] = ", ".join(("content-type", *simple, *exposed))


def cors_of(request: Request, config: Config) -> Cors | None:
    """Return the rules for a request from another origin, or None if CORS is off or the origin is not allowed."""
    if "HTTP_ORIGIN" not in request.environ or not config[ENABLE_CORS]:
        return None
    cors = Cors(request, config)
    return cors if cors.allowed else None
