"""A server's time, which a test may freeze and advance.

Two clocks in one: the wall clock (seconds since 1970), which can be frozen, and a clock for waits, which always goes
on, so that a frozen server never hangs. ``advance`` moves both.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from couchfake.transports.monotonic import real_monotonic

Moment = float | datetime


class Clock:
    """The time of one server. Safe for threads.

    ``source()`` gives the real time in seconds since 1970; by default it is ``time.time``, looked up at each call, so
    that freezegun and time-machine move the server too.
    """

    def __init__(self, source: Callable[[], float] | None = None) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._frozen: float | None = None
        self._ahead = 0.0  # of the source, while not frozen
        self._advanced = 0.0  # seconds by which waits are ahead of real time
        self._skipping = 0
        self._waiting: dict[object, threading.Condition] = {}

    def __call__(self) -> float:
        """The server's time in seconds since 1970."""
        frozen = self._frozen
        return self._now() if frozen is None else frozen

    def _now(self) -> float:
        return (time.time() if self._source is None else self._source()) + self._ahead

    def monotonic(self) -> float:
        """Seconds of a clock that only goes forwards, for measuring waits. It is not affected by ``freeze``."""
        return real_monotonic() + self._advanced

    # --- for tests ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def frozen(self, at: Moment | None = None) -> Iterator[Clock]:
        """Freeze the clock within the block; afterwards it continues as before."""
        saved = self.save()
        self.freeze(at)
        try:
            yield self
        finally:
            self.load(saved)

    def freeze(self, at: Moment | None = None) -> None:
        """Stop the wall clock, at ``at`` or now. A datetime without a time zone is in UTC."""
        moment = self() if at is None else _seconds(at)
        with self._lock:
            self._frozen = moment
        self._wake()

    def advance(self, seconds: float) -> None:
        """Move the clock forwards. Sessions expire, feeds time out and retries start as if the time had passed.

        Raise ValueError for a negative number.
        """
        if seconds < 0:
            raise ValueError(f"a clock cannot be advanced by {seconds} seconds")
        with self._lock:
            if self._frozen is not None:
                self._frozen += seconds
            else:
                self._ahead += seconds
            self._advanced += seconds
        self._wake()

    def resume(self) -> None:
        """Let a frozen clock continue from its time."""
        with self._lock:
            if self._frozen is not None:
                self._ahead += self._frozen - self._now()
                self._frozen = None

    def reset(self) -> None:
        """Return to the real time."""
        self.load((None, 0.0))

    @property
    def is_frozen(self) -> bool:
        return self._frozen is not None

    @property
    def is_real(self) -> bool:
        """Whether it shows the computer's time: not frozen, not advanced, and with no other source."""
        return self._frozen is None and self._source is None and not self._ahead

    @property
    def skips_waits(self) -> bool:
        return self._skipping > 0

    @contextlib.contextmanager
    def skip_waits(self) -> Iterator[None]:
        """Within the block, every wait of the server that has a time limit ends immediately.

        A longpoll without changes returns immediately, and a failed replication is retried without a delay.
        Heartbeats keep their interval.
        """
        with self._lock:
            self._skipping += 1
        self._wake()
        try:
            yield
        finally:
            with self._lock:
                self._skipping -= 1

    def save(self) -> tuple[float | None, float]:
        """Return the wall clock's state, for ``load``."""
        return self._frozen, self._ahead

    def load(self, state: tuple[float | None, float]) -> None:
        """Put the wall clock into a state that ``save`` returned."""
        with self._lock:
            self._frozen, self._ahead = state
        self._wake()

    # --- for the server ----------------------------------------------------------------------------------------------

    def deadline(self, seconds: float | None, *, is_heartbeat: bool = False) -> Deadline:
        """Return the moment in ``seconds`` from now; with None it never comes. Heartbeats are never skipped."""
        return Deadline(self, seconds, is_heartbeat)

    @contextlib.contextmanager
    def waking(self, condition: threading.Condition) -> Iterator[None]:
        """Notify ``condition`` within the block whenever the clock is changed, so that waiters look at it again."""
        key = object()  # several may wait for one condition
        with self._lock:
            self._waiting[key] = condition
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(key, None)

    def _wake(self) -> None:
        with self._lock:
            conditions = list(self._waiting.values())
        for condition in conditions:
            with condition:
                condition.notify_all()


class Deadline:
    """A moment on a server's clock."""

    __slots__ = ("_clock", "_end", "_is_heartbeat")

    def __init__(self, clock: Clock, seconds: float | None, is_heartbeat: bool) -> None:
        self._clock = clock
        self._is_heartbeat = is_heartbeat
        self._end = None if seconds is None else clock.monotonic() + seconds

    @property
    def remaining(self) -> float | None:
        """Seconds until then, 0 if it has passed; None if it never comes."""
        if self._end is None:
            return None
        if self._clock.skips_waits and not self._is_heartbeat:
            return 0.0
        return max(0.0, self._end - self._clock.monotonic())

    @property
    def passed(self) -> bool:
        return self._end is not None and self.remaining == 0.0


class Signal:
    """An event, like ``threading.Event``, whose waits follow a server's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._is_set = False

    def set(self) -> None:
        with self._condition:
            self._is_set = True
            self._condition.notify_all()

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the signal is set or the time has passed. Return whether it is set."""
        end = self._clock.deadline(seconds)
        with self._clock.waking(self._condition), self._condition:
            while not self._is_set and not end.passed:
                self._condition.wait(end.remaining)
            return self._is_set


def _seconds(moment: Any) -> float:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    return float(moment)
