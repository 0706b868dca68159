"""The functions of one design document: validation, filters, shows, lists, updates, rewrites; and how they respond.

Documents and request objects are those of the real server (see ``api/design_functions.py``). Each function has a
script of its own, in which the design document is ``this`` and the root of ``require``. After any error of one of them
all begin again with fresh globals and modules, as the real server stops the process that runs them.

The response object of a show, list or update becomes a code, headers and a body.
Source: ``chttpd_external:parse_external_response/1``, ``couch_mrview_show``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from couchfake.errors import CouchError, Forbidden, NotFound, ServerError, Unauthorized
from couchfake.query_server import answers
from couchfake.query_server.answers import clause_error, dumps, protocol_error
from couchfake.query_server.compiled import CompiledFunction
from couchfake.values.erlang import format_term
from couchfake.values.json import dumps as dumps_deep
from couchfake.values.json import nested_value, repaired

Compile = Callable[[tuple[str, ...], str], CompiledFunction]

_T = TypeVar("_T")


class DesignFunctions:
    """Made by ``QueryServer.design_functions``. Any thread may use it."""

    def __init__(self, ddoc: dict[str, Any], compile_function: Compile, forget: Callable[[], None]) -> None:
        self._ddoc = ddoc
        self._compile = compile_function
        self._forget = forget

    def source(self, *path: str) -> Any:
        """Return what is at a path of the design document, functions above all.

        Raise NotFound if there is nothing.
        """
        try:
            return nested_value(self._ddoc, path)
        except LookupError as error:
            raise NotFound(str(error)) from None

    def validate_doc_update(self, new_doc: Any, old_doc: Any, user_ctx: Any, security: Any) -> None:
        """Raise Forbidden, Unauthorized or another CouchError if the function refuses the document.

        ``new_doc`` has ``_id``, ``_revisions`` and the like as JSON values, ``old_doc`` is such a document or None,
        ``user_ctx`` is ``{"db", "name", "roles"}``, ``security`` the security object.
        """
        path = ("validate_doc_update",)
        verdict = self._call(path, "validate", [new_doc, old_doc, user_ctx, security], answers.anything)
        if verdict is True or (verdict == 1 and not isinstance(verdict, bool)):
            return
        if isinstance(verdict, dict) and len(verdict) == 1:
            ((name, message),) = verdict.items()
            if name == "forbidden":
                raise Forbidden(message)
            if name == "unauthorized":
                raise Unauthorized(message)
        self._forget()
        raise _thrown(verdict)

    def filter_docs(self, name: str, docs: Sequence[Any], req: Any) -> list[bool]:
        """Return for each document whether the filter accepts it. Errors: NotFound, and what the function throws."""
        docs = list(docs)
        return self._call(("filters", name), "filter", [docs, req], answers.booleans(len(docs)))

    def filter_view(self, name: str, docs: Sequence[Any]) -> list[bool]:
        """Return for each document whether a view's map function emits anything. Errors: as of ``filter_docs``."""
        docs = list(docs)
        return self._call(("views", name, "map"), "filter_view", [docs], answers.booleans(len(docs)))

    def show(self, name: str, doc: Any, req: Any) -> dict[str, Any]:
        """Return the response object of a show (see ``parse_response``); ``doc`` is a document or None."""
        answer = self._call(("shows", name), "show", [doc, req], answers.tagged("resp", size=2))
        if len(answer) < 2 or not isinstance(answer[1], dict):
            raise ServerError("function_clause")
        return answer[1]

    def update(self, name: str, doc: Any, req: Any) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """Return an update function's document, None if there is nothing to write, and its response object."""
        answer = self._call(("updates", name), "update", [doc, req], answers.tagged("up", size=3))
        if len(answer) < 3 or not isinstance(answer[2], dict):
            raise clause_error("case_clause", answer)
        return answer[1] if isinstance(answer[1], dict) else None, answer[2]

    def list(self, name: str, head: Any, req: Any, rows: Iterable[str]) -> ListResponse:
        """Run a list over all ``rows``, of which it may read as many as it likes.

        Each row is a JSON text, of ``{"id", "key", "value"(, "doc")}``.
        """
        function = self._compiled(("lists", name))
        arguments = repaired(f"[{dumps(head)},{dumps(req)},[{','.join(rows)}]]")
        events, failure, ended = function.call("render", "list", arguments, read=answers.list_events)
        if failure is not None:
            self._forget()
        return parse_list(events, failure, ended)

    def rewrite(self, req: Any) -> dict[str, Any] | None:
        """Return what a rewrite function answers: ``path``, ``method``, ``query``, ``headers``, ``body``, ``code``.

        None if it has no rule for the request. Errors: 500 ``rewrite_error`` for members of the wrong type.
        """
        answer = self._call(("rewrites",), "rewrite", [req], answers.tagged("ok", "no_dispatch_rule", size=2))
        if answer[0] == "no_dispatch_rule":
            return None
        if len(answer) < 2 or not isinstance(answer[1], dict):
            raise _rewrite_error("bad rewrite")
        for name, value in answer[1].items():
            _check_rewrite(name, value)
        return answer[1]

    def _call(self, path: tuple[str, ...], command: str, arguments: Sequence[Any], read: Callable[[Any], _T]) -> _T:
        return self._compiled(path).call("render", command, dumps(arguments), read=read)

    def _compiled(self, path: tuple[str, ...]) -> CompiledFunction:
        source = self.source(*path)
        return self._compile(path, source if isinstance(source, str) else dumps(source))


def _thrown(value: Any) -> CouchError:
    """What a validation function throws that is neither a refusal nor an Error: the real server expects neither."""
    if isinstance(value, dict) and len(value) == 1:
        return protocol_error("unknown_error", next(iter(value.values())))
    if isinstance(value, str):
        return protocol_error("unknown_error", value)
    if isinstance(value, list) and len(value) == 3 and value[0] in ("error", "fatal"):
        return protocol_error(value[1], value[2])
    return CouchError(500, "error", "internal_server_error")


def _check_rewrite(name: str, value: Any) -> None:
    if name in ("method", "path", "body"):
        if not isinstance(value, str):
            raise _rewrite_error(f"bad {name}")
    elif name in ("headers", "query"):
        if not isinstance(value, dict):
            raise _rewrite_error(f"bad {name}")
        for key, text in value.items():
            if not isinstance(text, str):
                raise _rewrite_error(f"object key/value must be strings {format_term(key)}={format_term(text)}")
    elif name == "code" and not (isinstance(value, int) and not isinstance(value, bool) and 200 <= value < 600):
        raise _rewrite_error("bad code")


def _rewrite_error(reason: str) -> CouchError:
    return CouchError(500, "rewrite_error", reason)


# ---- responses of shows, lists and updates

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
        return (dumps_deep(self.json) + "\n").encode() if self.has_json else self.body


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
    return name, None if isinstance(value, dict | list) else dumps_deep(value)


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
    list's own if it threw before it requested a row, or after the last one without having sent anything; otherwise the
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
        response.chunks.append(f"\n{dumps_deep(members)}\n".encode())
    if not response.started:
        return ListResponse()
    return response
