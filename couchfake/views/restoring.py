"""The indexes of a database that goes back to an earlier state.

Those that were built at the time of the snapshot are as they were. Those that were built since need not be built
again: a draft of them is kept, in which only the rows of documents that have changed are wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any

from couchfake.storage.database import Database
from couchfake.views.index import Index, SavedIndex

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
