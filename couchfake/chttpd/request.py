"""A request as endpoints see it: werkzeug's, with the raw path kept apart and bodies read as CouchDB reads them."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

import werkzeug
from werkzeug.exceptions import ClientDisconnected

from couchfake.auth.authenticate import Presented
from couchfake.auth.context import TRUSTED_KEY
from couchfake.chttpd.accepting import accepts
from couchfake.chttpd.once import once
from couchfake.chttpd.parameters import Parameters, unquote
from couchfake.errors import BadContentType, BadRequest, CouchError, TooLarge
from couchfake.values import json
from couchfake.values.integers import read_integer

if TYPE_CHECKING:
    from collections.abc import Callable

    from couchfake.auth.context import UserContext
    from couchfake.chttpd.responses import Response
    from couchfake.node.node import Node
    from couchfake.storage.database import Database

_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


class Request(werkzeug.Request):
    """``node`` is the server, ``user`` who asks, ``db`` the database that the path names (see ``routing``)."""

    node: Node
    db: Database
    request_id: str
    answer: Callable[[Request], Response]
    """How the server answers a request; a rewritten one goes through it again."""

    @once
    def target(self) -> tuple[str, str]:
        """Path and query as they were sent, still escaped; without a mount prefix and a fragment."""
        environ = self.environ
        raw: str | None = environ.get("REQUEST_URI") or environ.get("RAW_URI")
        if raw is None:
            return werkzeug.urls.iri_to_uri(environ.get("PATH_INFO", "/")), environ.get("QUERY_STRING", "")
        if not raw.startswith("/"):
            raw = "/" + raw.partition("://")[2].partition("/")[2]
        path, _, query = raw.partition("#")[0].partition("?")
        prefix = environ.get("SCRIPT_NAME", "")
        return (path[len(prefix) :] if prefix and path.startswith(prefix) else path), query

    def check_target(self) -> None:
        """Refuse a path and query that are too long (``[chttpd] max_uri_length``) or whose escapes are broken."""
        raw: str = self.environ.get("REQUEST_URI", "")
        longest = self.node.config.limit("chttpd", "max_uri_length")
        if len(raw) > longest:
            raise CouchError(414, "too_long", "the request uri is too long")
        if "%" in raw and _BROKEN_ESCAPE.search(raw):
            raise BadRequest("invalid_url_encoding")

    @once
    def segments(self) -> list[str]:
        """The parts of the path, unescaped; doubled and trailing slashes count for nothing."""
        path = self.target[0]
        if "+" in path and not self.node.config.boolean("chttpd", "decode_plus_to_space", True):
            path = path.replace("+", "%2B")
        return [unquote(part) for part in path.split("/") if part]

    @once
    def presented(self) -> Presented:
        """What tells who makes the request."""
        environ = self.environ
        return Presented(
            environ["REQUEST_METHOD"],
            self.segments,
            lambda name: environ.get("HTTP_" + name.upper().replace("-", "_")),
            environ.get("REMOTE_ADDR", ""),
            environ.get("wsgi.url_scheme") == "https",
        )

    @once
    def user(self) -> UserContext:
        """The user who makes the request. Raise CouchError (401, 403) if the login is refused."""
        trusted: UserContext | None = self.environ.get(TRUSTED_KEY)
        return trusted or self.node.authenticator.user_context(self.presented)

    @once
    def parameters(self) -> Parameters:
        return Parameters(self.target[1])

    @once
    def verb(self) -> str:
        """The method: HEAD is handled as GET everywhere, and POST may override itself in a header."""
        method = self.environ["REQUEST_METHOD"]
        if method == "POST":
            override = self.environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").partition(";")[0]
            if override in ("GET", "HEAD", "PUT", "DELETE", "COPY", "POST", "TRACE", "CONNECT"):  # case and all
                method = override
        return "GET" if method == "HEAD" else str(method)

    @once
    def body(self) -> bytes:
        """The whole body, decompressed. Raises TooLarge, BadContentType; BadRequest where the client went away."""
        return self._decompress(self.received)

    @once
    def received(self) -> bytes:
        """The whole body as it came. Raises TooLarge; BadRequest where the client went away."""
        environ = self.environ
        limit = self.node.config.integer("chttpd", "max_http_request_size", 4294967296)
        told = environ.get("CONTENT_LENGTH", "")
        if told.isdecimal() and read_integer(told) > limit:
            raise TooLarge("the request entity is too large")
        try:
            # Where the server ends the stream with the body there is no need to count.
            data: bytes = environ["wsgi.input"].read() if environ.get("wsgi.input_terminated") else self.get_data()
        except (ClientDisconnected, ConnectionError):  # as werkzeug says it, and as couchfake's own server does
            raise BadRequest("the request body ended early") from None
        if len(data) > limit:
            raise TooLarge("the request entity is too large")
        return data

    def _decompress(self, data: bytes) -> bytes:
        coding = self.environ.get("HTTP_CONTENT_ENCODING", "identity")
        if coding == "identity":
            return data
        if coding != "gzip":
            raise BadContentType(f"{coding} is not a supported content encoding.")
        try:
            return zlib.decompress(data, 16 + zlib.MAX_WBITS)
        except zlib.error:
            raise BadRequest("Request body is not properly gzipped.") from None

    def json(self) -> Any:
        """The body as JSON; BadRequest where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise BadRequest("invalid UTF-8 JSON") from None

    def json_object(self) -> dict[str, Any]:
        value = self.json()
        if not isinstance(value, dict):
            raise BadRequest("Request body must be a JSON object")
        return value

    def require_json_type(self) -> None:
        """Refuse a body that is not announced as JSON (415)."""
        self.require_type("application/json")

    def require_type(self, mimetype: str) -> None:
        if self.environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != mimetype:  # by letter, case and all
            raise BadContentType(f"Content-Type must be {mimetype}")

    @once
    def base_uri(self) -> str:
        """``http://host:port`` as the client wrote it, for Location headers."""
        config = self.node.config
        header = config.get("chttpd", "x_forwarded_host", "X-Forwarded-Host")
        host = self.headers.get(header) or self.environ.get("HTTP_HOST") or "127.0.0.1:5984"
        scheme = self.headers.get(config.get("chttpd", "x_forwarded_proto", "X-Forwarded-Proto"))
        if self.headers.get(config.get("chttpd", "x_forwarded_ssl", "X-Forwarded-Ssl")) == "on":
            scheme = "https"
        return f"{scheme or self.environ.get('wsgi.url_scheme', 'http')}://{host}"

    def accepts(self, mimetype: str) -> bool:
        """Whether the Accept header allows a type; no header allows any, one that cannot be read none."""
        try:
            return accepts(self.environ.get("HTTP_ACCEPT"), mimetype)
        except ValueError:
            return False
