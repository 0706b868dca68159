"""The composition root: builds a server from its parts and is its WSGI application."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from couchfake.auth import users
from couchfake.auth.passwords import hash_admin
from couchfake.auth.permissions import SERVER_ADMIN_ROLE
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response
from couchfake.config import Config, check_spelling
from couchfake.control.addresses import Place, SharedServer, intercept
from couchfake.control.http_api import ControlApi
from couchfake.control.kit import Kit
from couchfake.control.observer import CONTROL_PATH
from couchfake.hooks import Hooks
from couchfake.node import Node, Uuids
from couchfake.query_server import QueryServer
from couchfake.replicator.service import Replicator
from couchfake.transports.http1 import Server
from couchfake.transports.in_process import HOST, ApplicationAdapter, session

_MOST_HOSTS = 32  # names by which admins address a server


class CouchFake(Kit):
    """A CouchDB 3.5 in memory.

    ``admins``: names and passwords of server admins; without any, everybody is an admin. ``config``: other settings,
    by section and key. ``clock``: a datetime at which the clock is frozen, or a function that returns seconds since
    1970. ``uuids``: a seed (a number) for the ids that the server generates, or a function that returns an id. With
    both, the responses are the same in each run. ``seed``: a path to load at the start and after each ``reset``; see
    ``load``. Raise TypeError for an argument of another type, and ValueError for a misspelt setting.
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
        _check_arguments(admins, clock, uuids, config)
        settings = {**(config or {})}
        if admins:
            settings["admins"] = {**settings.get("admins", {}), **admins}
        self._settings = settings
        self._js_engine = js_engine
        super().__init__(clock)
        self.outgoing: HTTPAdapter | None = None
        """How replications reach other servers, if not directly; a network of the test kit sets it."""
        self._uuids = uuids
        self._seed = seed
        self._hosts = {HOST}
        self._server: Server | Place | None = None
        self._extensions: dict[str, Callable[[Request], Response]] = {}
        self._begin()

    def _begin(self) -> None:
        self._dispatcher = self._attend(self._make_node(), self._extensions)
        if self._seed is not None:
            self.load(self._seed)

    def _make_node(self) -> Node:
        config = Config(self._settings, hash_admin=hash_admin)
        query_server = QueryServer(self._js_engine, config=config, log=self.function_log.add)
        node = Node(config, self.clock, Uuids(config, self.clock, self._uuids), query_server, self._make_services)
        node.create_system_databases()
        users.add_auth_ddoc(node.database(users.DB_NAME))
        return node

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
        """The server's URL: that of the socket while it is started, otherwise that of ``session()``."""
        return self._server.url + "/" if self._server is not None else f"http://{HOST}/"

    @property
    def session_url(self) -> str:
        """The server's URL for ``session()``, whether or not the server is also started on a socket."""
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

        ``control`` serves the test kit and the inspector below ``/_couchfake/``; ``control_hosts``: host names under
        which they are served, besides localhost and IP addresses. ``shared``: serve at that server's address, replacing
        the fake that was there.
        """
        if control:
            self.serve_control(control_hosts)
        if self._server is None:
            self._server = shared.attach(self.wsgi) if shared is not None else Server(self.wsgi, host, port).start()
        return self.url

    def serve_control(self, hosts: Iterable[str] = (), name: str = "", others: Sequence[tuple[str, str]] = ()) -> None:
        """Serve the test kit and the inspector below ``/_couchfake/``; if the server has admins, only to them.

        ``name``: what the inspector calls this server; ``others``: names and URLs of further servers' inspectors.
        """
        from couchfake.inspector.files import login_form  # not needed by servers without it
        from couchfake.inspector.operations import Inspector

        api = ControlApi(self, hosts, Inspector(self, name, others).operations, login_form)
        self._extensions[CONTROL_PATH.strip("/")] = api

    def serve_fauxton(self, folder: str | Path) -> None:
        """Serve a build of Fauxton, CouchDB's web interface, at ``/_utils/``. Raise NotFauxton if it is not one."""
        from couchfake.inspector.files import Fauxton  # not needed by servers without it

        self._extensions["_utils"] = Fauxton(Path(folder))

    @contextlib.contextmanager
    def intercept(self, url: str) -> Iterator[None]:
        """Within the block, connections of this process to ``url``'s host and port reach this fake.

        Works for every client that resolves names with ``socket.getaddrinfo``. Starts the fake if it is not running.
        Raise ``InterceptionError``, a ValueError, for a URL that is not ``http://host:port``.
        """
        parts = urlsplit(self.start())
        with intercept(url, self.wsgi, (parts.hostname or "", parts.port or 80)):
            yield

    def stop(self) -> None:
        """Close the socket, and end all feeds on it."""
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
        """Return to the initial state: the system databases, the seed, and the settings as passed."""
        self._end()
        self._begin()

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


def _check_arguments(admins: Any, clock: Any, uuids: Any, config: Any) -> None:
    """Raise TypeError for an argument of a wrong type, and UnknownSetting for a misspelt setting."""
    if admins is not None and not isinstance(admins, Mapping):
        raise TypeError("admins must be a dict of names and passwords, such as {'adm': 'pass'}")
    if clock is not None and not callable(clock) and not isinstance(clock, datetime):
        raise TypeError(f"clock must be a datetime, at which the clock is frozen, or a function, not {clock!r}")
    if uuids is not None and not callable(uuids) and not isinstance(uuids, int):
        raise TypeError(f"uuids must be a number, a seed, or a function without arguments, not {uuids!r}")
    if config is None:
        return
    if not isinstance(config, Mapping) or not all(isinstance(keys, Mapping) for keys in config.values()):
        raise TypeError(
            "config must be a dict of sections, each a dict of keys and values, such as"
            " {'couchdb': {'max_document_size': '1000'}}"
        )
    check_spelling(config)
