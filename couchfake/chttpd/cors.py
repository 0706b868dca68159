"""Cross-origin resource sharing, as ``[chttpd] enable_cors`` and ``[cors]`` say.

For requests to a host, a section ``[cors:HOST]`` overrides ``[cors]``. Source: CouchDB documentation,
"Configuration: Cross-Origin Resource Sharing"; the Fetch standard.
"""

from __future__ import annotations

from typing import TypeVar

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.config import Config
from couchfake.settings import (
    CORS_CREDENTIALS,
    CORS_EXPOSED_HEADERS,
    CORS_HEADERS,
    CORS_MAX_AGE,
    CORS_METHODS,
    CORS_ORIGINS,
    ENABLE_CORS,
    Setting,
)

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
