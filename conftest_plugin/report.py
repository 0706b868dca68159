"""What a failing test shows of its CouchDB: its requests, what design functions logged, and documents in conflict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from couchfake import CouchFake

SHOWN_REQUESTS = 20
SHOWN_LINES = 20
SHOWN_TREES = 3
SCANNED_DOCUMENTS = 10_000  # larger databases are not searched for conflicts


def hide_client_frames(call: pytest.CallInfo[None]) -> None:
    """Leave the client's own frames out of the traceback of its errors: they show nothing of the application."""
    failure = call.excinfo
    if failure is None or type(failure.value).__module__ != "couchdb_client.errors":
        return
    shown = None
    for entry in reversed(_chain(failure.tb)):
        if str(entry.tb_frame.f_globals.get("__name__", "")).partition(".")[0] != "couchdb_client":
            shown = TracebackType(shown, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    if shown is not None:
        failure.traceback = type(failure.traceback)(shown)


def _chain(traceback: TracebackType | None) -> list[TracebackType]:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    return entries


def add_sections(report: pytest.TestReport, item: pytest.Item, servers: Iterable[tuple[str, CouchFake]]) -> None:
    """Add sections to the report of a test that failed. ``servers`` have names to tell them apart."""
    found = [(name, _sections(fake, item.nodeid)) for name, fake in servers]
    found = [(name, sections) for name, sections in found if sections]
    for name, sections in found:
        suffix = f" ({name})" if len(found) > 1 else ""
        report.sections += [(title + suffix, "\n".join(lines)) for title, lines in sections]


def _sections(fake: CouchFake, test: str) -> list[tuple[str, list[str]]]:
    all_sections = [
        ("CouchDB requests", _requests(fake, test)),
        ("CouchDB faults that are on", [str(fault) for fault in fake.faults]),
        ("CouchDB design functions", _function_lines(fake, test)),
        ("CouchDB documents in conflict", _trees(fake)),
    ]
    return [(title, lines) for title, lines in all_sections if lines]


def _requests(fake: CouchFake, test: str) -> list[str]:
    mine = [each for each in fake.requests.all if each.test == test]
    lines = [str(each) for each in mine[-SHOWN_REQUESTS:]]
    if len(mine) > SHOWN_REQUESTS:
        lines.insert(0, f"({len(mine) - SHOWN_REQUESTS} earlier requests)")
    return lines


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
