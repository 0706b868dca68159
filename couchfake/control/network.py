"""A network of fakes: links between them, and between clients and them, that a test cuts, heals and slows down.

with Network() as network:
    oslo, rome = network.server(), network.server()
    network.cut(oslo, rome)
    ...                              # both go on by themselves: a split brain
    network.heal(oslo, rome)
    network.settle()                 # waits until all replications have nothing to do
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter

from couchfake.chttpd.request import Request
from couchfake.control.faults import Fault, Faults
from couchfake.control.secrets import without_login
from couchfake.errors import CouchError
from couchfake.node import Node
from couchfake.replicator.transfer import Unreachable
from couchfake.values.clock import Clock, Signal

SENDER = "X-CouchFake-Server"
"""The header by which a server of the network knows another one's requests from a client's."""

STEP = 0.005  # seconds between two looks at the replications


class Server(Protocol):
    """The parts of a ``CouchFake`` that a network uses."""

    node: Node
    clock: Clock
    faults: Faults
    outgoing: HTTPAdapter | None

    @property
    def url(self) -> str: ...

    def start(self) -> str: ...

    def close(self) -> None: ...


class Link(HTTPAdapter):
    """The way out of one server: requests to other servers of the network are delayed or fail as its links do."""

    def __init__(self, network: Network, server: Server) -> None:
        super().__init__()
        self._network = network
        self._server = server

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Send a request. Raise requests.ConnectionError if the link is cut."""
        other = self._network.at(request.url or "")
        if other is not None:
            if self._network.is_cut(self._server, other):
                raise requests.ConnectionError("the link is cut", request=request)
            Signal(self._server.clock).wait(self._network.delay(self._server, other))
            request.headers[SENDER] = self._server.url
        return super().send(request, *arguments, **options)


class Network:
    """Servers that replicate with one another over sockets."""

    def __init__(self) -> None:
        self._servers: list[Server] = []
        self._cut: set[frozenset[int]] = set()
        self._delays: dict[frozenset[int], float] = {}
        self._isolated: dict[int, Fault] = {}
        self._lock = threading.Lock()

    def add(self, server: Server) -> None:
        """Start a server, and add it to the network."""
        server.outgoing = Link(self, server)
        server.start()
        self._servers.append(server)

    def cut(self, one: Server, other: Server | None = None) -> None:
        """Cut the link between two servers; without ``other``, cut all clients off from one.

        Running requests end; a continuous replication retries until the link is restored.
        """
        if other is not None:
            self._cut.add(_pair(one, other))
        elif id(one) not in self._isolated:
            self._isolated[id(one)] = one.faults.drop("before", where=_is_of_a_client)

    def heal(self, one: Server | None = None, other: Server | None = None) -> None:
        """Restore a link that was cut or slow: between two servers, or one server's client link, or all links."""
        if one is None:
            self._cut.clear()
            self._delays.clear()
            while self._isolated:
                self._isolated.popitem()[1].end()
        elif other is None:
            fault = self._isolated.pop(id(one), None)
            if fault is not None:
                fault.end()
        else:
            self._cut.discard(_pair(one, other))
            self._delays.pop(_pair(one, other), None)

    def slow(self, one: Server, other: Server, seconds: float) -> None:
        """Delay each request between two servers. Raise ValueError for a negative number."""
        if seconds < 0:
            raise ValueError(f"a link cannot be slow by {seconds} seconds")
        self._delays[_pair(one, other)] = seconds

    def settle(self, timeout: float = 30.0) -> None:
        """Wait until no replication has anything left to do. One that a cut link stops counts as idle.

        Raise TimeoutError, naming the replications that are still busy, after ``timeout`` seconds.
        """
        end = time.monotonic() + timeout
        quiet = 0
        while quiet < 2:  # what one replication brings may be work for another
            busy = self._busy()
            quiet = 0 if busy else quiet + 1
            if busy:
                if time.monotonic() > end:
                    raise TimeoutError(f"still busy after {timeout:g} seconds: {', '.join(busy)}")
                time.sleep(STEP)

    def _busy(self) -> list[str]:
        return [
            f"{_name(job.request.source)} to {_name(job.request.target)}"
            for server in self._servers
            for job in server.node.replications.running_jobs()
            if not self._is_idle(server, job)
        ]

    def _is_idle(self, server: Server, job: Any) -> bool:
        ends = [self.at(getattr(endpoint, "url", None) or "") for endpoint in (job.request.source, job.request.target)]
        if any(other is not None and self.is_cut(server, other) for other in ends):
            return True
        try:
            return job.transfer is not None and bool(job.transfer.is_idle())
        except (CouchError, Unreachable):
            return False

    # --- for links

    def at(self, url: str) -> Server | None:
        """Return the server of the network that a URL names, or None."""
        bare = without_login(url)
        return next((server for server in self._servers if bare.startswith(server.url)), None)

    def is_cut(self, one: Server, other: Server) -> bool:
        return _pair(one, other) in self._cut

    def delay(self, one: Server, other: Server) -> float:
        return self._delays.get(_pair(one, other), 0.0)

    def close(self) -> None:
        """Restore all links, and close the servers."""
        self.heal()
        while self._servers:
            self._servers.pop().close()

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _name(endpoint: Any) -> str:
    return without_login(endpoint.url) if endpoint.url else str(endpoint.name)


def _pair(one: Server, other: Server) -> frozenset[int]:
    return frozenset((id(one), id(other)))


def _is_of_a_client(request: Request) -> bool:
    return request.header(SENDER) is None
