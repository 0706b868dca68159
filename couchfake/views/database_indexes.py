"""The indexes that a database keeps.

They are shared by all design documents that define the same, and dropped when nothing defines them any more. If the
database goes back to an earlier state, those that were built at the time of the snapshot are as they were. Those that
were built since need not be built again: a draft of them is kept, in which only the rows of documents that have changed
are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from couchfake.storage.database import Database
from couchfake.storage.places import Place
from couchfake.views.index import Index, SavedIndex
from couchfake.views.signature import ViewGroup, view_group

if TYPE_CHECKING:
    from couchfake.storage.documents import DocumentEntry

VIEW_INDEXES: Place[str, Index] = Place("view indexes, by signature")
_GROUPS: Place[str, tuple[str, ViewGroup]] = Place("views, by design document: its revision and what it defines")

KEPT = 3
"""How many indexes that nothing defines any more stay, for whoever changes a design document back."""

_Key = TypeVar("_Key")
_Index = TypeVar("_Index", bound=Index)


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
