"""The test kit over HTTP, below ``/_couchfake/``: for tests in other languages, and for the inspector.

It exists only where it is switched on (``couchfake serve --control``, ``CouchFake.start(control=True)``). Where the
server has admins it needs the login of one. It answers no page of another origin: the Host header must name this
machine, an Origin header must name the same host, and whatever changes something must be sent as JSON or with the
header ``X-CouchFake``, which a browser sends to no other origin without asking.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from couchfake.auth.permissions import require_server_admin
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, body_response, json_response
from couchfake.control.faults import Fault
from couchfake.control.kit import Controlled
from couchfake.control.observer import CONTROL_PATH
from couchfake.control.request_log import LoggedRequest, matching
from couchfake.control.seeds.documents import SeedError
from couchfake.control.snapshots import Snapshot, SnapshotEnded
from couchfake.errors import BadRequest, CouchError, Forbidden, MethodNotAllowed, NotFound

PREFIX = CONTROL_PATH
CUSTOM_HEADER = "X-CouchFake"


@dataclass(frozen=True)
class Operation:
    """A line of the table: a method and a path, what answers it, and what it does in a sentence."""

    method: str
    path: str
    answer: Callable[..., Any]

    @property
    def description(self) -> str:
        return " ".join((self.answer.__doc__ or "").split())


class ControlApi:
    """Answers the requests below ``/_couchfake/`` of one server.

    ``further``: operations besides its own. ``login_form``: what a browser gets that visits ``/_couchfake/`` without
    the login of an admin.
    """

    def __init__(
        self,
        fake: Controlled,
        hosts: Iterable[str] = (),
        further: Iterable[Operation] = (),
        login_form: Callable[[Request], Response] | None = None,
    ) -> None:
        self._fake = fake
        self._login_form = login_form
        self._hosts = frozenset(host.lower() for host in hosts)
        self._snapshots: dict[str, Snapshot] = {}
        self._faults: dict[str, Fault] = {}
        self._skipping: Any = None
        self._numbers = 0
        self.operations = [
            Operation("GET", "docs", self._docs),
            Operation("POST", "reset", self._reset),
            Operation("GET", "snapshots", self._list_snapshots),
            Operation("POST", "snapshots", self._take_snapshot),
            Operation("POST", "snapshots/{id}/restore", self._restore),
            Operation("DELETE", "snapshots/{id}", self._discard),
            Operation("POST", "load", self._load),
            Operation("GET", "requests", self._requests),
            Operation("DELETE", "requests", self._clear_requests),
            Operation("GET", "logs", self._logs),
            Operation("GET", "feeds", self._feeds),
            Operation("GET", "faults", self._list_faults),
            Operation("POST", "faults", self._add_fault),
            Operation("DELETE", "faults", self._clear_faults),
            Operation("DELETE", "faults/{id}", self._end_fault),
            Operation("GET", "clock", self._clock),
            Operation("POST", "clock", self._set_clock),
            Operation("POST", "conflicts", self._make_conflict),
            Operation("GET", "trees/{db}/{docid}", self._tree),
            *further,
        ]

    def __call__(self, request: Request) -> Response:
        """Answer a request. Raise CouchError for one that is refused."""
        self._check_origin(request)
        if self._login_form is not None and not request.user.is_server_admin and _is_visit(request):
            return self._login_form(request)
        require_server_admin(request.user)
        parts = [unquote(part) for part in request.target[0].split("/")[2:] if part]
        allowed = []
        for operation in self.operations:
            captured = _match([part for part in operation.path.split("/") if part], parts)
            if captured is None:
                continue
            if operation.method == request.verb:
                if operation.method != "GET":
                    _check_intent(request)
                value = operation.answer(request, **captured)
                return value if isinstance(value, Response) else json_response(value)
            allowed.append(operation.method)
        if allowed:
            raise MethodNotAllowed(",".join(allowed))
        raise NotFound(f"there is nothing at {request.target[0]}; see {PREFIX}/docs")

    def _check_origin(self, request: Request) -> None:
        host = (request.header("Host") or "").lower()
        name = urlsplit(f"//{host}").hostname or ""
        if not (_is_own(name) or name in self._hosts or host in self._hosts):
            raise Forbidden(f"{PREFIX} answers under the name localhost; allow {name} by --control-host {name}")
        origin = request.header("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host:
            raise Forbidden(f"{PREFIX} answers no page of another origin")

    # --- the operations

    def _docs(self, request: Request) -> Any:
        """Return this list, as a page or, for a client that asks for JSON, as data."""
        rows = [
            {"method": each.method, "path": f"{PREFIX}/{each.path}", "description": each.description}
            for each in self.operations
        ]
        if "text/html" in (request.header("Accept") or ""):
            return body_response(_page(rows).encode(), "text/html; charset=utf-8")
        return rows

    def _reset(self, request: Request) -> Any:
        """Return to the initial state: the seed, the settings, no faults, the real time and an empty log."""
        self._fake.reset()
        self._fake.faults.clear()
        self._fake.requests.clear()
        self._fake.function_log.clear()
        self._fake.clock.reset()
        self._skip_waits(False)
        self._snapshots.clear()
        self._faults.clear()
        return {"ok": True}

    def _list_snapshots(self, request: Request) -> Any:
        """List the ids of the snapshots, the oldest first."""
        return list(self._snapshots)

    def _take_snapshot(self, request: Request) -> Any:
        """Take a snapshot, and return its id."""
        key = self._number("s")
        self._snapshots[key] = self._fake.snapshot()
        return {"ok": True, "id": key}

    def _restore(self, request: Request, id: str) -> Any:
        """Return to the state of the snapshot. Later snapshots end."""
        try:
            self._found(self._snapshots, id).restore()
        except SnapshotEnded as ended:
            raise CouchError(409, "snapshot_ended", str(ended)) from None
        for later in list(self._snapshots)[list(self._snapshots).index(id) + 1 :]:
            del self._snapshots[later]
        return {"ok": True}

    def _discard(self, request: Request, id: str) -> Any:
        """Drop a snapshot, and keep what was written since."""
        self._found(self._snapshots, id).discard()
        del self._snapshots[id]
        return {"ok": True}

    def _load(self, request: Request) -> Any:
        """Load documents: an object with a list of documents for each database. Databases are created if missing."""
        body = request.json_object()
        for db, documents in body.items():
            if not isinstance(documents, list) or not all(isinstance(each, dict) for each in documents):
                raise BadRequest(f"{db} is to be a list of documents")
        try:
            return {"ok": True, "documents": self._fake.load_documents(body)}
        except SeedError as error:
            raise BadRequest(str(error)) from None

    def _requests(self, request: Request) -> Any:
        """List the requests, the oldest first. Parameters: method, path (a pattern), since (a number), limit; brief
        (true) leaves out headers and bodies. "dropped" says how many requests since the last DELETE are not kept."""
        parameters = request.parameters
        log = self._fake.requests
        kept = log.all
        chosen = matching(kept, parameters.get("method"), parameters.get("path", "**") or "**")
        first = log.total - len(kept)
        numbers = {id(each): first + n for n, each in enumerate(kept)}
        since, limit = _number(parameters.get("since"), 0), _number(parameters.get("limit"), 100)
        rows = [(numbers.get(id(each), first), each) for each in chosen]
        rows = [row for row in rows if row[0] >= since]
        shown = rows[-limit:] if limit else []
        describe = summary_of if parameters.get("brief") == "true" else as_json
        return {
            "total": log.total,
            "dropped": log.dropped,
            "skipped": len(rows) - len(shown),
            "requests": [{"number": number, **describe(each)} for number, each in shown],
        }

    def _clear_requests(self, request: Request) -> Any:
        """Remove all requests from the log."""
        self._fake.requests.clear()
        return {"ok": True}

    def _logs(self, request: Request) -> Any:
        """List the log messages of design functions, the oldest first."""
        return [line._asdict() for line in self._fake.function_log]

    def _feeds(self, request: Request) -> Any:
        """List the open changes feeds."""
        return list(self._fake.open_feeds)

    def _list_faults(self, request: Request) -> Any:
        """List the faults that are on."""
        ids = {id(fault): key for key, fault in self._faults.items()}
        for fault in self._fake.faults:
            if id(fault) not in ids:  # switched on by code, not through this API
                ids[id(fault)] = key = self._number("f")
                self._faults[key] = fault
        return [
            {"id": ids[id(fault)], "fault": fault.name, "text": str(fault), "hits": fault.hits, "test": fault.test}
            for fault in self._fake.faults
        ]

    def _add_fault(self, request: Request) -> Any:
        """Switch a fault on: an object with "fault", its name, and its arguments. Return its id."""
        body = request.json_object()
        name = body.pop("fault", "")
        try:
            fault = self._fake.faults.add(str(name), **body)
        except ValueError as error:
            raise BadRequest(str(error)) from None
        key = self._number("f")
        self._faults[key] = fault
        return {"ok": True, "id": key}

    def _clear_faults(self, request: Request) -> Any:
        """Switch all faults off."""
        self._fake.faults.clear()
        self._faults.clear()
        return {"ok": True}

    def _end_fault(self, request: Request, id: str) -> Any:
        """Switch a fault off."""
        self._found(self._faults, id).end()
        del self._faults[id]
        return {"ok": True}

    def _clock(self, request: Request) -> Any:
        """Show the server's time in seconds since 1970, and whether it is frozen and skips waits."""
        clock = self._fake.clock
        return {"now": clock(), "frozen": clock.is_frozen, "skips_waits": clock.skips_waits}

    def _set_clock(self, request: Request) -> Any:
        """Change the clock: "freeze" (true, or seconds since 1970), "advance" (seconds), "resume", "reset" (true),
        "skip_waits" (true or false)."""
        for name, value in request.json_object().items():
            self._change_clock(name, value)
        return self._clock(request)

    def _change_clock(self, name: str, value: Any) -> None:
        clock = self._fake.clock
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name == "freeze" and (value is True or is_number):
            clock.freeze(None if value is True else value)
        elif name == "advance" and is_number and value >= 0:
            clock.advance(value)
        elif name == "resume" and value is True:
            clock.resume()
        elif name == "reset" and value is True:
            clock.reset()
        elif name == "skip_waits" and isinstance(value, bool):
            self._skip_waits(value)
        else:
            raise BadRequest(f"the clock does not take {json.dumps({name: value})}; see {PREFIX}/docs")

    def _skip_waits(self, skip: bool) -> None:
        if skip and self._skipping is None:
            self._skipping = self._fake.clock.skip_waits()
            self._skipping.__enter__()
        elif not skip and self._skipping is not None:
            self._skipping.__exit__(None, None, None)
            self._skipping = None

    def _make_conflict(self, request: Request) -> Any:
        """Create a document in conflict: "db", "docid", "bodies" (a list of two or more), "base" (optional)."""
        body = request.json_object()
        try:
            tree = self._fake.conflict(body["db"], body["docid"], *body["bodies"], base=body.get("base"))
        except KeyError as missing:
            raise BadRequest(f"{missing} is missing") from None
        except (TypeError, ValueError) as error:
            raise BadRequest(str(error)) from None
        return {
            "ok": True,
            "winner": tree.winner and tree.winner.rev,
            "conflicts": [each.rev for each in tree.conflicts],
        }

    def _tree(self, request: Request, db: str, docid: str) -> Any:
        """Show a document's revision tree, as JSON, as text (Accept: text/plain) or as a picture (image/svg+xml)."""
        tree = self._fake.revision_tree(db, docid)
        accept = request.header("Accept") or ""
        if "image/svg+xml" in accept:
            return body_response(tree.svg().encode(), "image/svg+xml")
        if "text/plain" in accept:
            return body_response(str(tree).encode() + b"\n", "text/plain; charset=utf-8")
        return tree.as_json()

    def _number(self, letter: str) -> str:
        self._numbers += 1
        return f"{letter}{self._numbers}"

    def _found(self, known: dict[str, Any], key: str) -> Any:
        if key not in known:
            raise NotFound(f"there is no {key}")
        return known[key]


