"""What shows, lists and updates answer: the response object of a function, turned into code, headers and body.

Source: ``chttpd_external:parse_external_response/1``, ``couch_mrview_show``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from couchfake.errors import CouchError, ServerError
from couchfake.query_server.protocol_errors import protocol_error
from couchfake.values.erlang import format_term
from couchfake.values.json import dumps

HTML = "text/html; charset=utf-8"
JSON = "application/json"
BINARY = "application/binary"


@dataclass(slots=True)
class FunctionResponse:
    """``json`` is the body as a value where ``has_json``, else ``body`` holds bytes. ``headers`` are in their order,
    with a Content-Type among them."""

    code: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    json: Any = None
    has_json: bool = False

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case of letters."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def content(self) -> bytes:
        """The body's bytes, JSON or not."""
        return (dumps(self.json) + "\n").encode() if self.has_json else self.body


def parse_response(response: dict[str, Any]) -> FunctionResponse:
    """A response object's meaning. Errors: 500, ``external_response_error`` for an unknown member."""
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
    """A copy of a response object in which the header has that value and no other."""
    headers = response.get("headers")
    kept = {known: old for known, old in headers.items() if known != name} if isinstance(headers, dict) else {}
    return {**response, "headers": {name: value, **kept}}


def _header(pair: tuple[str, Any]) -> tuple[str, str | None]:
    """A header's value as text; objects and lists have none."""
    name, value = pair
    if isinstance(value, str):
        return name, value
    return name, None if isinstance(value, dict | list) else dumps(value)


def _code(value: Any) -> int:
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
    """A list function's whole answer. ``started``: whether it sent anything; else all the rest is the default's."""

    code: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    started: bool = False

    def send(self, chunks: Sequence[Any]) -> None:
        if chunks:
            self.started = True
            self.chunks.append("".join(_text(chunk) for chunk in chunks).encode())

    def take_head(self, head: Any) -> None:
        """Code and headers of a response object, unless something was sent already."""
        parsed = parse_response(head if isinstance(head, dict) else {})
        if not self.started:
            self.code, self.headers = parsed.code, parsed.headers


def parse_list(result: dict[str, Any]) -> ListResponse:
    """The answer that a list's events make. Errors: the list's own, unless it had begun to send: then it is the last
    chunk."""
    response = ListResponse()
    for _, chunks, *head in result["events"]:
        if head:
            response.take_head(head[0])
        response.send(chunks)
    if result["failure"] is not None:
        _, name, reason = result["failure"][:3]
        error = protocol_error(name, reason)
        if not result["events"]:
            raise error
        if not response.started:
            response.started, response.code = True, error.status
        response.chunks.append(("\n" + dumps({"error": error.error, "reason": error.reason}) + "\n").encode())
    if not response.started:
        return ListResponse()
    return response
