"""Malformed requests: recorded ones with something broken in them, and nonsense at every endpoint.

All of it follows from one ``random.Random``, so that a seed and a number always name the same request.
"""

from __future__ import annotations

import base64
import copy
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from couchfake.api.routing import ROUTES
from couchfake.recordings import area_names, load_area

EXCLUDED = ("replication",)  # which would call other servers

METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "COPY", "OPTIONS", "PATCH", "TRACE", "MOVE", "get", "FOO"]
PIECES = [
    "%00", "%2F", "%2f", "%ff", "%C0%80", "%ED%A0%80", "%E2%82%AC", "%", "%z", "%4", "+", "//", ";", ".", "..",
    "%2E%2E", "_", "_design", "_local", "_all_docs", "_changes", "_view", "~", "'", '"', "<", "{}", "[]", "%5B",
    "\x80", "\xff", "%F0%9F%92%A9", ":", "%3A", "@", "a" * 300, "%20", "_id", "null", "-1", "0", "1e999",
]  # fmt: skip
WORDS = [
    "", "true", "false", "null", "0", "1", "-1", "1.5", "1e400", "9" * 400, "9" * 5000, '""', '"a"', "[]", "{}", "[1",
    '{"a"', "%00", "%FF", "%", "a", "\xe9", "1-abc", "1-", "-", "x-1", "99999999999999999999-a", "all", '["1-a"]',
    "[1]", "[[]]", "now", "last", "5-xyz", "_doc_ids", "_selector", "_view", "d/f", "continuous", "longpoll",
    "eventsource", "normal", "\ud83d", "NaN", "Infinity", "[" * 3000, '{"a":' * 3000, "ok", "lazy", "json",
    '"\\ud800"', "%22%5Cud800%22",
]  # fmt: skip
NAMES = [
    "rev", "open_revs", "latest", "revs", "revs_info", "conflicts", "deleted_conflicts", "meta", "attachments",
    "att_encoding_info", "atts_since", "local_seq", "new_edits", "batch", "w", "r", "limit", "skip", "startkey",
    "endkey", "start_key", "end_key", "key", "keys", "startkey_docid", "endkey_docid", "descending", "include_docs",
    "inclusive_end", "update_seq", "group", "group_level", "reduce", "stable", "stale", "update", "sorted", "since",
    "feed", "filter", "style", "doc_ids", "seq_interval", "timeout", "heartbeat", "last-event-id", "view", "q", "n",
    "partitioned", "placement", "count", "partition", "next", "callback", "_show", "rank", "engine", "deleted",
    "bookmark", "include_system",
]  # fmt: skip
HEADERS = {
    "Accept": ["", "*/*", "text/html", "multipart/mixed", "application/json;q=0", "a/b;q=x", ",,,;", "text/*;q=1.5"],
    "Accept-Encoding": ["gzip", "gzip;q=0,identity;q=0", "*;q=0", "\xff"],
    "Authorization": ["Basic", "Basic !", "Basic YQ==", "Basic YTpi", "Bearer x.y.z", "Bearer ", "Digest x"],
    "Content-Encoding": ["gzip", "deflate", "identity", "", "\xff"],
    "Content-Type": [
        "",
        "application/json",
        "text/plain",
        "application/json;charset=latin1",
        "multipart/related;boundary=x",
        "multipart/related;",
        "multipart/form-data;boundary=x",
        "application/x-www-form-urlencoded",
        "a" * 2000,
        'multipart/related;boundary="',
        "\xff/\xff",
    ],
    "Content-Length": ["0", "-1", "x", "99999999999999999999", "5", ""],
    "Cookie": ["AuthSession=", "AuthSession=x", "AuthSession=YTo6", "AuthSession=YWRtOjY1OjA", "a=b; AuthSession=\xff"],
    "Destination": ["", "a", "a?rev=1-x", "http://x/y", "%zz", "_design/x", "a?rev=", "\xff", "_local/x", "?", "%2F"],
    "Expect": ["100-continue", "nonsense"],
    "Host": ["", "a b", "[::1]:5984", "x:99999", "\xff"],
    "If-Match": ["", "*", '"', '"1-a"', "1-a", "W/x", "\xff"],
    "If-None-Match": ["", "*", '"1-a"', "W/x,,,", "\xff"],
    "Last-Event-ID": ["", "x", "1", "-1"],
    "Origin": ["null", "*", "http://x", ""],
    "Prefer": ["return=minimal", "x"],
    "Range": ["bytes=", "bytes=0-", "bytes=-1", "bytes=5-2", "bytes=0-0,2-2,x", "bytes=99999999999999999999-"],
    "Referer": ["", "http://127.0.0.1:5984/", "x", "\xff"],
    "Transfer-Encoding": ["identity", ""],
    "X-Couch-Full-Commit": ["true", "x"],
    "X-Couch-Request-ID": ["a b", "x" * 50, "\xff", "ok"],
    "X-Forwarded-Host": ["x", "\xff", ""],
    "X-HTTP-Method-Override": ["PUT", "DELETE", "FOO", "", "COPY", "HEAD"],
}
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**64), 10**400, 1.5, 1e308, -0.0, 5e-324, "", "a", "\x00", "\ud800",
    "\U0001f4a9", "_design/x", "1-a", "a" * 5000, [], [[]], [None], ["a", 1], {}, {"": {}}, {"_id": 1}, {"$or": 1},
    {"$not": []}, {"$regex": "("}, {"$regex": "(a+)+$"}, {"_deleted": True}, {"_attachments": {"a": {}}},
    {"name": None}, {"data": "!", "content_type": 5}, {"stub": True}, {"follows": True, "length": 3},
    {"start": 1, "ids": [1]},
]  # fmt: skip
MEMBERS = [
    "_id", "_rev", "_revisions", "_attachments", "_deleted", "_nonsense", "docs", "keys", "queries", "selector",
    "fields", "sort", "limit", "skip", "use_index", "bookmark", "index", "ddoc", "type", "partial_filter_selector",
    "views", "language", "filters", "validate_doc_update", "options", "lists", "shows", "updates", "rewrites",
    "new_edits", "doc_ids", "name", "password", "roles", "admins", "members", "source", "target", "w",
    "all_or_nothing", "execution_stats",
]  # fmt: skip


