"""Indexes that a database keeps: shared by all that define the same, dropped when nothing defines them any more."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeVar

from couchfake.storage.places import Place
from couchfake.views.index import Index
from couchfake.views.signature import ViewGroup, view_group

if TYPE_CHECKING:
    from couchfake.storage.database import Database
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
