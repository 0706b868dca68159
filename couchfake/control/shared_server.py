"""One address for many fakes, one after the other.

A test run keeps one socket for its whole life, and puts each test's fake behind it: a program that reads the URL once,
when it is imported, reaches the server of the test that runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from couchfake.transports.http1.server import Server
from couchfake.transports.switch import Switch

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

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
