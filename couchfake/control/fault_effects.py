"""What faults do to a request, and to its answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from couchfake.auth.permissions import SERVER
from couchfake.chttpd.request import STALE_VIEW, Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import CouchError
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write_one
from couchfake.transports.client import Client, ClientDisconnected
from couchfake.values.clock import Clock

_ERRORS = {
    400: ("bad_request", "invalid UTF-8 JSON"),
    401: ("unauthorized", "Name or password is incorrect."),
    403: ("forbidden", "You are not allowed to access this db."),
    404: ("not_found", "missing"),
    405: ("method_not_allowed", "Only GET,HEAD allowed"),
    408: ("timeout", "The request could not be processed in a reasonable amount of time."),
    409: ("conflict", "Document update conflict."),
    412: ("file_exists", "The database could not be created, the file already exists."),
    413: ("too_large", "the request entity is too large"),
    429: ("too_many_requests", "Too many requests."),
    500: ("internal_server_error", "No DB shards could be opened."),
    503: ("service_unavailable", "Service unavailable"),
    507: ("insufficient_storage", "Insufficient storage to complete request"),
}


class Effect:
    """What a fault does. ``before`` may answer in the server's place, ``after`` may change the answer."""

    on_requests = True

    def before(self, request: Request) -> Response | None:
        return None

    def after(self, request: Request, response: Response) -> Response:
        return response

    def __str__(self) -> str:
        return ""


