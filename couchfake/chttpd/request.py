"""A request as endpoints see it: the path as sent, bodies and headers read as CouchDB reads them.

``Accept``, ``Accept-Encoding`` and ``Range`` are read as the real server's HTTP layer (mochiweb) does it. That is not
quite RFC 9110, so werkzeug's parsers do not fit: they skip elements that they cannot read, where mochiweb refuses the
whole header.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from werkzeug.exceptions import ClientDisconnected
from werkzeug.utils import cached_property
from werkzeug.wsgi import get_input_stream

from couchfake.auth.authenticate import Presented
from couchfake.auth.permissions import TRUSTED_KEY
from couchfake.chttpd.parameters import Parameters, unquote
from couchfake.errors import BadContentType, BadRequest, CouchError, RangeNotSatisfiable, TooLarge
from couchfake.settings import (
    DECODE_PLUS_TO_SPACE,
    MAX_HTTP_REQUEST_SIZE,
    MAX_URI_LENGTH,
    X_FORWARDED_HOST,
    X_FORWARDED_PROTO,
    X_FORWARDED_SSL,
)
from couchfake.values.erlang import INTEGER, read_integer
from couchfake.values.json import read_json

if TYPE_CHECKING:
    from couchfake.auth.permissions import UserContext
    from couchfake.chttpd.responses import Response
    from couchfake.node import Node
    from couchfake.storage.database import Database

STALE_VIEW = "couchfake.stale_view"
"""The key of an environment whose request is answered from a view's index as it is."""

_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_OVERRIDES = ("GET", "HEAD", "PUT", "DELETE", "COPY", "POST", "TRACE", "CONNECT")  # upper case only


class Request:
    """One request to ``node``. ``answer`` is how the server answers a request, also one that another is rewritten to.

    The dispatcher sets ``db``, the database that the path names.
    """

    db: Database

    def __init__(self, environ: dict[str, Any], node: Node, answer: Callable[[Request], Response]) -> None:
        self.environ = environ
        self.node = node
        self.answer = answer
        self.method: str = environ["REQUEST_METHOD"]
        self.verb = "GET" if self.method == "HEAD" else self.method if self.method != "POST" else _override(environ)
        """The method by which the request is handled: GET for HEAD, and for POST what a header overrides it with."""
        self.target = _target(environ)
        """Path and query as sent, still escaped; without a mount prefix and a fragment."""
        self.parameters = Parameters(self.target[1])
        """The query string's parameters. Reading them raises BadRequest if an escape is broken."""

    def header(self, name: str) -> str | None:
        """Return a header's value, None if it is missing. Not for Content-Type and Content-Length."""
        return _header(self.environ, name)

    # ---- the target

    def check_target(self) -> None:
        """Refuse a path and query that are too long (``[chttpd] max_uri_length``) or whose escapes are broken."""
        raw: str = self.environ.get("REQUEST_URI", "")
        if len(raw) > self.node.config[MAX_URI_LENGTH]:
            raise CouchError(414, "too_long", "the request uri is too long")
        if "%" in raw and _BROKEN_ESCAPE.search(raw):
            raise BadRequest("invalid_url_encoding")

    @cached_property
    def segments(self) -> list[str]:
        """The parts of the path, unescaped; doubled and trailing slashes are ignored."""
        path = self.target[0]
        if "+" in path and not self.node.config[DECODE_PLUS_TO_SPACE]:
            path = path.replace("+", "%2B")
        return [unquote(part) for part in path.split("/") if part]

    # ---- who makes it, and how the answer may look

    @property
    def presented(self) -> Presented:
        """What identifies who makes the request."""
        environ = self.environ
        return Presented(
            self.method,
            self.segments,
            partial(_header, environ),  # a bound method would be a reference cycle
            environ.get("REMOTE_ADDR", ""),
            environ.get("wsgi.url_scheme") == "https",
        )

    @cached_property
    def user(self) -> UserContext:
        """The user who makes the request. Raise CouchError (401, 403) if the login is refused."""
        trusted: UserContext | None = self.environ.get(TRUSTED_KEY)
        return trusted or self.node.authenticator.user_context(self.presented)

    @property
    def base_uri(self) -> str:
        """``http://host:port`` as the client wrote it, for Location headers."""
        config, environ = self.node.config, self.environ
        host = self.header(config[X_FORWARDED_HOST])
        scheme = self.header(config[X_FORWARDED_PROTO])
        if self.header(config[X_FORWARDED_SSL]) == "on":
            scheme = "https"
        host = host or environ.get("HTTP_HOST") or "127.0.0.1:5984"
        return f"{scheme or environ.get('wsgi.url_scheme', 'http')}://{host}"

    def accepts(self, mimetype: str) -> bool:
        """Return whether the Accept header allows a type. No header allows any, an unreadable one allows none."""
        try:
            return accepts(self.environ.get("HTTP_ACCEPT"), mimetype)
        except ValueError:
            return False

    # ---- the body

    @property
    def content_length(self) -> int | None:
        """The announced length of the body in bytes; None if it is sent in chunks, or not announced at all."""
        text = self.environ.get("CONTENT_LENGTH", "")
        return read_integer(text) if text.isdecimal() else None

    @property
    def has_body(self) -> bool:
        """Whether a body was announced, perhaps an empty one."""
        return bool(self.environ.get("CONTENT_LENGTH")) or "HTTP_TRANSFER_ENCODING" in self.environ

    @cached_property
    def upload(self) -> bytes:
        """The whole body as sent, of any length: for attachments. Raise BadRequest if the client disconnects."""
        return self._read(-1)

    @cached_property
    def received(self) -> bytes:
        """The whole body as sent. Raise TooLarge, or BadRequest if the client disconnects."""
        limit = self._limit
        if (self.content_length or 0) > limit:
            raise TooLarge("the request entity is too large")
        data = self._read(limit + 1)
        if len(data) > limit:
            raise TooLarge("the request entity is too large")
        return data

    @cached_property
    def body(self) -> bytes:
        """The whole body, decompressed. Raise TooLarge, BadContentType, or BadRequest."""
        data = self.received
        coding = self.environ.get("HTTP_CONTENT_ENCODING", "identity")
        if coding == "identity":
            return data
        if coding != "gzip":
            raise BadContentType(f"{coding} is not a supported content encoding.")
        return _gunzip(data, self._limit)

    @property
    def _limit(self) -> int:
        return min(self.node.config[MAX_HTTP_REQUEST_SIZE], sys.maxsize - 1)

    def _read(self, size: int) -> bytes:
        environ = self.environ
        ends = environ.get("wsgi.input_terminated")  # the stream ends with the body, so there is no need to count
        try:
            if ends:
                return environ["wsgi.input"].read(size)  # type: ignore[no-any-return]
            return get_input_stream(environ).read()  # of Content-Length; a raw stream allocates what read() is passed
        except (ClientDisconnected, ConnectionError):  # of werkzeug's stream, or of couchfake's own
            raise BadRequest("the request body ended early") from None

    def json(self) -> Any:
        """Return the body parsed as JSON. Raise BadRequest if there is none or it is not valid JSON."""
        if not self.has_body:
            raise BadRequest("Missing request body")
        return read_json(self.body)

    def json_object(self) -> dict[str, Any]:
        """Return the body parsed as a JSON object. Raise BadRequest if it is not one."""
        value = self.json()
        if not isinstance(value, dict):
            raise BadRequest("Request body must be a JSON object")
        return value

    def require_json_type(self) -> None:
        """Refuse a body whose Content-Type is not JSON (415)."""
        self.require_type("application/json")

    def require_type(self, mimetype: str) -> None:
        """Refuse a body of another Content-Type (415). The comparison is case-sensitive."""
        if self.environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != mimetype:
            raise BadContentType(f"Content-Type must be {mimetype}")


