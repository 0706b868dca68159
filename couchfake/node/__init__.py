"""The state of one server: its databases, its settings, what its parts share, and the identifiers that it generates."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from sortedcontainers import SortedDict

from couchfake.auth.authenticate import Authenticator
from couchfake.auth.permissions import UserContext, default_security
from couchfake.auth.users import Users
from couchfake.config import Config
from couchfake.errors import CouchError, NotFound
from couchfake.node.stats import Stats
from couchfake.query_server import QueryServer
from couchfake.settings import CLUSTER_Q, MAX_DATABASE_NAME_LENGTH, UTC_ID_SUFFIX, UUIDS_ALGORITHM
from couchfake.storage.activity import Activity
from couchfake.storage.attachments import AttachmentSettings
from couchfake.storage.database import Database, DocumentHooks
from couchfake.storage.documents import ParsedBodies
from couchfake.values.clock import Clock
from couchfake.values.collation import Collator

NODE_NAME = "couchfake@127.0.0.1"
SYSTEM_DATABASES = ("_users", "_replicator", "_global_changes")
_NAME = re.compile(r"[a-z][a-z0-9_$()+/-]*")
_NAME_RULE = (
    "Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, and / are allowed."
    " Must begin with a letter."
)


class NodeHooks(DocumentHooks, Protocol):
    """What runs before and after documents and databases change."""

    def after_database_event(self, name: str, event: str) -> None:
        """Called when a database was ``created``, ``updated`` or ``deleted``."""

    def save(self) -> Callable[[], None]:
        """Return a function that restores the hooks' own state of now."""


class Replications(Protocol):
    """The replications of a server. Rows and answers are plain values, as CouchDB's JSON shows them."""

    def replicate(self, body: dict[str, Any], user: UserContext) -> dict[str, Any]:
        """Do what the body of a ``_replicate`` request says; return the members of the answer.

        A continuous replication is started; any other runs to its end first. Errors: those of ``_replicate``.
        """

    def tasks(self) -> list[dict[str, Any]]:
        """The replications among the rows of ``/_active_tasks``."""

    def jobs(self) -> list[dict[str, Any]]:
        """The jobs of ``/_scheduler/jobs``, each with its ``id``."""

    def documents(self, db_name: str | None) -> list[dict[str, Any]]:
        """The rows of ``/_scheduler/docs``, of one database or of all, each with ``doc_id`` and ``state``."""

    def document(self, db_name: str, docid: str) -> dict[str, Any] | None:
        """The row of one document, whatever its state. None if there is no such document."""

    def running_jobs(self) -> list[Any]:
        """The jobs that are there now, waiting ones included."""

    def stop(self) -> None:
        """Cancel all replications and wait for them to end."""

    def save(self) -> Callable[[], None]:
        """Return a function that follows the replicator documents of now again. Called after ``stop``."""


