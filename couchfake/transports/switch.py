"""A WSGI application that forwards to another one, which can be exchanged while a server runs.

switch = Switch(idle)
server = Server(switch).start()
switch.attach(application)      # requests go to `application` now
switch.detach(application)      # its requests end, and later ones go to `idle`
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from couchfake.transports.client import ENVIRON_KEY, Client
from couchfake.transports.wsgi import close_iterable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

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
