"""The composition root: builds a server from its parts and is its WSGI application."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import requests

from couchfake.api.dispatch import Dispatcher
from couchfake.auth import users
from couchfake.auth.passwords import hash_admin
from couchfake.config import Config
from couchfake.hooks.document_hooks import Hooks
from couchfake.node.node import SYSTEM_DATABASES, Node
from couchfake.node.uuids import Uuids
from couchfake.query_server import QueryServer
from couchfake.replicator.service import Replicator
from couchfake.transports.http1.server import Server
from couchfake.transports.in_process.adapter import HOST, ApplicationAdapter, session

_design_function_log = logging.getLogger("couchfake.design_functions")


def _log_design_function(level: str, message: str) -> None:
    _design_function_log.log(logging.ERROR if level == "error" else logging.INFO, "%s", message)


class CouchFake:
    """A CouchDB 3.5 in memory.

    ``admins``: server admins and their passwords; without any, everybody is admin. ``config``: other settings, by
    section and key. ``clock()`` returns seconds since 1970 and ``uuids()`` ids of documents; pass them for a test that
    needs the same ones each time.
    """

    def __init__(
        self,
        admins: Mapping[str, str] | None = None,
        js_engine: str | None = None,
        clock: Callable[[], float] | None = None,
        uuids: Callable[[], str] | None = None,
        config: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        settings = {**(config or {})}
        if admins:
            settings["admins"] = {**settings.get("admins", {}), **admins}
        self._settings = settings
        self._js_engine = js_engine
        self._clock = clock or time.time
        self._uuids = uuids
        self._server: Server | None = None
        self.node = self._make_node()
        self._dispatcher = Dispatcher(self.node)

    def _make_node(self) -> Node:
        config = Config(self._settings, hash_admin=hash_admin)
        query_server = QueryServer(self._js_engine, config=config, log=_log_design_function)
        node = Node(config, self._clock, Uuids(config, self._clock, self._uuids), query_server, self._make_services)
        for name in SYSTEM_DATABASES[:2]:
            node.create_database(name)
        users.add_auth_ddoc(node.database(users.DB_NAME))
        return node

    def _make_services(self, node: Node) -> tuple[Hooks, Replicator]:
        replicator = Replicator(node, self._open_session)
        return Hooks(node, replicator.followed), replicator

    def _open_session(self) -> requests.Session:
        """Return a session for replications: it reaches other servers by HTTP and this one without a socket.

        This server has the names under which it listens, and no others: a name that a request's Host header claims
        may be another server's.
        """
        opened = requests.Session()
        opened.trust_env = False
        for host in self._own_hosts():
            opened.mount(f"http://{host}/", ApplicationAdapter(self.wsgi, host))
        return opened

    def _own_hosts(self) -> list[str]:
        if self._server is None:
            return [HOST]
        listening = self._server.url.removeprefix("http://")
        host, _, port = listening.rpartition(":")
        return [HOST, listening, *([f"localhost:{port}"] if host in ("127.0.0.1", "[::1]") else [])]

    @property
    def url(self) -> str:
        """The URL of this server: the socket's while it is started, else that of ``session()``."""
        return self._server.url + "/" if self._server is not None else f"http://{HOST}/"

    def session(self) -> requests.Session:
        """Return a session that reaches this server without a socket."""
        return session(self.wsgi)

    def start(self, port: int = 0, host: str = "127.0.0.1") -> str:
        """Serve on a socket (``port`` 0: any free one) and return the URL. Raise OSError if the port is taken."""
        if self._server is None:
            self._server = Server(self.wsgi, host, port).start()
        return self.url

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

    def reset(self) -> None:
        """Return to the state of the start: only the system databases, settings as passed."""
        self._end()
        self.node = self._make_node()
        self._dispatcher = Dispatcher(self.node)

    def _end_replications(self) -> None:
        self.node.replications.stop()

    def _end(self) -> None:
        self._end_replications()
        for name in list(self.node.databases):
            self.node.delete_database(name)

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        return self._dispatcher(environ, start_response)
