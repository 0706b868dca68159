"""What a failing test shows of its CouchDB: its requests, what design functions logged, and documents in conflict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from couchfake import CouchFake

SHOWN_REQUESTS = 20
SHOWN_LINES = 20
SHOWN_TREES = 3
SCANNED_DOCUMENTS = 10_000  # larger databases are not searched for conflicts


def add_sections(report: pytest.TestReport, item: pytest.Item, fakes: Iterable[CouchFake]) -> None:
    """Add sections to the report of a test that failed."""
    for number, fake in enumerate(fakes, 1):
        suffix = f" (server {number})" if number > 1 else ""
        for title, lines in (
            ("CouchDB requests", _requests(fake, item.nodeid)),
            ("CouchDB design functions", _function_lines(fake, item.nodeid)),
            ("CouchDB documents in conflict", _trees(fake)),
        ):
            if lines:
                report.sections.append((title + suffix, "\n".join(lines)))


def _requests(fake: CouchFake, test: str) -> list[str]:
    mine = [each for each in fake.requests.all if each.test == test]
    lines = [str(each) for each in mine[-SHOWN_REQUESTS:]]
    if len(mine) > SHOWN_REQUESTS:
        lines.insert(0, f"({len(mine) - SHOWN_REQUESTS} earlier requests)")
    faults = [f"fault that is on: {fault}" for fault in fake.faults]
    return [*lines, *faults]


def _function_lines(fake: CouchFake, test: str) -> list[str]:
    mine = [each for each in fake.function_log if each.test == test]
    return [f"{each.level}: {each.message}" for each in mine[-SHOWN_LINES:]]


def _trees(fake: CouchFake) -> list[str]:
    from couchfake.control.gates import conflicts

    if sum(len(database.entries) for database in list(fake.node.databases.values())) > SCANNED_DOCUMENTS:
        return []
    found = list(conflicts(fake))
    lines = [f"{name}/{fake.revision_tree(name, docid)}" for name, docid in found[:SHOWN_TREES]]
    if len(found) > SHOWN_TREES:
        lines.append(f"and {len(found) - SHOWN_TREES} more documents in conflict")
    return lines


def explain_comparison(op: str, left: Any, right: Any) -> list[str] | None:
    """Explain a failed comparison of counted requests, or of documents; None for anything else."""
    for count, other in ((left, right), (right, left)):
        explain = getattr(count, "explain", None)
        if isinstance(count, int) and callable(explain):
            return [f"{int(left)} {op} {int(right)}" if isinstance(other, int) else f"{left} {op} {other}", *explain()]
    if op == "==" and isinstance(left, Mapping) and isinstance(right, Mapping) and ("_id" in left or "_id" in right):
        return [f"documents {left.get('_id', '?')!r} and {right.get('_id', '?')!r} differ", *_differences(left, right)]
    return None


def _differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    waiting: list[tuple[str, Any, Any]] = [("", left, right)]
    while waiting:
        path, a, b = waiting.pop(0)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            for name in [*a, *(name for name in b if name not in a)]:
                where = f"{path}.{name}" if path else str(name)
                if where == "_rev":
                    continue
                if name not in b:
                    lines.append(f"{where}: {a[name]!r} only left")
                elif name not in a:
                    lines.append(f"{where}: {b[name]!r} only right")
                else:
                    waiting.append((where, a[name], b[name]))
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            waiting += [(f"{path}[{n}]", x, y) for n, (x, y) in enumerate(zip(a, b, strict=True))]
        elif a != b:
            lines.append(f"{path}: {a!r} != {b!r}")
    if not lines and left.get("_rev") != right.get("_rev"):
        lines.append(f"only _rev differs: {left.get('_rev')!r} != {right.get('_rev')!r}")
    return lines
