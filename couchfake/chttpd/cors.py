"""Cross-origin resource sharing, as ``[chttpd] enable_cors`` and ``[cors]`` say.

For requests to a host, a section ``[cors:HOST]`` overrides ``[cors]``. Source: CouchDB documentation,
"Configuration: Cross-Origin Resource Sharing"; the Fetch standard.
"""

from __future__ import annotations

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.config import Config

METHODS = ("CONNECT", "COPY", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE")
HEADERS = (
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
EXPOSED = ("accept-ranges", "etag", "server", "x-couch-request-id", "x-couch-update-newrev", "x-couchdb-body-time")
SIMPLE = ("cache-control", "content-language", "expires", "last-modified", "pragma")


class Cors:
    """The rules for a request from another origin. ``allowed`` is False if the origin is not allowed."""

    def __init__(self, request: Request, config: Config) -> None:
        self._request = request
        self._config = config
        self._host_section = "cors:" + (request.header("Host") or "").rpartition("]")[2].partition(":")[0]
        self.origin = request.environ.get("HTTP_ORIGIN")
        origins = self._parts("origins")
        self.allowed = self.origin is not None and ("*" in origins or self.origin in origins)

    def _setting(self, key: str) -> str:
        return self._config.get(self._host_section, key) or self._config.get("cors", key)

    def _parts(self, key: str) -> list[str]:
        return [part for part in (part.strip() for part in self._setting(key).split(",")) if part]

    def _common(self) -> dict[str, str]:
        headers = {"Access-Control-Allow-Origin": self.origin or ""}
        if self._setting("credentials") == "true" and self.origin != "*":
            headers["Access-Control-Allow-Credentials"] = "true"
        return headers

    def preflight(self) -> Response | None:
        """Return the answer to a preflight request, or None if the request that it announces is not allowed."""
        method = self._request.environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        methods = self._parts("methods") or METHODS
        requested = self._request.environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        headers = [header.lower() for header in self._parts("headers")] or HEADERS
        # White space before a comma is not stripped: the real server does the same.
        wanted = [header.lstrip().lower() for header in requested.split(",")] if requested else []
        if method not in methods or any(header not in headers for header in wanted):
            return None
        return Response(
            b"",
            204,
            {
                **self._common(),
                "Access-Control-Max-Age": self._setting("max_age"),
                "Access-Control-Allow-Methods": ", ".join(methods),
                "Access-Control-Allow-Headers": requested,
            },
        )

    def add_headers(self, response: Response) -> None:
        """Let the page that made the request read an answer and its headers."""
        exposed = [header.lower() for header in self._parts("exposed_headers")] or EXPOSED
        simple = [name.lower() for name, _ in response.headers if name.lower() in SIMPLE]
        response.headers.update(self._common())
        response.headers["Access-Control-Expose-Headers"] = ", ".join(("content-type", *simple, *exposed))


def cors_of(request: Request, config: Config) -> Cors | None:
    """Return the rules for a request from another origin, or None if CORS is off or the origin is not allowed."""
    if "HTTP_ORIGIN" not in request.environ or not config.boolean("chttpd", "enable_cors"):
        return None
    cors = Cors(request, config)
    return cors if cors.allowed else None
