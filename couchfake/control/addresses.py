"""Addresses at which programs reach a fake.

``SharedServer`` is one address for many fakes, one after the other; ``intercept`` sends connections to another server's
address to a fake instead.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from couchfake.transports.client import ENVIRON_KEY, Client
from couchfake.transports.http1 import Server
from couchfake.transports.wsgi import close_iterable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


# ---- connections of this process to one host and port, sent to a fake instead
#
# The name is resolved to another address, so nothing of the client is patched: requests, httpx, aiohttp, urllib3 and
# ``http.client`` all ask ``socket.getaddrinfo``. Asynchronous httpx keeps the port of the URL whatever the answer says,
# so the fake also listens on that port, at a loopback address of its own. Where that is not possible (a port below 1024
# that the user may not open, or a system with one loopback address only), the answer has the fake's own port.
#
# Clients that resolve names on their own (``aiodns``), event loops with a resolver in C (uvloop), and asyncio clients
# given a literal IP address do not ask ``socket.getaddrinfo`` and are not intercepted.

Address = tuple[str, int]
ATTEMPTS = 4

_PATCHING = threading.Lock()  # the process has one resolver, so whoever replaces it takes turns


class InterceptionError(ValueError):
    """The URL to intercept cannot be used; the text says why."""


class Resolver:
    """Replaces ``socket.getaddrinfo`` while anything is intercepted."""

    def __init__(self, original: Any) -> None:
        self.original = original
        self.routes: dict[Address, list[Address]] = {}

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        routes = self.routes.get(_key(host, port))
        if not routes:
            return self.original(host, port, *arguments, **options)
        return self.original(*routes[-1], *arguments, **options)


def _key(host: Any, port: Any) -> Address:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if isinstance(port, (str, bytes)):
        port = int(port) if port.isdigit() else {"http": 80, b"http": 80}.get(port, 0)
    return name.lower().rstrip("."), port or 0


def address_of(url: str) -> Address:
    """Return the host and port of an ``http://`` URL. Raise InterceptionError for any other text."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise InterceptionError(f"cannot intercept {url!r}: {error}") from None
    if parts.scheme == "https":
        raise InterceptionError(f"cannot intercept {url!r}: the fake has no certificate; use http://")
    if parts.scheme != "http" or not parts.hostname:
        raise InterceptionError(f"cannot intercept {url!r}: use a URL such as http://couchdb:5984")
    return parts.hostname, port


@contextlib.contextmanager
def intercept(url: str, application: WSGIApplication, served_at: Address) -> Iterator[None]:
    """Send connections to ``url``'s host and port to ``application`` instead, for as long as the block runs.

    ``served_at``: where the application is served already. Other hosts and ports are not affected. Interceptions of the
    same address nest; the innermost counts. Raise InterceptionError for a URL that is not ``http://``.
    """
    address = address_of(url)
    mirror = _listen_on_the_same_port(application, address[1])
    target = served_at if mirror is None else (mirror.host, mirror.port)
    resolver = _add(address, target)
    try:
        yield
    finally:
        _remove(resolver, address, target)
        if mirror is not None:
            mirror.stop()


def _listen_on_the_same_port(application: WSGIApplication, port: int) -> Server | None:
    """Serve the application at a loopback address that nobody uses. Return None where there is no such address."""
    for _ in range(ATTEMPTS):
        host = f"127.{random.randint(64, 250)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
        with contextlib.suppress(OSError):
            return Server(application, host, port).start()
    return None


def _add(address: Address, target: Address) -> Resolver:
    with _PATCHING:
        if not isinstance(socket.getaddrinfo, Resolver):
            socket.getaddrinfo = Resolver(socket.getaddrinfo)
        resolver: Any = socket.getaddrinfo
        routes = resolver.routes.get(address, [])
        resolver.routes[address] = [*routes, target]  # replaced, not changed: other threads are reading
        return resolver  # type: ignore[no-any-return]


def _remove(resolver: Resolver, address: Address, target: Address) -> None:
    with _PATCHING:
        routes = list(resolver.routes[address])
        del routes[len(routes) - 1 - routes[::-1].index(target)]
        if routes:
            resolver.routes[address] = routes
        else:
            del resolver.routes[address]
        if not resolver.routes and socket.getaddrinfo is resolver:
            socket.getaddrinfo = resolver.original


