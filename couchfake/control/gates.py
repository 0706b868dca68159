"""Checks of what a test does: patterns that work on small databases but fail on large ones or in production.

gates = Gates(fake, ["unindexed_query", "conflicts", "max_indexed=1000"])
...                                     # the test
gates.problems()                        # a list of sentences, empty if all is well
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

from couchfake.api.routing import is_endpoint
from couchfake.control.kit import Controlled
from couchfake.control.request_log import LoggedRequest, compiled, matches
from couchfake.errors import CouchError

GATES = {
    "unindexed_query": "a Mango query that no index serves",
    "max_indexed": "max_indexed=N: an index that is built over more than N documents",
    "conflicts": "documents that are in conflict at the end",
    "errors": "a response with status 400 or above that the test did not allow",
    "unknown_endpoint": "a request to an endpoint that does not exist, or that the fake does not support",
    "open_feeds": "a changes feed or a continuous replication that is still open at the end",
}
"""The gates by name, with what each finds."""

SHOWN = 10
_USES_INDEX = re.compile(r"/(_view/[^/]+(/queries)?|_list/.+|_find)/?$")


class Gates:
    """The gates of one test, counting from when this is made. Raise ValueError for a gate that does not exist."""

    def __init__(self, fake: Controlled, names: Iterable[str]) -> None:
        self.fake = fake
        self._limits = dict(_read(name) for name in names)
        self._allowed: list[tuple[int | None, str]] = []
        self._requests: list[LoggedRequest] = []
        self._indexed = self._indexed_documents()
        fake.requests.listeners.append(self._requests.append)

    def allow(self, status: int | None = None, path: str = "**") -> None:
        """Expect responses with this status (None: any) to requests whose path matches the pattern."""
        self._allowed.append((status, path))

    def close(self) -> None:
        """Stop counting."""
        if self._requests.append in self.fake.requests.listeners:
            self.fake.requests.listeners.remove(self._requests.append)

    def problems(self) -> list[str]:
        """Return a message for each problem that a gate found."""
        checks: dict[str, Callable[[], Iterator[str]]] = {
            "unindexed_query": self._unindexed_queries,
            "max_indexed": self._large_builds,
            "conflicts": self._conflicts,
            "errors": self._errors,
            "unknown_endpoint": self._unknown_endpoints,
            "open_feeds": self._open_feeds,
        }
        return [problem for name in checks if name in self._limits for problem in checks[name]()]

    def _unindexed_queries(self) -> Iterator[str]:
        yielded: set[str] = set()
        for logged in self._requests:
            if logged.method != "POST" or not logged.path.rstrip("/").endswith("/_find") or logged.status != 200:
                continue
            suggestion = self._suggestion(logged)
            if suggestion is not None and suggestion not in yielded:
                yielded.add(suggestion)
                selector = json.dumps(logged.json.get("selector"))
                yield f"unindexed_query: no index serves {logged.path} with the selector {selector}. {suggestion}"

    def _suggestion(self, logged: LoggedRequest) -> str | None:
        """How to make an index for a query, or None if there is one, or if its database is gone."""
        try:
            explained = self.fake.ask("POST", logged.path.rstrip("/").removesuffix("_find") + "_explain", logged.json)
        except CouchError:
            return None
        if explained["index"]["type"] != "special":
            return None
        fields = index_fields(explained["selector"], logged.json.get("sort"))
        if not fields:
            return "No index can serve it: its selector names no field that a document must have."
        body = json.dumps({"index": {"fields": fields}})
        return f"An index for it: POST /{quote(logged.database or '', safe='')}/_index {body}"

    def _large_builds(self) -> Iterator[str]:
        limit = self._limits["max_indexed"]
        for name, count in self._indexed_documents().items():
            built = count - self._indexed.get(name, 0)
            if built > limit:
                users = ", ".join(self._index_users(name)) or "requests of the server itself"
                yield f"max_indexed: indexes of {name} were built over {built} documents, more than {limit}, by {users}"

    def _index_users(self, database: str) -> list[str]:
        """Return the requests that used indexes of a database, each once, without their query strings."""
        used = (f"{each.method} {each.path}" for each in self._requests if each.database == database)
        return list(dict.fromkeys(line for line in used if _USES_INDEX.search(line)))

    def _indexed_documents(self) -> dict[str, int]:
        return {name: database.activity.indexed for name, database in list(self.fake.node.databases.items())}

    def _conflicts(self) -> Iterator[str]:
        for name, docid in conflicts(self.fake):
            yield f"conflicts: {docid} in {name} is left in conflict\n{self.fake.revision_tree(name, docid)}"

    def _errors(self) -> Iterator[str]:
        for logged in self._requests:
            if logged.status >= 400 and not self._is_allowed(logged):
                yield f"errors: {logged}"

    def _is_allowed(self, logged: LoggedRequest) -> bool:
        return any(
            status in (None, logged.status) and matches(compiled(path), logged.path) for status, path in self._allowed
        )

    def _unknown_endpoints(self) -> Iterator[str]:
        for logged in self._requests:
            segments = [unquote(part) for part in logged.path.split("/") if part]
            if logged.status == 501 or (logged.status >= 400 and not is_endpoint(segments)):
                yield f"unknown_endpoint: {logged}"

    def _open_feeds(self) -> Iterator[str]:
        for url in self.fake.open_feeds:
            yield f"open_feeds: {url} is still open"
        for task in self.fake.ask("GET", "/_active_tasks"):
            if task["type"] == "replication" and task["continuous"]:
                yield f"open_feeds: the replication from {task['source']} to {task['target']} is still running"


def _read(gate: str) -> tuple[str, int]:
    name, _, number = gate.partition("=")
    if name not in GATES:
        raise ValueError(f"there is no gate {name!r}; there are {', '.join(GATES)}")
    if (name == "max_indexed") != number.isdigit():
        raise ValueError(f"the gate {name} is written " + ("max_indexed=N" if name == "max_indexed" else name))
    return name, int(number or 0)


def conflicts(fake: Controlled) -> Iterator[tuple[str, str]]:
    """Yield the database and the id of each document that is in conflict."""
    for name, database in list(fake.node.databases.items()):
        with database.lock:
            found = [
                entry.id for entry in database.entries.values() if sum(not leaf.deleted for leaf in entry.leaves()) > 1
            ]
        for docid in found:
            yield name, docid


def index_fields(selector: dict[str, Any], sort: Any = None) -> list[str]:
    """Return the fields of an index that serves a normalised selector: those of the sort, or the ones it requires."""
    if sort:
        return [next(iter(each)) if isinstance(each, dict) else each for each in sort]
    fields: dict[str, bool] = {}
    waiting = [selector]
    while waiting:
        for name, condition in waiting.pop(0).items():
            if name == "$and":
                waiting += condition
            elif not name.startswith("$") and isinstance(condition, dict) and _is_range(condition):
                fields.setdefault(name, "$eq" in condition)
    return sorted(fields, key=lambda name: not fields[name])  # equality first, as a compound index wants it


def _is_range(condition: dict[str, Any]) -> bool:
    return bool(condition.keys() & {"$eq", "$gt", "$gte", "$lt", "$lte", "$beginsWith"})
