"""Waiting for a change.

A reader that waits on behalf of a client does so through the client's ``Client``, so that it is woken when the client
goes away or the server stops. Who waits on its own behalf can make a ``Client()`` and end the waiting with ``leave()``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Condition

from couchfake.storage.database import Database
from couchfake.transports.client import Client


def wait_until(changed: Condition, happened: Callable[[], bool], seconds: float | None, client: Client) -> bool:
    """Wait until ``happened()``, which is asked, under the lock of ``changed``, at first and whenever it is notified.

    False where ``seconds`` ran out (None: never) or the client went away before.
    """
    end = None if seconds is None else time.monotonic() + seconds
    with changed:
        while not happened():
            left = None if end is None else end - time.monotonic()
            if client.gone or (left is not None and left <= 0):
                return False
            client.wait(changed, left)
        return True


def wait_for_change(database: Database, seen: int, seconds: float | None, client: Client) -> bool:
    """Wait until documents have changed after the sequence ``seen``, or the database was deleted (``closed``)."""
    return wait_until(database.changed, lambda: database.closed or database.notified_seq > seen, seconds, client)
