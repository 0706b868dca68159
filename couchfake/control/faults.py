"""Faults in a database's own terms: refused requests, lost answers, broken feeds, conflicts that somebody else made.

    with fake.faults.refuse(503, method="PUT", path="/shop/**", times=1):
        application.save()                         # must retry

    fault = fake.faults.delay(0.5, database="shop")
    ...
    fault.end()

Each method switches a fault on and returns it. Every one takes the same conditions, which say what requests it meets:

``method``, ``path`` (a pattern in which ``*`` stands for a part of the path and ``**`` for any number of them),
``database``, ``document``, ``user``: what the request must be;
``nth``: only the n-th of these requests, counted from 1; ``times``: only so many of them, the first ones;
``share``: only about this share of them (0 to 1), chosen at random from ``seed``;
``where``: a function of the request (``couchfake.chttpd.request.Request``), for any other condition.
"""

from __future__ import annotations

import difflib
import inspect
import random
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.control.fault_effects import (
    Answer,
    Conflict,
    CutFeed,
    Delay,
    Drop,
    Effect,
    LoseAnswer,
    RepeatRow,
    StaleView,
    StopReplication,
    check_number,
    refusal_of,
)
from couchfake.control.request_log import HAPPENED, compiled, matches
from couchfake.values.clock import Clock

WRITES = frozenset(("PUT", "POST", "DELETE", "COPY", "PATCH"))
_READING_POSTS = re.compile(
    r"/(_all_docs|_design_docs|_local_docs|_changes|_find|_explain|_bulk_get|_revs_diff|_missing_revs|_view|_list|_show"
    r"|_session|_dbs_info|_ensure_full_commit)(/|$)"
)


class Condition:
    """What requests a fault meets; see the module's documentation."""

    def __init__(
        self,
        method: str | None = None,
        path: str | None = None,
        database: str | None = None,
        document: str | None = None,
        user: str | None = None,
        nth: int | None = None,
        times: int | None = None,
        share: float = 1.0,
        seed: int = 0,
        writes_only: bool = False,
        where: Callable[[Request], bool] | None = None,
    ) -> None:
        check_number("share", share, 0, 1)
        texts = {"method": method, "path": path, "database": database, "document": document, "user": user}
        for name, text in texts.items():
            if text is not None and not isinstance(text, str):
                raise ValueError(f"{name} must be a string, not {text!r}")
        for name, number in (("nth", nth), ("times", times)):
            if number is not None:
                check_number(name, number, 1)
        if where is not None and not callable(where):
            raise ValueError(f"where must be a function of a request, not {where!r}")
        self.method = method.upper() if method else None
        self.path = path
        self.database = database
        self.document = document
        self.user = user
        self.nth = nth
        self.times = times
        self.share = share
        self.writes_only = writes_only
        self.where = where
        self._pattern = compiled(path) if path is not None else None
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.seen = 0
        self.hits = 0

    def meets(self, request: Request) -> bool:
        """Return whether the fault is to happen to this request, and count it."""
        if not self._describes(request):
            return False
        with self._lock:
            self.seen += 1
            hit = (
                (self.nth is None or self.seen == self.nth)
                and (self.times is None or self.hits < self.times)
                and (self.share >= 1 or self._random.random() < self.share)
            )
            self.hits += hit
        return hit

    def _describes(self, request: Request) -> bool:
        method = request.environ["REQUEST_METHOD"]
        path = request.target[0]
        if self.method is not None and method != self.method:
            return False
        if self.writes_only and (method not in WRITES or (method == "POST" and _READING_POSTS.search(path))):
            return False
        if self._pattern is not None and not matches(self._pattern, path):
            return False
        database, document = _names(path)
        if self.database is not None and database != self.database:
            return False
        if self.document is not None and document != self.document:
            return False
        if self.where is not None and not self.where(request):
            return False
        return self.user is None or request.user.name == self.user

    def __str__(self) -> str:
        names = ("method", "path", "database", "document", "user", "nth", "times")
        parts = [f"{name}={getattr(self, name)!r}" for name in names if getattr(self, name) is not None]
        if self.share < 1:
            parts.append(f"share={self.share}")
        return ", ".join(parts)