class Node:
    """The state of a server. ``clock()`` returns seconds since 1970.

    ``make_services(node)`` builds the two parts that act on a node: its hooks and its replications.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        uuids: Uuids,
        query_server: QueryServer,
        make_services: Callable[[Node], tuple[NodeHooks, Replications]],
    ) -> None:
        self.config = config
        self.clock = clock
        self.replication_limit: Callable[[str], int | None] = lambda database: None
        """After how many documents replications to a database fail: a fault of the test kit. None: never."""
        self.uuids = uuids
        self.query_server = query_server
        self.uuid = uuids.random()
        self.parsed = ParsedBodies()
        self.collator = Collator()
        self.lock = threading.RLock()
        self.databases: SortedDict[str, Database] = SortedDict()
        self.started = clock()
        self.authenticator = Authenticator(config, Users(config, self.databases, clock), clock)
        self.stats = Stats()
        self._done = Activity()  # in databases that have been deleted
        self.reshard_state: tuple[str, str | None] = ("running", None)
        self.hooks, self.replications = make_services(self)

    def attachment_settings(self) -> AttachmentSettings:
        """The settings in force that concern attachments."""
        return AttachmentSettings.from_config(self.config)

    def database(self, name: str) -> Database:
        """Return the database of that name. Raise NotFound if there is none."""
        database = self.databases.get(name)
        if database is None:
            raise NotFound("Database does not exist.")
        return database

    def security_of(self, name: str) -> dict[str, Any]:
        """The security object of a database. Raise NotFound if there is none."""
        return self.database(name).security

    def names(self) -> Iterator[str]:
        """The names of all databases, in order."""
        with self.lock:
            return iter(list(self.databases))

    def create_database(self, name: str, props: dict[str, Any] | None = None, q: int | None = None) -> Database:
        """Create a database of ``q`` shards, ``[cluster] q`` by default.

        Errors: 400 ``illegal_database_name``, ``database_name_too_long``, 412 ``file_exists``.
        """
        self.check_name(name)
        with self.lock:
            if name in self.databases:
                raise CouchError(412, "file_exists", "The database could not be created, the file already exists.")
            database = self._add_database(name, props, q)
            self.hooks.after_database_event(name, "created")
        return database

    def create_system_databases(self) -> None:
        """Create the databases that exist when a server starts. Hooks are not called."""
        for name in SYSTEM_DATABASES[:2]:
            self._add_database(name)

    def _add_database(self, name: str, props: dict[str, Any] | None = None, q: int | None = None) -> Database:
        database = Database(name, self.uuids.random(), self.clock(), self.hooks, self.parsed, props)
        database.security = default_security(self.config)
        database.q = self.config[CLUSTER_Q] if q is None else q
        self.databases[name] = database
        return database

    def delete_database(self, name: str) -> None:
        """Delete a database. Raise NotFound if there is none."""
        with self.lock:
            database = self.database(name)
            del self.databases[name]
            self.hooks.after_database_event(name, "deleted")
            self._done.add(database.activity, name in SYSTEM_DATABASES)
        database.close()
        self.query_server.forget(database.uuid)

    def activity(self) -> Activity:
        """The counters of all databases since the server's start, deleted databases included."""
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

    def check_name(self, name: str) -> None:
        """Raise an error for an illegal name (400 ``illegal_database_name``, ``database_name_too_long``)."""
        if name in SYSTEM_DATABASES:
            return
        if not _NAME.fullmatch(name):
            raise CouchError(400, "illegal_database_name", f"Name: '{name}'. {_NAME_RULE}")
        limit = self.config[MAX_DATABASE_NAME_LENGTH]
        if any(len(part) > limit for part in name.split("/")):
            raise CouchError(400, "database_name_too_long", f"At least one path segment of `{name}` is too long.")


# Identifiers, by the algorithm of ``[uuids] algorithm``
#
# Source: CouchDB documentation, "Configuration: UUIDs Configuration".


class Uuids:
    """Generates identifiers.

    ``source``, for tests that need the same ids each time: a seed for the configured algorithm, or a function that
    replaces all algorithms. With either, the ids of databases and servers are the same each time too.
    """

    def __init__(
        self, config: Config, clock: Callable[[], float], source: Callable[[], str] | int | None = None
    ) -> None:
        self._config = config
        self._clock = clock
        self._source = None if isinstance(source, int) else source
        self._random = random.Random(source if isinstance(source, int) else None if source is None else 0)
        self._lock = threading.Lock()
        self._prefix = ""
        self._counter = 0

    def __call__(self) -> str:
        if self._source is not None:
            return self._source()
        algorithm = self._config[UUIDS_ALGORITHM]
        if algorithm == "random":
            return self.random()
        if algorithm == "utc_random":
            return self._time() + self._hex(18)
        if algorithm == "utc_id":
            return self._time() + self._config[UTC_ID_SUFFIX]
        return self._sequential()

    def save(self) -> Callable[[], None]:
        """Return a function after which the same identifiers come as from now on. A ``source`` is left as it is."""
        with self._lock:
            state, prefix, counter = self._random.getstate(), self._prefix, self._counter

        def restore() -> None:
            with self._lock:
                self._random.setstate(state)
                self._prefix, self._counter = prefix, counter

        return restore

    def random(self) -> str:
        """Return 32 random hex digits."""
        return self._hex(32)

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    def _time(self) -> str:
        """Return the microseconds since 1970 as 14 hex digits."""
        return f"{int(self._clock() * 1_000_000):014x}"

    def _sequential(self) -> str:
        """Return 26 random digits that rarely change, and 6 that increase in small random steps."""
        with self._lock:
            self._counter += 1 + int(self._random.random() * 0xFFE)  # as randint(1, 0xFFE), in a tenth of the time
            if not self._prefix or self._counter >= 0xFFF000:
                self._prefix = self._hex(26)
                self._counter = self._random.randint(1, 0xFFE)
            return f"{self._prefix}{self._counter:06x}"
