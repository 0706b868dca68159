"""The indexes that a database keeps: what design documents define, and how the indexes are shared and dropped.

``Place`` is where a database keeps what other rooms derive from it: view indexes, Mango's, validation functions.

Views with the same map function and options share one tree, with a reducer each. Two design documents whose signatures
agree share the whole index; it is dropped when nothing defines it any more.
Source: ``couch_mrview_util:ddoc_to_mrst/2``.

If the database goes back to an earlier state, the indexes that were built at the time of the snapshot are as they were.
Those that were built since need not be built again: a draft of them is kept, in which only the rows of documents that
have changed are wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from couchfake.storage.database import Database
from couchfake.values import json
from couchfake.values.recursion import Steps, of_any_depth
from couchfake.views.index import Index, SavedIndex

if TYPE_CHECKING:
    from couchfake.storage.documents import DocumentEntry

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Index = TypeVar("_Index", bound=Index)


class Place(Generic[_Key, _Value]):
    """Things of one kind among the ``indexes`` of a database. The room that makes them declares the place.

    They are gone when the database is. Hold its lock while changing them.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"Place({self._name!r})"

    def get(self, database: Database, key: _Key) -> _Value | None:
        found: _Value | None = database.indexes.get((self, key))
        return found

    def put(self, database: Database, key: _Key, value: _Value) -> _Value:
        database.indexes[self, key] = value
        return value

    def drop(self, database: Database, key: _Key) -> None:
        database.indexes.pop((self, key), None)

    def keys(self, database: Database) -> list[_Key]:
        """Return the keys in the order in which they were put."""
        names: list[Any] = list(database.indexes)
        return [name[1] for name in names if isinstance(name, tuple) and name[0] is self]


# ---- what design documents define


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


# ---- shared indexes

VIEW_INDEXES: Place[str, Index] = Place("view indexes, by signature")
_GROUPS: Place[str, tuple[str, ViewGroup]] = Place("views, by design document: its revision and what it defines")

KEPT = 3
"""How many indexes that nothing defines any more stay, for whoever changes a design document back."""


def shared_index(
    db: Database,
    place: Place[_Key, _Index],
    key: _Key,
    make: Callable[[], _Index],
    defined: Callable[[], Collection[_Key]],
) -> _Index:
    """Return the index that the database keeps under a key. Make it if there is none, and drop old ones then.

    ``defined`` returns the keys of the indexes that design documents define.
    """
    with db.lock:
        found = place.get(db, key)
        if found is None:
            drop_undefined(db, place, defined(), KEPT)
            found = place.put(db, key, make())
        return found


def drop_undefined(db: Database, place: Place[_Key, _Index], defined: Collection[_Key], kept: int = 0) -> None:
    """Drop the indexes that no design document defines, but for the ``kept`` latest."""
    undefined = [key for key in place.keys(db) if key not in defined]
    for key in undefined[: max(len(undefined) - kept, 0)]:
        place.drop(db, key)


def group_of(db: Database, entry: DocumentEntry) -> ViewGroup:
    """Return the views of a design document."""
    leaf = entry.winner
    known = _GROUPS.get(db, entry.id)
    if known is None or known[0] != leaf.rev:
        body: dict[str, Any] = {} if leaf.body is None else leaf.body.value
        known = _GROUPS.put(db, entry.id, (leaf.rev, view_group(body, db.partitioned)))
    return known[1]


def signatures(db: Database) -> set[str]:
    """Return the signatures of all design documents."""
    with db.lock:
        return {group_of(db, entry).signature for entry in db.ddocs()}


# Going back to an earlier state.

_MOST_DRAFTS = 16
"""How many unused drafts are kept: tests make design documents of their own, which do not come again."""


def save_indexes(db: Database) -> dict[Hashable, SavedIndex]:
    """Keep the indexes of a database as they are now. Waits for the end of their updates."""
    with db.lock:
        indexes = dict(db.indexes)
    return {name: index.save() for name, index in indexes.items() if isinstance(index, Index) and index.built}


def resume_indexes(
    db: Database,
    saved: Mapping[Hashable, Any],
    before: Mapping[Hashable, Any],
    changed: Collection[str],
    origin: object,
) -> None:
    """Give a restored database its indexes.

    ``saved``: what ``save_indexes`` kept, and what else the database had in ``indexes``. ``before``: the indexes until
    now. ``changed``: the ids of the documents that were restored. ``origin``: the same for each restore of a snapshot.
    """
    resumed: dict[Hashable, Any] = {}
    drafts: list[tuple[Hashable, Index]] = []
    for name, kept in saved.items():
        each = kept.resume(db) if isinstance(kept, SavedIndex) else kept
        if isinstance(each, Index) and not each.used:
            drafts.append((name, each))
        else:
            resumed[name] = each
    for name, index in before.items():
        if isinstance(index, Index) and index.built and name not in saved:
            drafted = index.drafted(db, changed, origin)
            if drafted is not None:
                drafts.append((name, drafted))
    recent = [draft for draft in drafts if _was_used(before.get(draft[0]))]
    others = [draft for draft in drafts if not _was_used(before.get(draft[0]))]
    resumed.update(recent + others[:_MOST_DRAFTS])
    db.indexes = resumed


def _was_used(index: Any) -> bool:
    return isinstance(index, Index) and index.used
