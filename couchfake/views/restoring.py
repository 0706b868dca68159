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
"""How many drafts are kept that nobody used: tests make design documents of their own, which do not come again."""


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
    resumed = {name: each.resume(db) if isinstance(each, SavedIndex) else each for name, each in saved.items()}
    unused = 0
    for name, index in before.items():
        if isinstance(index, Index) and index.built and name not in saved:
            unused += not index.used
            drafted = index.drafted(db, changed, origin) if unused <= _MOST_DRAFTS else None
            if drafted is not None:
                resumed[name] = drafted
    db.indexes = resumed