@dataclass
class FuzzRequest:
    """``cut``: the client disconnects after that many bytes of the body; None: it does not."""

    method: str
    path: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    cut: int | None = None

    def __str__(self) -> str:
        cut = "" if self.cut is None else f" cut at {self.cut}"
        return f"{self.method} {self.path!r} {self.headers} {self.body[:400]!r}{cut}"


class Requests:
    """An endless stream of requests: scenarios as recorded, with mutations, and nonsense between them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.scenarios = [
            scenario for area in area_names() if area not in EXCLUDED for scenario in load_area(area)["scenarios"]
        ]

    def __iter__(self) -> Iterator[FuzzRequest]:
        while True:
            scenario = self.random.choice(self.scenarios)
            databases: list[str] = scenario.get("databases", [])
            steps = scenario["steps"][: self.random.choice((10, 30, 1000))]
            for number, step in enumerate(steps):
                request = recorded(step["request"])
                if self.random.random() < (0.6 if number > 1 else 0.05):  # the first ones make what the others need
                    request = self.mutated(request)
                yield request
                if self.random.random() < 0.15:
                    yield self.nonsense(databases)
            for name in databases:
                yield FuzzRequest("DELETE", "/" + name.replace("/", "%2F"))

    # ---- at any endpoint

    def nonsense(self, databases: list[str]) -> FuzzRequest:
        """Return a random method and body for a random route, its captured parts invented."""
        choose = self.random.choice
        route = choose(ROUTES)
        captured = {"{db}": choose([*databases, *databases, "_users", "nosuch"]).replace("/", "%2F")}

        def fill(match: re.Match[str]) -> str:
            if match[0] in captured:
                return captured[match[0]]
            made = "/".join(choose([*PIECES, "a", "d", "v", "x"]) for _ in range(choose((1, 1, 2, 3))))
            return made if match[0].endswith("...}") else made.replace("/", "")

        path = re.sub(r"\{[^}]*\}", fill, route.path)
        method = choose([*(route.allow.split(",") if route.allow else ["GET"]), choose(METHODS)])
        request = FuzzRequest(method, path, [("Content-Type", "application/json")], dump(self.value(3)))
        if self.random.random() < 0.5:
            request.path += "?" + self.query()
        return self.mutated(request) if self.random.random() < 0.3 else request

    def value(self, depth: int) -> Any:
        chance = self.random.random()
        if depth and chance < 0.6:
            return {self.random.choice(MEMBERS): self.value(depth - 1) for _ in range(self.random.randrange(5))}
        if depth and chance < 0.75:
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        return self.random.choice(VALUES)

    def query(self) -> str:
        separator = self.random.choice("&&&;")
        choose = self.random.choice
        pairs = (choose(NAMES) + "=" + choose(WORDS) for _ in range(self.random.randrange(1, 4)))
        return re.sub(r"[\x00-\x20#]", "%20", separator.join(pairs)).encode("utf-8", "surrogatepass").decode("latin-1")

    # ---- something broken

    def mutated(self, request: FuzzRequest) -> FuzzRequest:
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            self.random.choice(
                (self._method, self._path, self._query, self._header, self._json, self._json, self._bytes, self._cut)
            )(request)
        return request

    def _method(self, request: FuzzRequest) -> None:
        request.method = self.random.choice(METHODS)

    def _path(self, request: FuzzRequest) -> None:
        path, mark, query = request.path.partition("?")
        parts = path.split("/")
        place = self.random.randrange(1, len(parts)) if len(parts) > 1 else 0
        piece = self.random.choice(PIECES)
        parts[place : place + self.random.randrange(2)] = self.random.choice(
            ([piece], [parts[place] + piece], [piece + parts[place]], [], [parts[place], piece])
        )
        request.path = ("/".join(parts) or "/") + mark + query

    def _query(self, request: FuzzRequest) -> None:
        path, _, query = request.path.partition("?")
        kept = [part for part in re.split("[&;]", query) if part and self.random.random() < 0.7]
        kept.insert(self.random.randrange(len(kept) + 1), self.query())
        request.path = path + "?" + "&".join(kept)

    def _header(self, request: FuzzRequest) -> None:
        name = self.random.choice(sorted(HEADERS))
        request.headers = [pair for pair in request.headers if pair[0].lower() != name.lower()]
        if self.random.random() < 0.9:
            request.headers.append((name, self.random.choice(HEADERS[name])))

    def _json(self, request: FuzzRequest) -> None:
        try:
            value = json.loads(request.body)
        except (ValueError, RecursionError):
            self._bytes(request)
            return
        request.body = dump(self._replaced(value))

    def _replaced(self, value: Any) -> Any:
        """Return the value with one place in it changed."""
        choose = self.random.choice
        if isinstance(value, dict) and value and self.random.random() < 0.8:
            name = choose(sorted(value))
            chance = self.random.random()
            if chance < 0.15:
                del value[name]
            elif chance < 0.3:
                value[choose(MEMBERS)] = value.pop(name)
            elif chance < 0.4:
                value[choose(MEMBERS)] = self.value(2)
            else:
                value[name] = self._replaced(value[name])
            return value
        if isinstance(value, list) and value and self.random.random() < 0.8:
            place = self.random.randrange(len(value))
            value[place : place + 1] = choose(([], [self._replaced(value[place])], [value[place]] * 2))
            return value
        return copy.deepcopy(self.value(1))

    def _bytes(self, request: FuzzRequest) -> None:
        """Change a byte, remove or insert a piece, or cut off the rest."""
        body, place = request.body, self.random.randrange(len(request.body) + 1)
        pieces = (b"\xff", b"\x00", b"{", b'"', b"\\ud800", b"--x", b"\r\n", b"1e999", b"]" * 9, b"", b"NaN")
        piece = self.random.choice(pieces)
        end = place + self.random.choice((0, 1, 1, 5, 100000))
        request.body = body[:place] + piece + body[end:]

    def _cut(self, request: FuzzRequest) -> None:
        if request.body:
            request.cut = self.random.randrange(len(request.body))


def recorded(request: dict[str, Any]) -> FuzzRequest:
    """Return a recorded request. Its placeholders are not filled in: they are as good as any value."""
    headers = list(request.get("headers", {}).items())
    body = b""
    if "json" in request:
        body = dump(request["json"])
        headers.append(("Content-Type", "application/json"))
    elif "body" in request:
        body = request["body"].encode("utf-8", "surrogatepass")
    elif "base64" in request:
        body = base64.b64decode(request["base64"])
    path = re.sub(r"[\x00-\x20#\x7f]", "%20", request["path"]).encode("utf-8", "surrogatepass").decode("latin-1")
    return FuzzRequest(request["method"], path, headers, body)


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
