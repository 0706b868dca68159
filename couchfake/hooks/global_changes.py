"""The database ``_global_changes``: if it exists, it has a document for each kind of event of each database.

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
from couchfake.settings import GLOBAL_CHANGES_DBNAME, GLOBAL_CHANGES_UPDATE_DB
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write

DBS_UPDATED = "updated:_dbs"


def db_name(config: Config) -> str:
    """The name of the database that records events."""
    return config[GLOBAL_CHANGES_DBNAME]


class GlobalChanges:
    """Records what happens to the databases of a node."""

    def __init__(self, config: Config, databases: Mapping[str, Database]) -> None:
        self._config = config
        self._databases = databases

    def record(self, name: str, event: str) -> None:
        """Write the document of an event: ``created``, ``updated`` or ``deleted``."""
        database = self._databases.get(db_name(self._config))
        if database is None or name == database.name or not self._config[GLOBAL_CHANGES_UPDATE_DB]:
            return
        with database.lock:
            docids = [f"{event}:{name}"]
            if event != "updated" or database.entry(DBS_UPDATED) is None:
                docids.append(DBS_UPDATED)
            with contextlib.suppress(CouchError):  # the database is being deleted
                write(database, [self._edit(database, docid) for docid in docids], SERVER)

    def _edit(self, database: Database, docid: str) -> Edit:
        entry = database.entry(docid)
        return Edit(docid, {}, rev=None if entry is None else entry.winner.key)
