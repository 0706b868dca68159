"""What shows, lists and updates answer: from the response object of a function to code, headers and body.

Source: ``chttpd_external:parse_external_response/1``, ``couch_mrview_show``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from couchfake.errors import CouchError, ServerError
from couchfake.query_server.answers import protocol_error
from couchfake.values.erlang import format_term
from couchfake.values.json import dumps

HTML = "text/html; charset=utf-8"
JSON = "application/json"
BINARY = "application/binary"

_DIGITS = re.compile("[0-9]{3}")


@dataclass(slots=True)
class FunctionResponse:
    """``json`` is the body as a value if ``has_json``, otherwise ``body`` has its bytes. ``headers`` are in order, and
    one of them is the Content-Type."""

    code: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    json: Any = None
    has_json: bool = False

    def header(self, name: str) -> str | None:
        """Return the first header of that name, without regard to case."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def content(self) -> bytes:
        """Return the body as bytes, JSON or not."""
        return (dumps(self.json) + "\n").encode() if self.has_json else self.body


def parse_response(response: dict[str, Any]) -> FunctionResponse:
    """Interpret a response object. Errors: 500, ``external_response_error`` for an unknown member."""
    parsed = FunctionResponse()
    content_type = JSON
    for name, value in response.items():
        if name == "code":
            parsed.code = _code(value)
        elif name == "stop" and value is True:
            pass
        elif name == "json":
            parsed.json, parsed.has_json, content_type = value, True, JSON
        elif name == "body":
            parsed.body, content_type = _text(value).encode(), HTML
        elif name == "base64":
            parsed.body, content_type = _decoded(value), BINARY
        elif name == "headers" and isinstance(value, dict):
            parsed.headers = [(header, text) for header, text in map(_header, value.items()) if text is not None]
        else:
            pair = f"{{{format_term(name)},{format_term(value)}}}"
            raise CouchError(500, "external_response_error", f"Invalid data from external server: {pair}")
    if parsed.header("Content-Type") is None:
        parsed.headers.insert(0, ("Content-Type", content_type))
    return parsed


def set_header(response: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    """Return a copy of a response object in which the header has that value."""
    headers = response.get("headers")
    kept = {known: old for known, old in headers.items() if known != name} if isinstance(headers, dict) else {}
    return {**response, "headers": {name: value, **kept}}


def _header(pair: tuple[str, Any]) -> tuple[str, str | None]:
    """Return a header with its value as text, None for objects and lists."""
    name, value = pair
    if isinstance(value, str):
        return name, value
    return name, None if isinstance(value, dict | list) else dumps(value)


def _code(value: Any) -> int:
    """Read a status, a number or a string of digits."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 999:
        return value
    raise _badarg()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _badarg()


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _badarg() from error


def _badarg() -> CouchError:
    return ServerError("badarg")


@dataclass(slots=True)
class ListResponse:
    """A list function's whole answer. ``started``: whether it sent anything; if not, the other members are defaults."""

    code: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    started: bool = False

    def send(self, chunks: Sequence[Any]) -> None:
        if chunks:
            self.started = True
            self.chunks.append("".join(_text(chunk) for chunk in chunks).encode())

    def take_head(self, head: Any) -> None:
        """Take code and headers of a response object, unless something has been sent."""
        parsed = parse_response(head if isinstance(head, dict) else {})
        if not self.started:
            self.code, self.headers = parsed.code, parsed.headers


def parse_list(events: Sequence[Any], failure: tuple[Any, Any] | None, ended: bool) -> ListResponse:
    """Return the answer that a list's events make.

    ``failure`` is the error that ended the function, ``ended`` whether it had read all rows by then. Errors: the
    list's own if it threw before it asked for a row, or after the last one without having sent anything; otherwise the
    error is the last chunk.
    """
    response = ListResponse()
    for _, chunks, *head in events:
        if head:
            response.take_head(head[0])
        response.send(chunks)
    if failure is not None:
        error = protocol_error(*failure)
        if not events or (ended and not response.started):
            raise error
        if not response.started:
            response.started, response.code = True, error.status
        members = {"code": error.status, "error": error.error, "reason": error.reason}
        response.chunks.append(f"\n{dumps(members)}\n".encode())
    if not response.started:
        return ListResponse()
    return response
