"""Connections of this process to one host and port, sent to a fake instead.

The name is resolved to another address, so nothing of the client is patched: requests, httpx, aiohttp, urllib3 and
``http.client`` all ask ``socket.getaddrinfo``. Asynchronous httpx keeps the port of the URL whatever the answer says,
so the fake also listens on that port, at a loopback address of its own. Where that is not possible (a port below 1024
that the user may not open, or a system with one loopback address only), the answer has the fake's own port.

Clients that resolve names on their own (``aiodns``), event loops with a resolver in C (uvloop), and asyncio clients
given a literal IP address do not ask ``socket.getaddrinfo`` and are not intercepted.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from couchfake.transports.http1.server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

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