class Answer(Effect):
    """Answers in the server's place."""

    def __init__(self, json_body: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> None:
        self._body = json_body
        self.status = status
        self._headers = headers

    def before(self, request: Request) -> Response:
        return json_response(self._body, self.status, self._headers)

    def __str__(self) -> str:
        return str(self.status)


def check_number(name: str, value: Any, least: float, most: float | None = None) -> None:
    """Raise ValueError if an argument is not a number between these two."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least or (most and value > most):
        bounds = f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"
        raise ValueError(f"{name} must be a number {bounds}, not {value!r}")


def refusal_of(
    status: int, error: str | None = None, reason: str | None = None, retry_after: float | None = None
) -> Answer:
    """Return an error answer in CouchDB's words. Raise ValueError for a status that is not an error's."""
    check_number("status", status, 400, 599)
    if retry_after is not None:
        check_number("retry_after", retry_after, 0)
    default_error, default_reason = _ERRORS.get(status, ("unknown_error", "undefined"))
    headers = None if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return Answer({"error": error or default_error, "reason": reason or default_reason}, status, headers)


class Delay(Effect):
    """Waits before the request is processed, on the server's clock, but no longer than the client does."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        check_number("seconds", seconds, 0)
        self._seconds = seconds
        self._clock = clock

    def before(self, request: Request) -> None:
        client, condition = Client.of(request.environ), threading.Condition()
        end = self._clock.deadline(self._seconds)
        with self._clock.waking(condition), condition:
            while not end.passed and not client.gone:
                client.wait(condition, end.remaining)

    def __str__(self) -> str:
        return f"{self._seconds:g} s"


class Drop(Effect):
    """Closes the connection before, in the middle of or after the answer."""

    def __init__(self, when: str) -> None:
        if when not in ("before", "middle", "after"):
            raise ValueError(f"when must be 'before', 'middle' or 'after', not {when!r}")
        self._when = when

    def before(self, request: Request) -> None:
        if self._when == "before":
            raise ClientDisconnected("dropped by a fault")

    def after(self, request: Request, response: Response) -> Response:
        if self._when == "after":
            response.headers["Connection"] = "close"
        elif self._when == "middle":
            _stream(response, _cut_in_the_middle)
        return response

    def __str__(self) -> str:
        return self._when


class LoseAnswer(Effect):
    """Lets the server process the request, and closes the connection then."""

    def after(self, request: Request, response: Response) -> Response:
        close = getattr(response.body, "close", None)
        if close is not None:
            close()
        raise ClientDisconnected("the answer was lost by a fault")


class Conflict(Effect):
    """Writes the document of the request as somebody else, right before the request."""

    def __init__(self, document: dict[str, Any] | None) -> None:
        if document is not None and not isinstance(document, dict):
            raise ValueError(f"document must be a dict, not {document!r}")
        self._document = document

    def before(self, request: Request) -> None:
        parts = [unquote(part) for part in request.target[0].split("/") if part]
        database = request.node.databases.get(parts[0]) if len(parts) > 1 else None
        if database is None:
            return
        docid = "/".join(parts[1:3]) if parts[1] == "_design" else parts[1]
        if docid.startswith("_") and not docid.startswith("_design/"):
            return
        with database.lock:
            entry = database.entry(docid)
            live = entry is not None and not entry.winner.deleted
            body = self._document
            if body is None:
                body = {"changed_by": "somebody else"}
                if entry is not None and live:
                    body = {**_own_members(database.open_doc(entry)), **body}
            rev = entry.winner.key if entry is not None and live else None
            try:
                write_one(database, Edit(docid, body, rev=rev), SERVER)
            except CouchError as error:
                raise CouchError(500, "fault_failed", f"the conflict could not be made: {error.reason}") from None


def _own_members(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if not name.startswith("_")}


class CutFeed(Effect):
    """Closes the connection of a feed after a number of rows."""

    def __init__(self, rows: int) -> None:
        check_number("rows", rows, 0)
        self._rows = rows

    def after(self, request: Request, response: Response) -> Response:
        _stream(response, self._cut)
        return response

    def _cut(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        rows = 0
        for line in _lines(chunks):
            if _is_row(line):
                if rows == self._rows:
                    raise ClientDisconnected("the feed was cut by a fault")
                rows += 1
            yield line
        if rows == self._rows:
            raise ClientDisconnected("the feed was cut by a fault")

    def __str__(self) -> str:
        return f"after {self._rows} rows"


class RepeatRow(Effect):
    """Sends a row of a feed twice."""

    def __init__(self, row: int) -> None:
        check_number("row", row, 1)
        self._row = row

    def after(self, request: Request, response: Response) -> Response:
        _stream(response, self._repeat)
        return response

    def _repeat(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        rows, in_object = 0, False
        for line in _lines(chunks):
            in_object = in_object or line.startswith(b'{"results":')
            if _is_row(line):
                rows += 1
                if rows == self._row:
                    yield _copy_of(line, in_object)
            yield line

    def __str__(self) -> str:
        return f"row {self._row}"


class StaleView(Effect):
    """Has a view answered from its index as it is."""

    def before(self, request: Request) -> None:
        request.environ[STALE_VIEW] = True


class StopReplication(Effect):
    """Read by replications, which fail after a number of documents."""

    on_requests = False

    def __init__(self, documents: int) -> None:
        check_number("documents", documents, 0)
        self.documents = documents

    def __str__(self) -> str:
        return f"after {self.documents} documents"


# --- answers in pieces


class _Rewritten:
    """The chunks of an answer, changed on their way; closing it closes the answer."""

    def __init__(self, body: Any, rewrite: Callable[[Iterable[bytes]], Iterator[bytes]]) -> None:
        self._body = body
        self._chunks = rewrite([body] if isinstance(body, bytes) else body)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _stream(response: Response, rewrite: Callable[[Iterable[bytes]], Iterator[bytes]]) -> None:
    response.body = _Rewritten(response.body, rewrite)


def _cut_in_the_middle(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if chunk:
            yield chunk[: max(1, len(chunk) // 2)]
            raise ClientDisconnected("dropped by a fault in the middle of the answer")
        yield chunk
    raise ClientDisconnected("dropped by a fault in the middle of the answer")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a feed, as they come; an empty chunk, which sends the head, stays."""
    for chunk in chunks:
        if not chunk:
            yield chunk
        yield from chunk.splitlines(keepends=True)


def _is_row(line: bytes) -> bool:
    return line.startswith((b'{"seq":', b'data: {"seq":'))


def _copy_of(line: bytes, in_object: bool) -> bytes:
    """A row to go before the same row: the rows of a normal feed are separated by commas, an event ends in a blank."""
    row = line.rstrip(b"\r\n,") if in_object else line.rstrip(b"\r\n")
    if in_object:
        return row + b",\r\n"
    return row + (b"\n\n" if line.startswith(b"data:") else b"\n")
