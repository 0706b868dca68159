"""The database ``_global_changes``: if it exists, its documents record what last happened to each database.

Documents are named ``created:NAME``, ``updated:NAME`` and ``deleted:NAME``; each event updates its document. Creating
or deleting a database also updates ``_dbs``, the server's own list of databases. That this database was created is
recorded with the first event after it, as the real server records it with a delay.
Source: CouchDB documentation, "Server API: /_db_updates".
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from couchfake.auth.context import SERVER
from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write

DB_NAME = "_global_changes"
DBS_UPDATED = "updated:_dbs"


def db_name(config: Config) -> str:
    return config.get("global_changes", "dbname", DB_NAME) or DB_NAME


class GlobalChanges:
    """Records events. It is one of a node's listeners."""

    def __init__(self, config: Config, databases: Mapping[str, Database]) -> None:
        self._config = config
        self._databases = databases

    def __call__(self, name: str, what: str) -> None:
        database = self._databases.get(db_name(self._config))
        if database is None or name == database.name or not self._config.boolean("global_changes", "update_db", True):
            return
        with database.lock:
            docids = [f"{what}:{name}"]
            if what != "updated" or database.entry(DBS_UPDATED) is None:
                docids.append(DBS_UPDATED)
            with contextlib.suppress(CouchError):  # the database is being deleted
                write(database, [self._edit(database, docid) for docid in docids], SERVER)

    def _edit(self, database: Database, docid: str) -> Edit:
        entry = database.entry(docid)
        return Edit(docid, {}, rev=None if entry is None else entry.winner.key)
