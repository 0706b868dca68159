"""One server: its databases, its settings, and what its parts share."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sortedcontainers import SortedDict

from couchfake.auth.authenticate import Authenticator
from couchfake.auth.permissions import default_security
from couchfake.auth.users import Users
from couchfake.config import Config
from couchfake.errors import CouchError, NotFound
from couchfake.node.stats import Stats
from couchfake.node.uuids import Uuids
from couchfake.storage.activity import Activity
from couchfake.storage.attachments import AttachmentSettings
from couchfake.storage.bodies import ParsedBodies
from couchfake.storage.database import Database, DocumentHooks
from couchfake.values.collation import Collator

if TYPE_CHECKING:
    from couchfake.query_server import QueryServer

NODE_NAME = "couchfake@127.0.0.1"
SYSTEM_DATABASES = ("_users", "_replicator", "_global_changes")
_NAME = re.compile(r"[a-z][a-z0-9_$()+/-]*")
_NAME_RULE = (
    "Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, and / are allowed."
    " Must begin with a letter."
)


class Node:
    """The state of a server. ``clock()`` gives seconds since 1970; ``rules`` stand between edits and databases."""

    query_server: QueryServer
    """Runs design functions; set where the parts are put together."""

    def __init__(self, config: Config, clock: Callable[[], float], uuids: Uuids, rules: DocumentHooks) -> None:
        self.config = config
        self.clock = clock
        self.uuids = uuids
        self.rules = rules
        self.uuid = uuids.random()
        self.parsed = ParsedBodies()
        self.collator = Collator()
        self.lock = threading.RLock()
        self.databases: SortedDict[str, Database] = SortedDict()
        self.listeners: list[Callable[[str, str], None]] = []  # told (database name, created|updated|deleted)
        self.started = clock()
        self.authenticator = Authenticator(config, Users(config, self.databases), clock)
        self.stats = Stats()
        self._done = Activity()  # in databases that are no more
        self.replicator: object | None = None  # set where the parts are put together
        self.task_sources: list[Callable[[], list[dict[str, Any]]]] = []  # what _active_tasks lists
        self.replications: list[Any] = []  # what runs replications, as endpoints.scheduler sees it
        self.reshard_state: tuple[str, str | None] = ("running", None)

    def attachment_settings(self) -> AttachmentSettings:
        return AttachmentSettings.from_config(self.config)

    def database(self, name: str) -> Database:
        """The database of that name, or NotFound."""
        database = self.databases.get(name)
        if database is None:
            raise NotFound("Database does not exist.")
        return database

    def security_of(self, name: str) -> dict[str, Any]:
        return self.database(name).security

    def names(self) -> Iterator[str]:
        return iter(list(self.databases))

    def create_database(self, name: str, props: dict[str, Any] | None = None) -> Database:
        """Make a database. Errors: 400 ``illegal_database_name``, ``database_name_too_long``, 412 ``file_exists``."""
        self.check_name(name)
        with self.lock:
            if name in self.databases:
                raise CouchError(412, "file_exists", "The database could not be created, the file already exists.")
            database = Database(name, self.uuids.random(), self.clock(), self.rules, self.parsed, props)
            database.security = default_security(self.config)
            self.databases[name] = database
            self._tell(name, "created")
        return database

    def delete_database(self, name: str) -> None:
        with self.lock:
            database = self.database(name)
            del self.databases[name]
            self._tell(name, "deleted")
            self._done.add(database.activity, name in SYSTEM_DATABASES)
        database.close()

    def activity(self) -> Activity:
        """What was done in all databases since the server's start."""
        total = Activity()
        with self.lock:
            total.add(self._done, False)
            for name, database in self.databases.items():
                total.add(database.activity, name in SYSTEM_DATABASES)
        return total

    def save(self) -> Callable[[], None]:
        """Return a function that restores the counts of deleted databases and the state of resharding."""
        with self.lock:
            done, reshard_state = self._done.copy(), self.reshard_state

        def restore() -> None:
            with self.lock:
                self._done, self.reshard_state = done.copy(), reshard_state

        return restore

    def tell_updated(self, name: str) -> None:
        """A database was written to."""
        self._tell(name, "updated")

    def _tell(self, name: str, what: str) -> None:
        for listener in self.listeners:
            listener(name, what)

    def check_name(self, name: str) -> None:
        """Refuse what no database may be called (400 ``illegal_database_name``, ``database_name_too_long``)."""
        if name in SYSTEM_DATABASES:
            return
        if not _NAME.fullmatch(name):
            raise CouchError(400, "illegal_database_name", f"Name: '{name}'. {_NAME_RULE}")
        limit = self.config.integer("couchdb", "max_database_name_length", 238)
        if any(len(part) > limit for part in name.split("/")):
            raise CouchError(400, "database_name_too_long", f"At least one path segment of `{name}` is too long.")