# ---- a WSGI application that forwards to another one, which can be exchanged while a server runs
#
# switch = Switch(idle)
# server = Server(switch).start()
# switch.attach(application)      # requests go to `application` now
# switch.detach(application)      # its requests end, and later ones go to `idle`

DETACH_TIMEOUT = 5.0  # seconds that a request in progress has to end


class Switch:
    """Forwards each request to the application attached last, or to ``idle`` while none is attached."""

    def __init__(self, idle: WSGIApplication) -> None:
        self._idle = idle
        self._attached: list[WSGIApplication] = []
        self._in_progress: dict[Client, WSGIApplication] = {}
        self._changed = threading.Condition()

    def attach(self, application: WSGIApplication) -> None:
        """Send requests to ``application`` from now on, also if it was attached before."""
        with self._changed:
            if application in self._attached:
                self._attached.remove(application)
            self._attached.append(application)

    def detach(self, application: WSGIApplication) -> None:
        """Send no more requests to ``application``, end its feeds, and wait until its requests have ended.

        Requests go to the application attached before it, if that is still attached. A request that does not end
        within ``DETACH_TIMEOUT`` is abandoned: its answer goes on, but nothing waits for it.
        """
        with self._changed:
            if application in self._attached:
                self._attached.remove(application)
            clients = self._clients(application)
        for client in clients:
            client.leave()
        with self._changed:
            self._changed.wait_for(lambda: not self._clients(application), DETACH_TIMEOUT)

    def _clients(self, application: WSGIApplication) -> list[Client]:
        return [client for client, other in self._in_progress.items() if other == application]

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        client = environ.setdefault(ENVIRON_KEY, Client())
        with self._changed:
            application = self._attached[-1] if self._attached else self._idle
            self._in_progress[client] = application
        try:
            answer = application(environ, start_response)
        except BaseException:
            self._end(client)
            raise
        if isinstance(answer, (list, tuple)):
            self._end(client)
            return answer
        return _Answer(answer, self, client)

    def _end(self, client: Client) -> None:
        with self._changed:
            del self._in_progress[client]
            self._changed.notify_all()


class _Answer:
    """A streaming answer that reports its end to the switch."""

    def __init__(self, chunks: Iterable[bytes], switch: Switch, client: Client) -> None:
        self._chunks = chunks
        self._switch = switch
        self._client = client

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        """Close the answer that it forwards. The server calls this once, whether or not it read to the end."""
        try:
            close_iterable(self._chunks)
        finally:
            self._switch._end(self._client)


# ---- one address for many fakes, one after the other
#
# A test run keeps one socket for its whole life, and puts each test's fake behind it: a program that reads the URL
# once, when it is imported, reaches the server of the test that runs.

NO_TEST = (
    "no test that uses a CouchDB fixture is running now: this address serves one test at a time, and the server of the"
    " last one has ended"
)


class SharedServer:
    """A socket whose application can be exchanged. It answers 503 while no fake is behind it.

    shared = SharedServer().start()
    fake.start(shared=shared)           # fake.url == shared.url
    fake.stop()                         # the fake is gone, the address stays
    shared.stop()
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._switch = Switch(_no_test)
        self._server = Server(self._switch, host, port)

    @property
    def url(self) -> str:
        """``http://host:port``, without a trailing slash."""
        return self._server.url

    @property
    def application(self) -> WSGIApplication:
        """What is served: the fake that is attached, whichever that is."""
        return self._switch

    @property
    def host(self) -> str:
        return self._server.host

    @property
    def port(self) -> int:
        return self._server.port

    def start(self) -> SharedServer:
        """Listen. Raise OSError if the address cannot be used."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop listening and end every connection."""
        self._server.stop()

    def attach(self, application: WSGIApplication) -> Place:
        """Put an application behind the address. It leaves with the ``stop`` of what this returns."""
        self._switch.attach(application)
        return Place(self, application)

    def detach(self, application: WSGIApplication) -> None:
        """Take an application away, and end its feeds."""
        self._switch.detach(application)


class Place:
    """An application's place behind a shared address; it has the interface of a server of its own."""

    def __init__(self, shared: SharedServer, application: WSGIApplication) -> None:
        self._shared = shared
        self._application = application

    @property
    def url(self) -> str:
        return self._shared.url

    def stop(self) -> None:
        self._shared.detach(self._application)


def _no_test(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    body = json.dumps({"error": "no_test_running", "reason": NO_TEST}).encode() + b"\n"
    start_response(
        "503 Service Unavailable",
        [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-cache")],
    )
    return [body]
