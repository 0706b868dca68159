"""A monotonic clock that freezegun and time-machine do not replace.

They replace ``time.monotonic`` wherever it is found. A server whose timeouts followed it would hang in a frozen test.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial


def choose_clock() -> Callable[[], float]:
    """Return a function that reads the clock; what replaces ``time.monotonic`` afterwards does not change it."""
    if hasattr(time, "clock_gettime"):
        return partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    return lambda monotonic=time.monotonic: monotonic()  # type: ignore[misc]


real_monotonic = choose_clock()
