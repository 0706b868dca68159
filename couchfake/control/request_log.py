"""The requests that a server got in the running test, and its responses.

    fake.requests.to("PUT", "/shop/*").count
    fake.requests.to("POST", "**/_find").last.json["selector"]
    assert fake.requests.to("DELETE").count == 0

Passwords, cookies and tokens are replaced by stars before a request is kept.
"""

from __future__ import annotations

import difflib
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload
from urllib.parse import parse_qsl, unquote

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.control.secrets import HEADERS, STARS, is_secret_path, redacted, redacted_text

KEPT_REQUESTS = 1000
"""How many requests a log keeps by default; the oldest are dropped."""


class RequestsDropped(LookupError):
    """The log has dropped requests that a count or a selection depends on."""


HAPPENED = "couchfake.faults"
"""In a request's environment: the descriptions of the faults that happened to it."""

KEPT_BYTES = 65536
"""A body up to this size is kept whole."""

BEGINNING = 4096
"""How many bytes are kept of a larger body: copying more would show in the speed of large responses."""

SHOWN_REQUESTS = 20


class LoggedRequest:
    """One request and its response."""

    __slots__ = ("_answer", "_body", "_environ", "_response_headers", "_target", "at", "method", "seconds", "status",
                 "test", "user")  # fmt: skip

    def __init__(self, request: Request, response: Response, at: float, seconds: float, test: str | None) -> None:
        found = vars(request)
        self._environ = environ = request.environ.copy()
        environ["wsgi.input"] = None  # it may hold a large body
        for key in _SECRET_KEYS & environ.keys():
            environ[key] = STARS
        self._target = request.target
        self._response_headers = response.fields
        self._body = _kept(found.get("body"))  # where the endpoint has read it
        self._answer = _kept(response.body)
        self.method: str = environ["REQUEST_METHOD"]
        self.at = at
        """The server's time, in seconds since 1970, when the response was ready."""
        self.seconds = seconds
        """How many seconds the server took until the response, or the head of a streamed one, was ready."""
        self.status = response.status_code
        """The response's status; 0 if the connection was closed without a response."""
        self.test = test
        """The id of the test that ran, or None."""
        user = found.get("user")
        self.user: str | None = None if user is None else user.name
        """The name of the user who sent it; None without a login, and if the login was refused."""

    @property
    def faults(self) -> list[str]:
        """The faults that happened to it, such as ``drop middle``; without any an empty list."""
        return list(self._environ.get(HAPPENED, ()))

    @property
    def path(self) -> str:
        """The path as it was sent, with its escapes."""
        return self._target[0]

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query string; of a repeated parameter, the last value."""
        return dict(parse_qsl(redacted_text(self._target[1]), keep_blank_values=True))

    @property
    def url(self) -> str:
        """Path and query as they were sent."""
        path, query = self._target
        return redacted_text(f"{path}?{query}" if query else path)

    @property
    def database(self) -> str | None:
        """The database that the path names, or None."""
        name = unquote(self.path.strip("/").partition("/")[0])
        return name if name and (not name.startswith("_") or name in _SYSTEM_DATABASES) else None

    @property
    def document(self) -> str | None:
        """The id of the document that the path names, or None."""
        parts = [unquote(part) for part in self.path.strip("/").split("/")]
        if self.database is None or len(parts) < 2:
            return None
        if parts[1] in ("_design", "_local"):
            return "/".join(parts[1:3]) if len(parts) > 2 else None
        return None if parts[1].startswith("_") else parts[1]

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers, names in capitalised words."""
        return _headers_of(self._environ)

    @property
    def answer_headers(self) -> dict[str, str]:
        """The response's headers."""
        return {name: STARS if name.lower() in HEADERS else value for name, value in self._response_headers}

    @property
    def body(self) -> bytes:
        """The request's body, decompressed; of more than 64 KiB, the first 4 KiB."""
        return self._shown(self._body)

    @property
    def answer(self) -> bytes:
        """The response's body; of more than 64 KiB, the first 4 KiB; empty for a streamed response."""
        return self._shown(self._answer)

    @property
    def json(self) -> Any:
        """The request's body parsed as JSON, or None if it is not JSON."""
        return _parsed(self.body)

    @property
    def answer_json(self) -> Any:
        """The response's body parsed as JSON, or None if it is not JSON."""
        return _parsed(self.answer)

    @property
    def error(self) -> str | None:
        """``error: reason`` of an error response, else None."""
        answer = self.answer_json if self.status >= 400 else None
        return f"{answer.get('error')}: {answer.get('reason')}" if isinstance(answer, dict) else None

    def _shown(self, body: bytes) -> bytes:
        return b'"***"' if body and is_secret_path(self.path) else redacted(body)

    def __str__(self) -> str:
        error = self.error
        line = f"{self.method} {self.url} {self.status} ({self.seconds * 1000:.1f} ms)"
        if self.faults:
            line += f" (fault: {', '.join(self.faults)})"
        return f"{line} {error}" if error else line

    def __repr__(self) -> str:
        return f"<{self}>"


