"""The client of a request, as a long-running answer sees it.

Both transports (:mod:`couchfake.transports.http1` and :mod:`couchfake.transports.in_process`) put a :class:`Client`
into the WSGI environment under :data:`ENVIRON_KEY`. A feed waits for changes through it, so that it ends at once when
the client disconnects, when the server stops, or when an in-process client's read timeout expires.
:class:`ClientDisconnected` is what a request body raises, when it is read, if the client vanished before its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from couchfake.transports.monotonic import real_monotonic

ENVIRON_KEY = "couchfake.transports.client"


class ClientDisconnected(ConnectionError):
    """The client vanished before its request was complete, or before its answer was."""


class Client:
    """One client, for the time of one request.

    ``deadline`` is the time of ``real_monotonic`` at which the client stops reading, or None.
    ``watch``, if given, is called at the first :meth:`wait`: the transport starts to watch for the client's end.
    """

    __slots__ = ("_conditions", "_gone", "_lock", "_watch", "deadline")

    def __init__(self, watch: Callable[[Client], None] | None = None) -> None:
        self.deadline: float | None = None
        self._gone = False
        self._watch = watch
        self._lock: threading.Lock | None = None  # most requests never wait
        self._conditions: list[threading.Condition] = []

    @classmethod
    def of(cls, environ: dict[str, Any]) -> Client:
        """Return the client of a WSGI environment. Under another server it is one that never leaves."""
        client = environ.get(ENVIRON_KEY)
        return client if isinstance(client, cls) else cls()

    @property
    def gone(self) -> bool:
        """Whether the client stopped reading, so that the generator of a feed should end."""
        return self._gone or (self.deadline is not None and real_monotonic() >= self.deadline)

    def wait(self, changed: threading.Condition, seconds: float | None = None) -> bool:
        """Wait until ``changed`` is notified, ``seconds`` have passed, or the client is gone.

        The caller holds the condition's lock, as for :meth:`threading.Condition.wait`. Return True if it was notified
        (which includes that the client went: check :attr:`gone`), False if the time ran out.
        """
        if self._watch is not None:
            watch, self._watch = self._watch, None
            self._lock = threading.Lock()
            watch(self)
        elif self._lock is None:
            self._lock = threading.Lock()
        with self._lock:
            if self.gone:
                return True
            self._conditions.append(changed)
        try:
            if self.deadline is not None:
                remaining = max(0.0, self.deadline - real_monotonic())
                seconds = remaining if seconds is None else min(seconds, remaining)
            return changed.wait(seconds)
        finally:
            with self._lock:
                self._conditions.remove(changed)

    def leave(self) -> None:
        """Mark the client as gone, and wake the threads that wait for changes on its behalf."""
        self._gone = True
        if self._lock is None:
            return
        with self._lock:
            conditions = list(self._conditions)
        for changed in conditions:
            with changed:
                changed.notify_all()