def _names(path: str) -> tuple[str, str | None]:
    parts = [unquote(part) for part in path.split("/") if part]
    if len(parts) < 2:
        return (parts[0] if parts else ""), None
    if parts[1] in ("_design", "_local"):
        return parts[0], "/".join(parts[1:3]) if len(parts) > 2 else None
    return parts[0], None if parts[1].startswith("_") else parts[1]


class Fault:
    """A fault that is on until ``end`` is called, or until the end of a ``with`` block."""

    def __init__(self, faults: Faults, name: str, effect: Effect, condition: Condition, test: str | None) -> None:
        self._faults = faults
        self.name = name
        self.effect = effect
        self.condition = condition
        self.test = test
        """The id of the test that switched it on, or None."""

    @property
    def hits(self) -> int:
        """How many requests it has affected."""
        return self.condition.hits

    @property
    def description(self) -> str:
        """What it does, without its conditions: ``drop middle``."""
        return f"{self.name} {self.effect}".rstrip()

    @property
    def is_on(self) -> bool:
        return self in self._faults

    def end(self) -> None:
        """Switch it off. Calling it twice is fine."""
        self._faults.remove(self)

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def __repr__(self) -> str:
        return f"<fault {self}>"

    def __str__(self) -> str:
        return " ".join(part for part in (self.description, str(self.condition)) if part)


