"""The database ``_global_changes``: where it exists, a document for each database tells what happened to it last.

Documents are named ``created:NAME``, ``updated:NAME`` and ``deleted:NAME``; each event writes its document once more.
Source: CouchDB documentation, "Server API: /_db_updates".
"""

from __future__ import annotations

from collections.abc import Mapping

from couchfake.auth.context import SERVER
from couchfake.config import Config
from couchfake.errors import CouchError
from couchfake.storage.database import Database
from couchfake.storage.edits import Edit
from couchfake.storage.writing import write_one

DB_NAME = "_global_changes"


def db_name(config: Config) -> str:
    return config.get("global_changes", "dbname", DB_NAME) or DB_NAME


class GlobalChanges:
    """Writes events down. To be listed among a node's listeners."""

    def __init__(self, config: Config, databases: Mapping[str, Database]) -> None:
        self._config = config
        self._databases = databases

    def __call__(self, name: str, what: str) -> None:
        own_name = db_name(self._config)
        database = self._databases.get(own_name)
        if database is None or name == own_name or not self._config.boolean("global_changes", "update_db", True):
            return
        docid = f"{what}:{name}"
        try:
            with database.lock:
                entry = database.entry(docid)
                write_one(database, Edit(docid, {}, rev=None if entry is None else entry.winner.key), SERVER)
        except CouchError:
            return  # the database is being deleted, or its owner's validation is against it
