"""The composition root: builds a server from its parts and is its WSGI application."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from couchfake.api.dispatch import Dispatcher
from couchfake.auth import users
from couchfake.auth.context import SERVER_ADMIN_ROLE, TRUSTED_KEY, UserContext
from couchfake.auth.passwords import hash_admin
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.clock import Clock, Signal
from couchfake.config import Config
from couchfake.control.conflicts import Branch, conflict_branch, documents_of
from couchfake.control.faults import Faults
from couchfake.control.function_log import FunctionLog
from couchfake.control.http_api import ControlApi
from couchfake.control.inner_requests import InnerRequests
from couchfake.control.interception import intercept
from couchfake.control.observer import CONTROL_PATH, Observer
from couchfake.control.open_feeds import OpenFeeds
from couchfake.control.parts import Saved, parts_of
from couchfake.control.request_log import RequestLog
from couchfake.control.revision_trees import RevisionTree
from couchfake.control.seeds.documents import document
from couchfake.control.seeds.dumping import dump_from
from couchfake.control.seeds.folders import SeedDatabase, read_seed
from couchfake.control.seeds.target import Couch, load_into
from couchfake.control.shared_server import Place, SharedServer
from couchfake.control.snapshots import Snapshot, SnapshotStack
from couchfake.errors import NotFound
from couchfake.hooks.document_hooks import Hooks
from couchfake.node.node import Node
from couchfake.node.uuids import Uuids
from couchfake.query_server import QueryServer
from couchfake.replicator.service import Replicator
from couchfake.transports.http1.server import Server
from couchfake.transports.in_process.adapter import HOST, ApplicationAdapter, session

_MOST_HOSTS = 32  # names by which admins address a server


class CouchFake:
    """A CouchDB 3.5 in memory.

    ``admins``: server admins and their passwords; without any, everybody is admin. ``config``: other settings, by
    section and key. ``clock``: a datetime at which the clock is frozen, or a function that returns seconds since 1970.
    ``uuids``: a seed for the ids that the server generates, or a function that returns one. Pass both for a test that
    needs the same answers each time. ``seed``: a path to load at the start and after each ``reset`` (see ``load``).
    """

    def __init__(
        self,
        admins: Mapping[str, str] | None = None,
        js_engine: str | None = None,
        clock: Callable[[], float] | datetime | None = None,
        uuids: Callable[[], str] | int | None = None,
        config: Mapping[str, Mapping[str, str]] | None = None,
        seed: str | Path | None = None,
    ) -> None:
        settings = {**(config or {})}
        if admins:
            settings["admins"] = {**settings.get("admins", {}), **admins}
        self._settings = settings
        self._js_engine = js_engine
        self.clock = Clock(None if isinstance(clock, datetime) else clock)
        if isinstance(clock, datetime):
            self.clock.freeze(clock)
        self.requests = RequestLog()
        self.faults = Faults(lambda seconds: Signal(self.clock).wait(seconds))
        self.open_feeds = OpenFeeds()
        self.function_log = FunctionLog()
        self.outgoing: HTTPAdapter | None = None
        """How replications reach other servers, if not directly; a network of the test kit sets it."""
        self._uuids = uuids
        self._seed = seed
        self._hosts = {HOST}
        self._server: Server | Place | None = None
        self._snapshots = SnapshotStack([])
        self._extensions: dict[str, Callable[[Request], Response]] = {}
        self._begin()

    def _begin(self) -> None:
        self.node = self._make_node()
        self._dispatcher = Dispatcher(self.node, Observer(self.requests, self.faults, self.open_feeds, self.clock))
        self._dispatcher.extensions = self._extensions
        if self._seed is not None:
            self.load(self._seed)

    def _make_node(self) -> Node:
        config = Config(self._settings, hash_admin=hash_admin)
        query_server = QueryServer(self._js_engine, config=config, log=self.function_log.add)
        node = Node(config, self.clock, Uuids(config, self.clock, self._uuids), query_server, self._make_services)
        node.create_system_databases()
        users.add_auth_ddoc(node.database(users.DB_NAME))
        node.replication_limit = self.faults.replication_limit
        self._snapshots = SnapshotStack([self._save_clock, *parts_of(node)])
        return node

    def _save_clock(self) -> Saved:
        state = self.clock.save()
        return Saved(lambda: self.clock.load(state))

    def _make_services(self, node: Node) -> tuple[Hooks, Replicator]:
        replicator = Replicator(node, self._open_session)
        return Hooks(node, replicator.followed), replicator

    def _open_session(self) -> requests.Session:
        """Return a session for replications: it reaches other servers by HTTP and this one without a socket.

        This server has the names under which it listens, and those by which admins with a password have addressed it.
        What other requests claim in their Host header may be another server's name.
        """
        opened = requests.Session()
        opened.trust_env = False
        if self.outgoing is not None:
            opened.mount("http://", self.outgoing)
        for host in {*self._hosts, *self._listening_hosts()}:
            opened.mount(f"http://{host}/", ApplicationAdapter(self.wsgi, host))
        return opened

    def _listening_hosts(self) -> list[str]:
        if self._server is None:
            return []
        listening = self._server.url.removeprefix("http://")
        host, _, port = listening.rpartition(":")
        return [listening, *([f"localhost:{port}"] if host in ("127.0.0.1", "[::1]") else [])]

    @property
    def url(self) -> str:
        """The URL of this server: the socket's while it is started, else that of ``session()``."""
        return self._server.url + "/" if self._server is not None else f"http://{HOST}/"

    @property
    def session_url(self) -> str:
        """The server's URL for ``session()``, whether or not it also serves on a socket."""
        return f"http://{HOST}/"

    def session(self) -> requests.Session:
        """Return a session that reaches this server without a socket."""
        return session(self.wsgi)

    def start(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        shared: SharedServer | None = None,
        control: bool = False,
        control_hosts: Iterable[str] = (),
    ) -> str:
        """Serve on a socket and return the URL. ``port`` 0 takes any free port. Raise OSError if it is taken.

        With ``shared``, serve at that server's address, in place of the fake that was there. ``control`` serves the
        test kit below ``/_couchfake/``; ``control_hosts``: names under which it is reached, besides localhost and IP
        addresses.
        """
        if control:
            self.serve_control(control_hosts)
        if self._server is None:
            self._server = shared.attach(self.wsgi) if shared is not None else Server(self.wsgi, host, port).start()
        return self.url

    def serve_control(self, hosts: Iterable[str] = (), name: str = "", others: Sequence[tuple[str, str]] = ()) -> None:
        """Serve the test kit and the inspector below ``/_couchfake/``, to admins only where there are any.

        ``name``: what the inspector calls this server; ``others``: names and URLs of further servers' inspectors.
        """
        from couchfake.inspector.files import login_form  # not needed by servers without it
        from couchfake.inspector.operations import Inspector

        api = ControlApi(self, hosts, Inspector(self, name, others).operations, login_form)
        self._extensions[CONTROL_PATH.strip("/")] = api

    def serve_fauxton(self, folder: str | Path) -> None:
        """Serve a build of Fauxton, CouchDB's web interface, at ``/_utils/``. Raise NotFauxton if it is not one."""
        from couchfake.inspector.fauxton import Fauxton  # not needed by servers without it

        self._extensions["_utils"] = Fauxton(Path(folder))

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
        """Close the socket and end all feeds that it serves."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> CouchFake:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving, and end all running replications."""
        self.stop()
        self._end_replications()
        self.node.query_server.close()

    def reset(self) -> None:
        """Return to the state of the start: only the system databases, settings as passed."""
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
        return self._load(read_seed(Path(path), db))

    def _load(self, databases: Sequence[SeedDatabase]) -> int:
        snapshot = self.snapshot()
        try:
            return load_into(self._couch(), databases)
        except BaseException:
            snapshot.restore()
            raise
        finally:
            snapshot.discard()

    def load_documents(self, databases: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
        """Load documents into databases by their names, and return how many. Databases are created if missing.

        Revisions in the documents are kept. Raise SeedError if the server refuses one; nothing is loaded then.
        """
        return self._load(
            [
                SeedDatabase(
                    name, Path(name), [document(Path(name), None, json.dumps(each), each) for each in documents]
                )
                for name, documents in databases.items()
            ]
        )

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
        self.node.replications.stop()

    def _end(self) -> None:
        self._end_replications()
        self.node.query_server.close()
        for name in list(self.node.databases):
            self.node.delete_database(name)

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        answer = self._dispatcher(environ, start_response)
        self._note_host(environ)
        return answer

    def _note_host(self, environ: dict[str, Any]) -> None:
        """Take the name by which a server admin addresses the server for one of its own."""
        host, login = environ.get("HTTP_HOST"), environ.get("HTTP_AUTHORIZATION")
        if host is None or login is None or host in self._hosts or len(self._hosts) >= _MOST_HOSTS:
            return
        user = self.node.authenticator.verified_user(login, environ.get("REMOTE_ADDR", ""))
        if user is not None and SERVER_ADMIN_ROLE in user.roles:
            self._hosts.add(host)
