"""The views of a design document as definitions, and the signature by which indexes are shared.

Views with the same map function and options share one tree, with a reducer each. Two design documents whose
signatures agree share the whole index. Source: ``couch_mrview_util:ddoc_to_mrst/2``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from couchfake.values import json
from couchfake.values.recursion import Steps, of_any_depth


@dataclass
class ViewTree:
    """One map function with its options, and the views that come from it."""

    map: Any
    """The source; of a design document in the language ``query``, a Mango definition."""
    raw: bool
    """Keys in Erlang's order, not in ICU's (``options.collation``)."""
    options: dict[str, Any]
    map_names: list[str] = field(default_factory=list)
    """Views without reduce function."""
    reduce_names: list[str] = field(default_factory=list)
    reduce_sources: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ViewGroup:
    """All views of a design document.

    ``lib`` are its CommonJS modules for map functions. ``autoupdate``: the index is updated in the background.
    """

    language: str
    trees: tuple[ViewTree, ...]
    lib: dict[str, Any]
    local_seq: bool
    include_design: bool
    partitioned: bool
    signature: str
    autoupdate: bool = True

    def find(self, name: str) -> tuple[int, int | None] | None:
        """Return the number of the view's tree and of its reduce function there, or None if there is no such view."""
        for n, tree in enumerate(self.trees):
            if name in tree.reduce_names:
                return n, tree.reduce_names.index(name)
            if name in tree.map_names:
                return n, None
        return None


def view_group(ddoc: Mapping[str, Any], partitioned: bool) -> ViewGroup:
    """Read a design document of a database; ``partitioned`` is what its views are if they don't say."""
    views = _object(ddoc.get("views"))
    options = _object(ddoc.get("options"))
    language = ddoc.get("language", "javascript")
    lib = _object(views.get("lib"))
    by_source: dict[str, ViewTree] = {}
    for name, view in views.items():
        if isinstance(view, dict) and "map" in view:
            _add(by_source, name, view)
    trees = tuple(by_source[source] for source in sorted(by_source))
    return ViewGroup(
        language=language,
        trees=trees,
        lib=lib,
        local_seq=options.get("local_seq") is True,
        include_design=options.get("include_design") is True,
        partitioned=bool(options.get("partitioned", partitioned)),
        signature=_signature(trees, language, options, lib),
        autoupdate=ddoc.get("autoupdate") is not False,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _add(by_source: dict[str, ViewTree], name: str, view: dict[str, Any]) -> None:
    options = _object(view.get("options"))
    source = json.dumps([view["map"], options])
    tree = by_source.get(source)
    if tree is None:
        tree = by_source[source] = ViewTree(view["map"], options.get("collation") == "raw", options)
    if view.get("reduce") is None:
        tree.map_names.append(name)
    else:
        tree.reduce_names.append(name)
        tree.reduce_sources.append(view["reduce"])


def _signature(trees: tuple[ViewTree, ...], language: str, options: dict[str, Any], lib: dict[str, Any]) -> str:
    """32 hexadecimal digits. Modules count in any order."""
    shown = [
        [
            [tree.map, tree.options, tree.map_names, list(zip(tree.reduce_names, tree.reduce_sources, strict=True))]
            for tree in trees
        ],
        language,
        options,
        _sorted(lib),
    ]
    return hashlib.md5(json.encode(shown), usedforsecurity=False).hexdigest()


@of_any_depth
def _sorted(value: Any) -> Steps[Any]:
    if not isinstance(value, dict):
        return value
    pairs = []
    for name in sorted(value):
        pairs.append([name, (yield _sorted.step(value[name]))])
    return pairs