def summary_of(logged: LoggedRequest) -> dict[str, Any]:
    """Return a logged request as JSON, without headers and bodies."""
    return {
        "at": logged.at,
        "method": logged.method,
        "url": logged.url,
        "database": logged.database,
        "document": logged.document,
        "user": logged.user,
        "status": logged.status,
        "seconds": round(logged.seconds, 6),
        "error": logged.error,
        "test": logged.test,
    }


def as_json(logged: LoggedRequest) -> dict[str, Any]:
    """Return a logged request as JSON."""
    return {
        **summary_of(logged),
        "headers": logged.headers,
        "body": logged.body.decode("utf-8", "replace"),
        "answer_headers": logged.answer_headers,
        "answer": logged.answer.decode("utf-8", "replace"),
    }


def _is_visit(request: Request) -> bool:
    """Whether a browser opens the page at ``/_couchfake/``."""
    return request.target[0].rstrip("/") == PREFIX and "text/html" in (request.header("Accept") or "")


def _match(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    captured: dict[str, str] = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            captured[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return captured


def _is_own(name: str) -> bool:
    """Whether a host name can only mean this machine, whatever a name server says."""
    if name == "localhost" or name.endswith((".localhost", ".invalid")):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_intent(request: Request) -> None:
    """Refuse what a form of another origin could have sent."""
    kind = (request.environ.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()
    if kind != "application/json" and request.header(CUSTOM_HEADER) is None:
        raise CouchError(415, "bad_content_type", f"send JSON, or the header {CUSTOM_HEADER}: 1")


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdigit():
        raise BadRequest(f"{text!r} is not a number")
    return int(text)


def _page(rows: list[dict[str, str]]) -> str:
    lines = "".join(
        f"<tr><td><code>{row['method']}</code></td><td><code>{row['path']}</code></td><td>{row['description']}</td></tr>"
        for row in rows
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>couchfake: the test kit over HTTP</title>"
        "<style>body{font:16px/1.5 system-ui;margin:2rem;max-width:70rem}td{padding:.3rem .8rem;vertical-align:top}"
        ":root{color-scheme:light dark}</style><h1>The test kit over HTTP</h1>"
        f"<table><tr><th>Method<th>Path<th>What it does</tr>{lines}</table></html>"
    )