def _kept(body: object) -> bytes:
    if type(body) is not bytes:
        return b""
    return body if len(body) <= KEPT_BYTES else body[:BEGINNING]


_SYSTEM_DATABASES = ("_users", "_replicator", "_global_changes")


_SECRET_KEYS = frozenset("HTTP_" + name.upper().replace("-", "_") for name in HEADERS)


def _headers_of(environ: dict[str, Any]) -> dict[str, str]:
    return {
        key.removeprefix("HTTP_").replace("_", "-").title(): value
        for key, value in environ.items()
        if key.startswith(("HTTP_", "CONTENT_"))
    }


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


class Count(int):
    """How many requests a selection has. A failed comparison shows what came instead."""

    selection: Selection

    def explain(self) -> list[str]:
        """Return lines that say what came instead, the most similar first."""
        return self.selection.explain()


class Selection:
    """Requests in the order of their answers, those that ``to`` chose.

    Raise RequestsDropped for everything that depends on the first requests (counts, ``first``, ``json``, iteration) if
    the log has dropped requests of the running test.
    """

    def __init__(
        self, chosen: Iterable[LoggedRequest], wanted: str, all_requests: Sequence[LoggedRequest], dropped: int = 0
    ) -> None:
        self._chosen = list(chosen)
        self._wanted = wanted
        self._all = all_requests
        self._dropped = dropped

    @overload
    def __getitem__(self, place: int) -> LoggedRequest: ...
    @overload
    def __getitem__(self, place: slice) -> list[LoggedRequest]: ...
    def __getitem__(self, place: int | slice) -> LoggedRequest | list[LoggedRequest]:
        if isinstance(place, slice) or place >= 0:
            return self._complete()[place]
        return self._chosen[place]

    def __len__(self) -> int:
        return len(self._complete())

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._complete())

    def __repr__(self) -> str:
        dropped = f", at least: the log has dropped {self._dropped} requests" if self._dropped else ""
        return f"<{len(self._chosen)} requests to {self._wanted}{dropped}>"

    def _complete(self) -> list[LoggedRequest]:
        """Return the requests. Raise RequestsDropped if some of them may be missing."""
        if self._dropped:
            raise RequestsDropped(
                f"requests to {self._wanted} cannot be counted: the test made {len(self._all) + self._dropped}"
                f" requests, and the log keeps the last {len(self._all)}. Set requests.limit to more before the test"
                " makes them, or call requests.clear() where counting is to begin"
            )
        return self._chosen

    @property
    def count(self) -> Count:
        """How many there are."""
        count = Count(len(self))
        count.selection = self
        return count

    @property
    def first(self) -> LoggedRequest:
        """The first one. Raise LookupError, with what came instead, if there is none."""
        return self._one(0, self._complete())

    @property
    def last(self) -> LoggedRequest:
        """The last one. Raise LookupError, with what came instead, if there is none."""
        return self._one(-1, self._chosen)

    @property
    def json(self) -> list[Any]:
        """The JSON bodies of all of them."""
        return [each.json for each in self]

    def where(self, test: Callable[[LoggedRequest], bool]) -> Selection:
        """Return those for which ``test`` is true."""
        wanted = f"{self._wanted}, and further conditions"
        return Selection(filter(test, self._chosen), wanted, self._all, self._dropped)

    def assert_count(self, expected: int) -> None:
        """Raise AssertionError, with what came instead, unless there are so many."""
        if len(self) != expected:
            raise AssertionError(
                "\n".join([f"{len(self)} requests to {self._wanted}, not {expected}", *self.explain()])
            )

    def explain(self) -> list[str]:
        """Return lines that list the chosen requests, the most recent first, since pytest cuts long lists off.

        If there are none, list all others, the most similar first.
        """
        if len(self._chosen) == 1:
            return [f"the request to {self._wanted}:", *_lines(self._chosen)]
        if self._chosen:
            return [f"requests to {self._wanted}, the most recent first:", *_lines(self._chosen[::-1])]
        if not self._all:
            return ["no requests at all"]
        return [f"no request to {self._wanted}; those that came, the most similar first:", *_lines(self._nearest())]

    def _nearest(self) -> list[LoggedRequest]:
        def distance(each: LoggedRequest) -> float:
            return -difflib.SequenceMatcher(None, self._wanted, f"{each.method} {each.path}").ratio()

        return sorted(self._all, key=distance)

    def _one(self, place: int, chosen: Sequence[LoggedRequest]) -> LoggedRequest:
        if not chosen:
            raise LookupError("\n".join(self.explain()))
        return chosen[place]