def _override(environ: dict[str, Any]) -> str:
    method: str = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").partition(";")[0]
    return "GET" if method == "HEAD" else method if method in _OVERRIDES else "POST"


def _target(environ: dict[str, Any]) -> tuple[str, str]:
    raw: str | None = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if raw is None:
        # Not every WSGI server passes the target as it was sent; an escaped slash is lost then.
        path = quote(environ.get("PATH_INFO") or "/", safe="/:;=@!$&'()*+,~", encoding="latin-1")
        return path, environ.get("QUERY_STRING", "")
    if not raw.startswith("/"):
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    path, _, query = raw.partition("#")[0].partition("?")
    prefix = environ.get("SCRIPT_NAME", "")
    return (path[len(prefix) :] if prefix and path.startswith(prefix) else path), query


def _header(environ: dict[str, Any], name: str) -> str | None:
    return environ.get("HTTP_" + name.upper().replace("-", "_"))


def _gunzip(data: bytes, limit: int) -> bytes:
    """Decompress a body into ``limit`` bytes at most. Raise TooLarge above that, BadRequest if it is not gzip."""
    decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = decompressor.decompress(data, limit + 1)
    except zlib.error:
        raise BadRequest("Request body is not properly gzipped.") from None
    if len(plain) > limit:
        raise TooLarge("the request entity is too large")
    if not decompressor.eof:
        raise BadRequest("Request body is not properly gzipped.")
    return plain


# ``Accept`` and ``Accept-Encoding``


_PARAMETER = re.compile(r"([^=]+)=([^=]+)")
_QUALITY = re.compile(r"[01](?:\.[0-9]{1,3})?")


def qvalues(header: str) -> list[tuple[str, float]]:
    """Return ``name[;parameters]`` and quality of each element, in lower case. Raise ValueError for a bad one."""
    return [_qvalue(element) for element in header.lower().split(",") if element]


