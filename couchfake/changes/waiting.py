"""Waiting for a change.

A reader waits through its ``Client``, so that it is woken when the client disconnects or the server stops. Timeouts
follow the server's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition

from couchfake.storage.database import Database
from couchfake.transports.client import Client
from couchfake.values.clock import Clock, Deadline


def wait_until(changed: Condition, happened: Callable[[], bool], end: Deadline, client: Client, clock: Clock) -> bool:
    """Wait until ``happened()``, which is called under the lock of ``changed``, first and whenever it is notified.

    Return False if the deadline passed or the client disconnected before.
    """
    with clock.waking(changed), changed:
        while not happened():
            if client.gone or end.passed:
                return False
            client.wait(changed, end.left)
        return True


def wait_for_change(database: Database, seen: int, end: Deadline, client: Client, clock: Clock) -> bool:
    """Wait until documents have changed after the sequence ``seen``, or the database was deleted (``closed``)."""
    return wait_until(database.changed, lambda: database.closed or database.notified_seq > seen, end, client, clock)
