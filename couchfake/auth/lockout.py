"""Locking accounts after too many wrong passwords, counted for each address, name and salt.

Counting by salt means that a new password lifts the lock. Source: CouchDB documentation, "Configuration:
Authentication and Authorization: [chttpd_auth_lockout]".
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from couchfake.config import Config
from couchfake.errors import Forbidden
from couchfake.settings import LOCKOUT_MAX_LIFETIME, LOCKOUT_MODE, LOCKOUT_THRESHOLD

LOCKED = "Account is temporarily locked due to multiple authentication failures"
_MOST_COUNTED = 10_000

Account = tuple[str, str, str]


class Lockout:
    """Failures of the accounts of one server. An account is ``(peer address, user name, salt)``."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self.counted = 0
        """The number of failures so far."""
        self._failures: dict[Account, tuple[int, float]] = {}  # count, and time of the first

    def refuse_locked(self, account: Account) -> None:
        """Raise Forbidden for an account with too many failures, if locks are enforced."""
        if self._config[LOCKOUT_MODE] != "enforce":
            return
        count, since = self._failures.get(account, (0, 0.0))
        if count >= self._config[LOCKOUT_THRESHOLD] and not self._is_over(since):
            raise Forbidden(LOCKED)

    def count_failure(self, account: Account) -> None:
        if self._config[LOCKOUT_MODE] not in ("enforce", "warn"):
            return
        with self._lock:
            self.counted += 1
            count, since = self._failures.pop(account, (0, self._clock()))
            if self._is_over(since):
                count, since = 0, self._clock()
            self._failures[account] = (count + 1, since)
            if len(self._failures) > _MOST_COUNTED:
                del self._failures[next(iter(self._failures))]

    def save(self) -> Callable[[], None]:
        """Return a function that restores the failures of now. ``counted`` goes on, so that caches notice."""
        with self._lock:
            failures = dict(self._failures)

        def restore() -> None:
            with self._lock:
                self.counted += 1
                self._failures = dict(failures)

        return restore

    def _is_over(self, since: float) -> bool:
        return (self._clock() - since) * 1000 >= self._config[LOCKOUT_MAX_LIFETIME]