class Faults:
    """The faults of one server. Iterating returns those that are on, the oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._on: tuple[Fault, ...] = ()  # replaced, not changed: requests read it without a lock
        self._lock = threading.Lock()
        self._clock = clock
        self.test: str | None = None
        """The id of the test that runs, noted in each fault."""

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._on)

    def __len__(self) -> int:
        return len(self._on)

    def __contains__(self, fault: object) -> bool:
        return fault in self._on

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._on = ()

    def remove(self, fault: Fault) -> None:
        """Switch a fault off."""
        with self._lock:
            self._on = tuple(each for each in self._on if each is not fault)

    # --- the faults --------------------------------------------------------------------------------------------------

    def refuse(
        self, status: int, *, error: str | None = None, reason: str | None = None, retry_after: float | None = None,
        **conditions: Any,
    ) -> Fault:  # fmt: skip
        """Return an error instead of a response. ``error`` and ``reason`` default to CouchDB's own for that status.

        ``retry_after``: seconds for the header ``Retry-After``.
        """
        return self._add("refuse", lambda: refusal_of(status, error, reason, retry_after), conditions)

    def delay(self, seconds: float, **conditions: Any) -> Fault:
        """Delay the response. If the client disconnects, the request is processed immediately."""
        return self._add("delay", lambda: Delay(seconds, self._clock), conditions)

    def drop(self, when: str = "before", **conditions: Any) -> Fault:
        """Close the connection ``before`` the request is processed, in the ``middle`` of the response or ``after``."""
        return self._add("drop", lambda: Drop(when), conditions)

    def lose_answer(self, **conditions: Any) -> Fault:
        """Process the request, and close the connection without a response: the client cannot know of the write."""
        return self._add("lose_answer", LoseAnswer, conditions)

    def conflict(self, document: dict[str, Any] | None = None, **conditions: Any) -> Fault:
        """Have somebody else write the document right before the request, so that the request conflicts.

        Affects writes of single documents. ``document``: the body that somebody else writes, by default the current one
        with a member ``changed_by``. That revision really exists afterwards. ``document_id`` chooses the document.
        """
        if "document_id" in conditions:
            conditions["document"] = conditions.pop("document_id")
        return self._add("conflict", lambda: Conflict(document), {"writes_only": True, **conditions})

    def cut_feed(self, rows: int, **conditions: Any) -> Fault:
        """Close the connection of a changes feed after this number of rows."""
        return self._add("cut_feed", lambda: CutFeed(rows), {"path": "**/_changes", **conditions})

    def repeat_row(self, row: int = 1, **conditions: Any) -> Fault:
        """Send a row of a changes feed twice, the first by default."""
        return self._add("repeat_row", lambda: RepeatRow(row), {"path": "**/_changes", **conditions})

    def stale_view(self, **conditions: Any) -> Fault:
        """Return the results of views from the index as it is, without the latest writes."""
        return self._add("stale_view", StaleView, {"path": "**/_view/*", **conditions})

    def stop_replication(self, documents: int, **conditions: Any) -> Fault:
        """Make replications fail after this number of documents, while the fault is on.

        Affects the replications that this server runs; ``database`` is the target's name.
        """
        return self._add("stop_replication", lambda: StopReplication(documents), conditions)

    def disk_full(self, **conditions: Any) -> Fault:
        """Refuse writes like a server whose disk is full: 507 ``insufficient_storage``."""
        return self._add("disk_full", lambda: refusal_of(507), {"writes_only": True, **conditions})

    def starting(self, **conditions: Any) -> Fault:
        """Respond to everything with 503, like a server that has not started yet."""
        return self._add("starting", lambda: refusal_of(503), conditions)

    def maintenance(self, **conditions: Any) -> Fault:
        """Respond to ``/_up`` with 404, like a node in maintenance mode, which a load balancer then skips."""
        answer = Answer(json_body={"status": "maintenance_mode"}, status=404)
        return self._add("maintenance", lambda: answer, {"path": "/_up", **conditions})

    def read_only(self, **conditions: Any) -> Fault:
        """Refuse writes with 403 ``forbidden``."""
        reason = "The server is read only."
        return self._add("read_only", lambda: refusal_of(403, reason=reason), {"writes_only": True, **conditions})

    def add(self, fault: str, **arguments: Any) -> Fault:
        """Switch a fault on by its name. Raise ValueError if there is no such fault, or its arguments are wrong."""
        method = getattr(self, fault, None) if fault in FAULTS else None
        if method is None:
            raise ValueError(f"there is no fault {fault!r}; there are {', '.join(FAULTS)}")
        own = [each for each in inspect.signature(method).parameters.values() if each.kind is not each.VAR_KEYWORD]
        _refuse_unknown(fault, arguments, [each.name for each in own])
        for each in own:
            if each.default is each.empty and each.name not in arguments:
                raise ValueError(f"{fault} needs the argument {each.name!r}")
        made: Fault = method(**arguments)
        return made

    def _add(self, name: str, effect: Callable[[], Effect], conditions: dict[str, Any]) -> Fault:
        _refuse_unknown(name, conditions, [], TypeError)
        try:
            fault = Fault(self, name, effect(), Condition(**conditions), self.test)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        with self._lock:
            self._on = (*self._on, fault)
        return fault

    # --- for the server ----------------------------------------------------------------------------------------------

    def met_by(self, request: Request) -> list[Fault]:
        """Return the faults that are to happen to a request."""
        return [fault for fault in self._on if fault.effect.on_requests and fault.condition.meets(request)]

    def replication_limit(self, database: str) -> int | None:
        """Return after how many documents replications to this database, a name or a URL, fail, or None."""
        name = database.rstrip("/").rpartition("/")[2] if "://" in database else database
        limits = [
            fault.effect.documents
            for fault in self._on
            if isinstance(fault.effect, StopReplication) and fault.condition.database in (None, name)
        ]
        return min(limits, default=None)


CONDITIONS = tuple(name for name in inspect.signature(Condition).parameters)
"""The names of the conditions, which all faults take."""


def _refuse_unknown(
    fault: str, arguments: Iterable[str], own: Sequence[str], error: type[TypeError | ValueError] = ValueError
) -> None:
    """Raise ``error`` if a fault has no such argument, with the nearest that it has."""
    known = [*own, *CONDITIONS, *(["document_id"] if fault == "conflict" else [])]
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            instead = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise error(f"{fault} has no argument {name!r}; {instead}")


FAULTS = (
    "refuse", "delay", "drop", "lose_answer", "conflict", "cut_feed", "repeat_row", "stale_view", "stop_replication",
    "disk_full", "starting", "maintenance", "read_only",
)  # fmt: skip
"""The names of the faults."""


def answer_of(request: Request, faults: list[Fault], answer: Callable[[Request], Response]) -> Response:
    """Answer a request with its faults. ``answer`` is how the server answers without them."""
    happened: list[str] = request.environ.setdefault(HAPPENED, [])
    for fault in faults:
        happened.append(fault.description)
        early = fault.effect.before(request)
        if early is not None:
            return early
    response = answer(request)
    for fault in reversed(faults):
        response = fault.effect.after(request, response)
    return response