def _lines(requests: Sequence[LoggedRequest]) -> list[str]:
    lines = [f"  {each}" for each in requests[:SHOWN_REQUESTS]]
    if len(requests) > SHOWN_REQUESTS:
        lines.append(f"  and {len(requests) - SHOWN_REQUESTS} more")
    return lines


class RequestLog:
    """The requests of the running test to a server, the oldest first; outside tests, all since the server was made.

    A server that several tests share keeps those of earlier tests too: see ``all``.
    """

    def __init__(self, limit: int = KEPT_REQUESTS) -> None:
        self._kept: deque[LoggedRequest] = deque(maxlen=limit)
        self._begun = 0  # how many requests there had been when the running test began
        self._lock = threading.Lock()
        self.listeners: list[Callable[[LoggedRequest], None]] = []
        self.test: str | None = None
        """The id of the test that runs, noted in each request."""
        self.total = 0
        """How many requests there were, including those of earlier tests and those that are no longer kept."""

    @property
    def limit(self) -> int:
        """How many requests are kept, the last ones. Setting it loses none of those that fit."""
        return self._kept.maxlen or 0

    @limit.setter
    def limit(self, limit: int) -> None:
        with self._lock:
            self._kept = deque(self._kept, limit)

    @property
    def all(self) -> list[LoggedRequest]:
        """All requests that are kept, including those of earlier tests on the same server."""
        with self._lock:
            return list(self._kept)

    @property
    def dropped(self) -> int:
        """How many requests of the running test are no longer kept."""
        with self._lock:
            return max(0, self.total - self._begun - len(self._kept))

    def begin(self) -> None:
        """Count from here: a test begins. Requests from before are in ``all`` only."""
        with self._lock:
            self._begun = self.total

    def add(self, request: Request, response: Response, at: float, seconds: float) -> None:
        """Keep a request and its answer."""
        logged = LoggedRequest(request, response, at, seconds, self.test)
        with self._lock:
            self._kept.append(logged)
            self.total += 1
        for listener in self.listeners:
            listener(logged)

    def copy_from(self, other: RequestLog) -> None:
        """Take over the requests that another log keeps."""
        taken = other.all
        with self._lock:
            self._kept.extend(taken)
            self.total += len(taken)

    def clear(self) -> None:
        """Remove all requests, and count from here."""
        with self._lock:
            self._kept.clear()
            self._begun = self.total

    def to(self, method: str | None = None, path: str = "**") -> Selection:
        """Return the requests of the running test with this method, and a path that matches the pattern.

        In a pattern ``*`` matches within one part of the path, and ``**`` any number of parts. It is compared with the
        path as it was sent, and with its escapes resolved.
        """
        current, dropped = self._current()
        return Selection(matching(current, method, path), f"{method or 'any method'} {path}", current, dropped)

    def _current(self) -> tuple[list[LoggedRequest], int]:
        """Return the requests of the running test, and how many more there were."""
        with self._lock:
            kept, made = list(self._kept), self.total - self._begun
        return kept[max(0, len(kept) - made) :], max(0, made - len(kept))

    @overload
    def __getitem__(self, place: int) -> LoggedRequest: ...
    @overload
    def __getitem__(self, place: slice) -> list[LoggedRequest]: ...
    def __getitem__(self, place: int | slice) -> LoggedRequest | list[LoggedRequest]:
        return self.to()[place]

    def __len__(self) -> int:
        return len(self.to())

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self.to())

    @property
    def count(self) -> Count:
        """How many requests the running test made. Raise RequestsDropped if not all of them are kept."""
        return self.to().count

    @property
    def last(self) -> LoggedRequest:
        """The last request of the running test. Raise LookupError if there is none."""
        return self.to().last

    def __repr__(self) -> str:
        current, dropped = self._current()
        return f"<{len(current) + dropped} requests{f', {dropped} of them dropped' if dropped else ''}>"


def matching(requests: Iterable[LoggedRequest], method: str | None, path: str) -> list[LoggedRequest]:
    """Return the requests with this method (None: any), and a path that matches the pattern."""
    pattern = compiled(path)
    return [
        each for each in requests if (method is None or each.method == method.upper()) and matches(pattern, each.path)
    ]


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a path pattern (``*``, ``**``) as a regular expression."""
    text = pattern if pattern.startswith(("/", "*")) else "/" + pattern
    parts = re.split(r"(\*\*|\*)", text.rstrip("/") or "/")
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(part) or re.escape(part) for part in parts), re.DOTALL)


def matches(pattern: re.Pattern[str], path: str) -> bool:
    """Return whether a path matches, as it was sent or with its escapes resolved."""
    path = path.rstrip("/") or "/"
    return pattern.fullmatch(path) is not None or ("%" in path and pattern.fullmatch(unquote(path)) is not None)
