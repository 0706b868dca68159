"""The database ``_global_changes``: if it exists, its documents record what last happened to each database.

Documents are named ``created:NAME``, ``updated:NAME`` and ``deleted:NAME``; each event updates its document. Creating
or deleting a database, this one included, also updates ``_dbs``, the server's own list of databases.
Source: CouchDB documentation, "Server API: /_db_updates".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping

from couchfake.auth.context import SERVER
from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write

DB_NAME = "_global_changes"
DBS = "_dbs"
DELAY = 0.2
"""Seconds after which the creation of the database itself is recorded."""


def db_name(config: Config) -> str:
    return config.get("global_changes", "dbname", DB_NAME) or DB_NAME


class GlobalChanges:
    """Records events. It is one of a node's listeners."""

    def __init__(self, config: Config, databases: Mapping[str, Database]) -> None:
        self._config = config
        self._databases = databases

    def __call__(self, name: str, what: str) -> None:
        own_name = db_name(self._config)
        if own_name not in self._databases or not self._config.boolean("global_changes", "update_db", True):
            return
        if name != own_name:
            self._record(f"{what}:{name}", *([f"updated:{DBS}"] if what != "updated" else []))
        elif what == "created":  # the real server notices its own database with a delay
            timer = threading.Timer(DELAY, self._record, (f"updated:{DBS}",))
            timer.daemon = True
            timer.start()

    def _record(self, *docids: str) -> None:
        database = self._databases.get(db_name(self._config))
        if database is None:
            return
        with database.lock:
            edits = [self._edit(database, docid) for docid in docids]
            with contextlib.suppress(CouchError):  # the database is being deleted
                write(database, edits, SERVER)

    def _edit(self, database: Database, docid: str) -> Edit:
        entry = database.entry(docid)
        return Edit(docid, {}, rev=None if entry is None else entry.winner.key)