def _qvalue(element: str) -> tuple[str, float]:
    name, *parameters = [part for part in element.split(";") if part] or [""]
    parameters = ["".join(parameter.split()) for parameter in parameters]
    for place, parameter in enumerate(parameters):
        match = _PARAMETER.fullmatch(parameter)
        if match is None or not name:
            raise ValueError(element)
        if match[1] == "q":
            if not _QUALITY.fullmatch(match[2]) or float(match[2]) > 1:
                raise ValueError(element)
            others = parameters[:place] + parameters[place + 1 :]
            return ";".join([name.strip(), *others]), float(match[2])
    if not name:
        raise ValueError(element)
    return ";".join([name.strip(), *parameters]), 1.0


def accepts(header: str | None, mimetype: str) -> bool:
    """Return whether an ``Accept`` header allows a type; None allows any. Raise ValueError for a bad header."""
    if header is None or header == "*/*":
        return True
    family = mimetype.partition("/")[0] + "/*"
    pairs = qvalues(header)
    refused = (mimetype, 0.0) in pairs or (family, 0.0) in pairs
    return not refused and any(quality > 0 and name in (mimetype, family, "*/*") for name, quality in pairs)


def accepted_encodings(header: str | None, supported: Sequence[str] = ("gzip", "identity")) -> set[str]:
    """Return which of the supported content codings an ``Accept-Encoding`` header allows; None allows identity only.

    Identity is allowed unless it is refused, by name or by ``*;q=0``. Raise ValueError for a bad header.
    """
    pairs = qvalues(header or "")
    named = {name for name, quality in pairs if quality > 0}
    refused = {name for name, quality in pairs if quality == 0}
    if "*" in refused:
        refused |= set(supported) - named
    if "*" in named:
        named |= set(supported) - refused
    return {name for name in supported if name in named | {"identity"} and name not in refused}


# ``Range``, and the body of a response to it
#
# An unreadable header is ignored, but a range outside the body is refused even if the body will be sent whole; ten
# ranges or more are ignored; a suffix longer than the body loses its first byte.
# Source: CouchDB documentation, "Document API: Attachments, HTTP Range Requests".


Range = tuple[int, int]
"""First and last byte, both included."""

MOST_RANGES = 9


def ranges_of(header: str | None, length: int) -> list[Range] | None:
    """Return the ranges of a ``Range`` header in a body of ``length`` bytes, or None to send it whole.

    Raise RangeNotSatisfiable for an empty range. The list is empty for the header ``bytes=``, whose answer is a
    multipart body without parts.
    """
    requested = _parse_ranges(header)
    if requested is None or (0, None) in requested:
        return None
    ranges = [_range_within(first, last, length) for first, last in requested]
    return ranges if len(ranges) <= MOST_RANGES else None


def _range_within(first: int | None, last: int | None, length: int) -> Range:
    """Return a range within the body: ``first-last``, ``first-`` or, without ``first``, the ``last`` bytes."""
    if first is not None and last is not None and last < first:
        raise RangeNotSatisfiable
    if last is None or last >= length:
        last = length - 1  # for a suffix too, where the real server is one byte short
    start, end = (length - last, length - 1) if first is None else (first, last)
    if end < start:
        raise RangeNotSatisfiable
    return start, end


def _parse_ranges(header: str | None) -> list[tuple[int | None, int | None]] | None:
    """Return each ``(first, last)``, None for an omitted one; None if the header is missing or unreadable."""
    if header is None or not header.startswith("bytes="):
        return None
    try:
        return [_parse_range(text) for part in header[6:].split(",") if (text := part.strip(" "))]
    except ValueError:
        return None


def _parse_range(text: str) -> tuple[int | None, int | None]:
    if text.startswith("-"):
        return None, _integer(text[1:])
    numbers = [_integer(part) for part in text.split("-") if part]
    if len(numbers) not in (1, 2):
        raise ValueError(text)
    return numbers[0], numbers[1] if len(numbers) == 2 else None


def _integer(text: str) -> int:
    if not INTEGER.fullmatch(text):
        raise ValueError(text)
    return read_integer(text)


def content_range(one: Range, length: int) -> str:
    """Return the ``Content-Range`` of one range."""
    return f"bytes {one[0]}-{one[1]}/{length}"


def byteranges(data: bytes, content_type: str, ranges: Sequence[Range], boundary: str) -> Iterator[bytes]:
    """Yield a ``multipart/byteranges`` body in pieces."""
    delimiter = b"--" + boundary.encode("ascii")
    yield delimiter
    for one in ranges:
        head = f"\r\nContent-Type: {content_type}\r\nContent-Range: {content_range(one, len(data))}\r\n\r\n"
        yield b"".join((head.encode("utf-8"), data[one[0] : one[1] + 1], b"\r\n", delimiter))
    yield b"--"
