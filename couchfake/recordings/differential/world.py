"""What a random scenario chooses from: values, ids, and the revisions and sequences that the server has answered."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from couchfake.recordings.comparison import Reply

Step = dict[str, Any]
T = TypeVar("T")

IDS = ("a", "b", "c", "d", "e", "é", "x y", "a/b", "10", "9", "~", "a+b", "%", "日本", "A")
PARTITIONED_IDS = ("p:a", "p:b", "q:a", "q:b", "p:é", "r:10")
TEXTS = ("", "a", "B", "aa", "é", "ß", "10", "a b", "😀", "\\", '"', "/", "\n", "\u0001", "ops", "web")
NUMBERS = (0, 1, 2, 3, -1, 10, 1.5, 1.0, -0.5, 100.0, 1e300, 1e-7, 2**31, 2**63, 12345678901234567890123)
ODD = ("", "true", "false", "TRUE", "null", "x", "0", "-1", "1", "2", "1.5", '"a"', "[]", "{}", "99999999999999999999")
FORGED = ("1-" + "e" * 32, "2-" + "b" * 32, "5-" + "c" * 32, "1-abc", "x", "1-", "0-" + "a" * 32)


class World:
    """One scenario's choices. ``random`` decides them, ``database`` is where it happens.

    :meth:`learn` takes in the server's answers, so that later requests can name revisions and sequences that exist.
    """

    def __init__(self, chooser: random.Random, database: str, partitioned: bool = False) -> None:
        self.random = chooser
        self.database = database
        self.partitioned = partitioned
        self.revisions: dict[str, list[str]] = {}
        self.captures: list[str] = []

    # ---- choices

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one(self, options: Sequence[T]) -> T:
        return self.random.choice(options)

    def some(self, options: Sequence[T], at_most: int) -> list[T]:
        return self.random.sample(options, self.random.randint(0, min(at_most, len(options))))

    def value(self, depth: int = 2) -> Any:
        """Return any JSON value."""
        kind = self.random.randrange(8 if depth else 5)
        if kind < 2:
            return self.one(TEXTS)
        if kind < 4:
            return self.one(NUMBERS)
        if kind == 4:
            return self.one((None, True, False))
        if kind < 7:
            return [self.value(depth - 1) for _ in range(self.random.randrange(3))]
        return {self.one(("p", "q", "é", "k")): self.value(depth - 1) for _ in range(self.random.randrange(3))}

    def id(self) -> str:
        """Return a document's id, more often one that exists; rarely a design document's, which others depend on."""
        known = [each for each in self.revisions if not each.startswith("_") or self.chance(0.02)]
        if known and self.chance(0.7):
            return self.one(known)
        return self.one(PARTITIONED_IDS if self.partitioned and self.chance(0.9) else IDS)

    def revision(self, doc_id: str) -> str:
        """Return a revision of a document, mostly its latest, sometimes an old or a forged one."""
        known = self.revisions.get(doc_id)
        if not known or self.chance(0.1):
            return self.one(FORGED)
        return known[-1] if self.chance(0.75) else self.one(known)

    def body(self) -> dict[str, Any]:
        """Return a document's own members."""
        names = self.random.sample(("n", "s", "t", "k", "o", "tags"), self.random.randint(0, 4))
        members: dict[str, Any] = {name: self.value() for name in names}
        if "tags" in members:
            members["tags"] = self.some(("a", "b", "c", 1), 3)
        if "n" in members and self.chance(0.6):
            members["n"] = self.random.randrange(10)
        return members

    def since(self) -> str:
        """Return a sequence for ``since``, one that the server gave out if there is one."""
        if self.captures and self.chance(0.7):
            return "{{" + self.one(self.captures) + "}}"
        return self.one(("0", "0", "0", "0", "now", "1", "x", "5-g1AAAA"))

    def query(self, ordinary: Mapping[str, Sequence[Any]], at_most: int = 3, odd: float = 0.08) -> str:
        """Return a query string, with its ``?``, of some of the parameters. A share ``odd`` of the values is odd."""
        pairs = []
        for name in self.some(sorted(ordinary), at_most):
            value = self.one(ODD) if self.chance(odd) else self.one(ordinary[name])
            pairs.append(f"{name}={escape(value if isinstance(value, str) else json.dumps(value))}")
        return "?" + "&".join(pairs) if pairs else ""

    # ---- requests

    def path(self, *parts: str) -> str:
        """Return a path below the database. Parts that begin with an underscore may hold slashes."""
        return "/" + "/".join(
            [self.database, *(quote(part, safe="/" if part.startswith("_") else "") for part in parts)]
        )

    def step(self, method: str, path: str, value: Any = None, **request: Any) -> Step:
        """Return a step. ``value`` is sent as JSON; further arguments are members of the request."""
        request = {"method": method, "path": path, **request}
        if value is not None:
            request["json"] = value
        return {"request": request}

    # ---- what the server answered

    def learn(self, step: Step, reply: Reply) -> None:
        """Remember the revisions that an answer names, and the variables that the step captures."""
        self.captures += [name for name in step.get("capture", {}) if name not in self.captures]
        if reply.status >= 400:
            return
        try:
            value = json.loads(reply.body)
        except ValueError:
            return
        for doc_id, revision in _revisions_in(value):
            known = self.revisions.setdefault(doc_id, [])
            if revision in known:
                known.remove(revision)
            known.append(revision)


def _revisions_in(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _revisions_in(item)
    elif isinstance(value, dict):
        for id_name, rev_name in (("id", "rev"), ("_id", "_rev")):
            doc_id, revision = value.get(id_name), value.get(rev_name)
            if isinstance(doc_id, str) and isinstance(revision, str) and not doc_id.startswith("_local/"):
                yield doc_id, revision


def escape(text: str) -> str:
    """Return a query parameter's value escaped; the braces of a captured value stay."""
    return text if text.startswith("{{") else quote(text, safe="")
