"""The composition root: a server built from its parts, and the WSGI application around it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from couchfake.api.dispatch import Dispatcher
from couchfake.auth import users
from couchfake.auth.context import SERVER_ADMIN_ROLE, TRUSTED_KEY, UserContext
from couchfake.auth.passwords import hash_admin
from couchfake.clock import Clock
from couchfake.config import Config
from couchfake.control.conflicts import Branch, conflict_branch, documents_of
from couchfake.control.faults import Faults
from couchfake.control.function_log import FunctionLog
from couchfake.control.inner_requests import InnerRequests
from couchfake.control.interception import intercept
from couchfake.control.observer import Observer
from couchfake.control.open_feeds import OpenFeeds
from couchfake.control.parts import parts_of
from couchfake.control.request_log import RequestLog
from couchfake.control.revision_trees import RevisionTree
from couchfake.control.seeds.dumping import dump_from
from couchfake.control.seeds.folders import read_seed
from couchfake.control.seeds.target import Couch, load_into
from couchfake.control.shared_server import Place, SharedServer
from couchfake.control.snapshots import Snapshot, SnapshotStack
from couchfake.errors import NotFound
from couchfake.hooks.document_hooks import Rules
from couchfake.hooks.global_changes import GlobalChanges
from couchfake.node.node import SYSTEM_DATABASES, Node
from couchfake.node.uuids import Uuids
from couchfake.query_server import QueryServer
from couchfake.replicator.service import Replicator
from couchfake.transports.http1.server import Server
from couchfake.transports.in_process.adapter import HOST, ApplicationAdapter, session

_MOST_HOSTS = 32  # names by which clients call a server


class CouchFake:
    """A CouchDB 3.5 in memory.

    ``admins`` names server admins and their passwords; without any, everybody is admin. ``config`` sets further
    settings, section by section. ``clock()`` gives seconds since 1970 and ``uuids()`` document ids, where a test
    wants the same ones each time. ``seed``: a path to load at the start and after each ``reset`` (see ``load``).
    """

    def __init__(
        self,
        admins: Mapping[str, str] | None = None,
        js_engine: str | None = None,
        clock: Callable[[], float] | None = None,
        uuids: Callable[[], str] | None = None,
        config: Mapping[str, Mapping[str, str]] | None = None,
        seed: str | Path | None = None,
    ) -> None:
        settings = {**(config or {})}
        if admins:
            settings["admins"] = {**settings.get("admins", {}), **admins}
        self._settings = settings
        self._js_engine = js_engine
        self.clock = Clock(clock)
        self.requests = RequestLog()
        self.faults = Faults()
        self.open_feeds = OpenFeeds()
        self.function_log = FunctionLog()
        self._uuids = uuids
        self._seed = seed
        self._hosts = {HOST}
        self._server: Server | Place | None = None
        self._snapshots = SnapshotStack([])
        self._begin()

    def _begin(self) -> None:
        self.node = self._make_node()
        self._dispatcher = Dispatcher(self.node, Observer(self.requests, self.faults, self.open_feeds, self.clock))
        if self._seed is not None:
            self.load(self._seed)

    def _make_node(self) -> Node:
        config = Config(self._settings, hash_admin=hash_admin)
        rules = Rules()
        node = Node(config, self.clock, Uuids(config, self.clock, self._uuids), rules)
        rules.node = node
        node.query_server = QueryServer(self._js_engine, setting=config.get, log=self.function_log.add)
        for name in SYSTEM_DATABASES[:2]:
            node.create_database(name)
        users.add_auth_ddoc(node.database(users.DB_NAME))
        node.listeners += [users.AuthDdocs(config, node.databases), GlobalChanges(config, node.databases)]
        replicator = Replicator(node, self._open_session, f"http://{HOST}")
        rules.replicator_documents = replicator.followed
        self._snapshots = SnapshotStack(parts_of(node, replicator))
        return node

    def _open_session(self) -> requests.Session:
        """For replications: reaches other servers as usual, and this one, by whatever name, without a socket."""
        opened = requests.Session()
        opened.trust_env = False
        for host in list(self._hosts):
            opened.mount(f"http://{host}/", ApplicationAdapter(self.wsgi, host))
        return opened

    @property
    def url(self) -> str:
        """Where a client finds this server: the socket's URL while it is started, else that of ``session()``."""
        return self._server.url + "/" if self._server is not None else f"http://{HOST}/"

    @property
    def session_url(self) -> str:
        """The server's URL for ``session()``, whether or not it also serves on a socket."""
        return f"http://{HOST}/"

    def session(self) -> requests.Session:
        """A session that reaches this server without a socket."""
        return session(self.wsgi)

    def start(self, port: int = 0, host: str = "127.0.0.1", *, shared: SharedServer | None = None) -> str:
        """Serve on a socket and return the URL. ``port`` 0 takes any free port. Raise OSError if it is taken.

        With ``shared``, serve at that server's address, in place of the fake that was there.
        """
        if self._server is None:
            self._server = shared.attach(self.wsgi) if shared is not None else Server(self.wsgi, host, port).start()
        return self.url

    @contextlib.contextmanager
    def intercept(self, url: str) -> Iterator[None]:
        """Within the block, connections of this process to ``url``'s host and port reach this fake.

        Works for every client that resolves names by ``socket.getaddrinfo``. Starts the fake if it is not running.
        Raise ``InterceptionError``, a ValueError, for a URL that is not ``http://host:port``.
        """
        parts = urlsplit(self.start())
        with intercept(url, (parts.hostname or "", parts.port or 80)):
            yield

    def stop(self) -> None:
        """Close the socket and end all feeds that hang on it."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> CouchFake:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and end the replications that still run: nothing goes on behind the next test's back."""
        self.stop()
        self._end_replications()

    def reset(self) -> None:
        """Back to how the server was at the start: no databases but the system's, settings as given."""
        self._snapshots.end()
        self._end()
        self._begin()

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the server, whose ``restore()`` undoes all that happens from now on.

        Going back costs what was written since, not what the databases hold. See ``Snapshot.restore``.
        """
        return self._snapshots.take()

    def restore(self, snapshot: Snapshot) -> None:
        """Make the server what it was when the snapshot was taken. Raise SnapshotEnded if it is no longer valid."""
        self._snapshots.restore(snapshot)

    @contextlib.contextmanager
    def rollback(self) -> Iterator[Snapshot]:
        """Undo at the end of the block what happened in it."""
        with self._snapshots.rollback() as snapshot:
            yield snapshot

    def ask(self, method: str, target: str, body: Any = None) -> Any:
        """Ask the server for something with all rights, and return the JSON of its answer.

        Such requests are not in the log, and meet no faults. Raise ``couchfake.errors.CouchError`` for an error.
        """
        return InnerRequests(self.node, self._dispatcher.answer)(method, target, body)

    def conflict(
        self, db: str, docid: str, *bodies: Mapping[str, Any] | None, base: Mapping[str, Any] | None = None
    ) -> RevisionTree:
        """Make a document in conflict, with a leaf for each body, and return its revision tree.

        ``base``: the body of the leaves' common parent. The winner is the leaf that CouchDB's rules choose.
        """
        return self.grow(db, docid, *conflict_branch(bodies, base))

    def grow(self, db: str, docid: str, *branches: Branch) -> RevisionTree:
        """Write revisions of a document as replication does, and return its revision tree.

        A branch is a body, None for a deletion, or a list: a revision's body followed by its own branches.
        """
        documents = documents_of(docid, branches)
        self.ask("POST", f"/{quote(db, safe='')}/_bulk_docs", {"docs": documents, "new_edits": False})
        return self.revision_tree(db, docid)

    def revision_tree(self, db: str, docid: str) -> RevisionTree:
        """Return the revisions of a document; ``str()`` of it is a drawing. Raise CouchError (404) if it is missing."""
        database = self.node.database(db)
        path = f"/{quote(db, safe='')}/{quote(docid, safe='')}"
        leaves = [row["ok"] for row in self.ask("GET", f"{path}?open_revs=all&revs=true") if "ok" in row]
        if not leaves:
            raise NotFound("missing")
        with database.lock:
            entry = database.entry(docid)
            stored = [] if entry is None else [each.rev for each in entry.tree.nodes() if each.body is not None]
        return RevisionTree.of_leaves(docid, leaves, stored)

    def load(self, path: str | os.PathLike[str], db: str | None = None) -> int:
        """Load a seed, with all rights, and return how many documents it has.

        ``path`` is a folder with a folder or a file for each database, or the content of one database, which goes into
        ``db`` (by default a database with the path's name). What files may hold is in ``docs/howto/seeds.md``.
        Raise SeedError if the seed is wrong; nothing of it is there then.
        """
        databases = read_seed(Path(path), db)
        snapshot = self.snapshot()
        try:
            return load_into(self._couch(), databases)
        except BaseException:
            snapshot.restore()
            raise
        finally:
            snapshot.discard()

    def dump(self, path: str | os.PathLike[str]) -> int:
        """Write all databases into a folder that ``load`` reads, and return how many documents they have.

        An earlier dump at ``path`` is replaced. Raise SeedError if something else is there.
        """
        return dump_from(self._couch(), Path(path))

    def _couch(self) -> Couch:
        def trusted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            environ[TRUSTED_KEY] = UserContext(
                roles=(SERVER_ADMIN_ROLE,), handler="default"
            )  # not in the log, and no fault meets it
            return Dispatcher(self.node)(environ, start_response)

        return Couch(session(trusted), f"http://{HOST}/")

    def _end_replications(self) -> None:
        replicator = self.node.replicator
        if isinstance(replicator, Replicator):
            replicator.stop()

    def _end(self) -> None:
        self._end_replications()
        for name in list(self.node.databases):
            self.node.delete_database(name)

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        host = environ.get("HTTP_HOST")
        if host not in self._hosts and host and len(self._hosts) < _MOST_HOSTS:
            self._hosts.add(host)
        return self._dispatcher(environ, start_response)
