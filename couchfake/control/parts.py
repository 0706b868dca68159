"""What a snapshot saves, part by part.

A part is a function that saves the state of something and returns a ``Saved``. ``parts_of`` lists the parts of a node
in the order in which they are restored. A room with state of its own adds its part here, or where the parts of the
server are put together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from couchfake.node.node import Node
from couchfake.storage import journal
from couchfake.storage.journal import Journal
from couchfake.views.database_indexes import resume_indexes, save_indexes
from couchfake.views.index import Index


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Saved:
    """The saved state of one part.

    ``restore`` may be called any number of times. ``discard`` is called once, when no ``restore`` will follow.
    """

    restore: Callable[[], None]
    discard: Callable[[], None] = _nothing


Part = Callable[[], Saved]


def parts_of(node: Node) -> list[Part]:
    """The parts of a server. Replications end before the databases go back, and begin afterwards."""
    return [
        lambda: Saved(node.replications.stop),
        lambda: _save_databases(node),
        lambda: Saved(node.save()),
        lambda: Saved(node.config.save()),
        lambda: Saved(node.hooks.save()),
        lambda: Saved(node.uuids.save()),
        lambda: Saved(node.authenticator.lockout.save()),
        lambda: _save_sessions(node),
        lambda: Saved(node.stats.save()),
        lambda: Saved(node.replications.save()),
    ]


def _save_sessions(node: Node) -> Saved:
    sessions = node.authenticator.opened_sessions
    mark = sessions.begin()
    return Saved(lambda: sessions.end_since(mark), sessions.drop)


def _save_databases(node: Node) -> Saved:
    with node.lock:
        present = dict(node.databases)
    # Before the documents, so that no index is ahead of its database; without a lock, since an update needs it to end.
    indexes = {name: save_indexes(database) for name, database in present.items()}
    journals: dict[str, Journal] = {}
    with node.lock:
        for name, database in node.databases.items():
            with database.lock:
                kept = indexes[name] if present.get(name) is database else {}
                others = {key: each for key, each in database.indexes.items() if not isinstance(each, Index)}
                journals[name] = journal.begin(database, {**others, **kept})

    def restore() -> None:
        with node.lock:
            for name, present in list(node.databases.items()):
                if name not in journals or journals[name].database is not present:
                    del node.databases[name]
                    present.close()
            for name, kept in journals.items():
                indexes_now = dict(kept.database.indexes)
                database, changed = journal.restore(kept)
                resume_indexes(database, kept.indexes, indexes_now, changed, kept)
                node.databases[name] = database

    def discard() -> None:
        for each in journals.values():
            journal.drop(each)

    return Saved(restore, discard)
