"""The database ``_global_changes``: if it exists, its documents record what last happened to each database.

Documents are named ``created:NAME``, ``updated:NAME`` and ``deleted:NAME``; each event updates its document. Creating
or deleting a database, this one included, also updates ``_dbs``, the server's own list of databases.
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
DBS = "_dbs"


def db_name(config: Config) -> str:
    return config.get("global_changes", "dbname", DB_NAME) or DB_NAME


class GlobalChanges:
    """Records events. It is one of a node's listeners."""

    def __init__(self, config: Config, databases: Mapping[str, Database]) -> None:
        self._config = config
        self._databases = databases

    def __call__(self, name: str, what: str) -> None:
        own_name = db_name(self._config)
        database = self._databases.get(own_name)
        if database is None or not self._config.boolean("global_changes", "update_db", True):
            return
        docids = [] if name == own_name else [f"{what}:{name}"]
        if what != "updated":
            docids.append(f"updated:{DBS}")
        with database.lock:
            edits = [self._edit(database, docid) for docid in docids]
            if edits:
                with contextlib.suppress(CouchError):  # the database is being deleted
                    write(database, edits, SERVER)

    def _edit(self, database: Database, docid: str) -> Edit:
        entry = database.entry(docid)
        return Edit(docid, {}, rev=None if entry is None else entry.winner.key)
