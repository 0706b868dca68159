"""The database ``_global_changes``: if it exists, it has a document for each kind of event of each database.

Documents are named ``created:NAME``, ``updated:NAME`` and ``deleted:NAME``; each event writes its document once more.
Source: CouchDB documentation, "Server API: /_db_updates".
"""

from __future__ import annotations

from collections.abc import Mapping

from couchfake.auth.context import SERVER
from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.settings import GLOBAL_CHANGES_DBNAME, GLOBAL_CHANGES_UPDATE_DB
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write_one


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
        own_name = db_name(self._config)
        database = self._databases.get(own_name)
        if database is None or name == own_name or not self._config[GLOBAL_CHANGES_UPDATE_DB]:
            return
        docid = f"{event}:{name}"
        try:
            with database.lock:
                entry = database.entry(docid)
                write_one(database, Edit(docid, {}, rev=None if entry is None else entry.winner.key), SERVER)
        except CouchError:
            return  # the database is being deleted, or its validation functions refuse the document
