"""Write ``docs/api.txt``, the listing of the public interface: ``python docs/api.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

PAGE = Path(__file__).with_suffix(".txt")
ROOT = Path(__file__).parents[1]
PUBLIC = (
    "couchfake.CouchFake",
    "couchfake.running",
    "couchfake.testing.CouchTestCase",
    "couchfake.values.clock.Clock",
    "couchfake.control.faults.Faults",
    "couchfake.control.faults.Fault",
    "couchfake.control.gates.Gates",
    "couchfake.control.network.Network",
    "couchfake.control.request_log.RequestLog",
    "couchfake.control.request_log.Selection",
    "couchfake.control.request_log.LoggedRequest",
    "couchfake.control.snapshots.Snapshot",
    "couchfake.control.revision_trees.RevisionTree",
    "couchfake.control.revision_trees.TreeRevision",
    "conftest_plugin.couch_fixture",
)
"""What is public besides ``couchdb_client.__all__``."""
INTERNAL = {
    "couchfake.CouchFake": {"node", "outgoing", "function_log", "open_feeds"},
    "couchfake.values.clock.Clock": {"deadline", "waking", "save", "load", "monotonic"},
    "couchfake.control.faults.Faults": {"test", "met_by", "replication_limit"},
    "couchfake.control.faults.Fault": {"condition", "effect"},
    "couchfake.control.network.Network": {"at", "delay", "is_cut"},
    "couchfake.control.request_log.RequestLog": {"test", "listeners", "add", "begin", "copy_from"},
    "couchfake.control.revision_trees.RevisionTree": {"of_leaves"},
    "couchfake.testing.CouchTestCase": {"setUp", "setUpClass"},
}
"""Members that other parts of couchfake call, and that are not public; ``docs/reference/couchfake.md`` omits them."""


def listing() -> str:
    """The listing: a line for each public name, with its parameters and types."""
    loader = griffe.GriffeLoader(search_paths=[str(ROOT)])
    packages = {name: loader.load(name) for name in ("couchfake", "couchdb_client", "conftest_plugin")}
    loader.resolve_aliases()
    client: Any = packages["couchdb_client"]
    names = [*PUBLIC, *(f"couchdb_client.{name}" for name in sorted(map(_name, client.exports or [])))]
    lines = [line for name in names for line in _lines(name, loader.modules_collection[name])]
    return "\n".join(lines) + "\n"


def _name(export: Any) -> str:
    return str(getattr(export, "name", export))


def _lines(name: str, found: Any) -> Iterator[str]:
    if found.is_module:
        yield f"{name} (module)"
    elif found.is_function:
        yield f"{name}{_parameters(found)}"
    elif found.is_attribute:
        yield f"{name}: {found.annotation or '?'}"
    elif found.is_class:
        bases = ", ".join(str(base) for base in found.bases)
        yield f"{name}({bases})" if bases else name
        members = found.all_members
        for member in sorted(members):
            if member not in INTERNAL.get(name, ()) and (not member.startswith("_") or member == "__init__"):
                yield from _lines(f"{name}.{member}", members[member])


def _parameters(function: Any) -> str:
    shown = []
    for each in function.parameters:
        stars = {"variadic positional": "*", "variadic keyword": "**"}.get(each.kind.value if each.kind else "", "")
        text = stars + each.name + (f": {each.annotation}" if each.annotation else "")
        shown.append(text + (f" = {each.default}" if each.default is not None and not stars else ""))
    return f"({', '.join(shown)}) -> {function.returns}"


if __name__ == "__main__":
    PAGE.write_text(listing(), "utf-8")
