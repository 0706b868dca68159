"""The identifiers that a server generates, by the algorithm of ``[uuids] algorithm``.

Source: CouchDB documentation, "Configuration: UUIDs Configuration".
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from couchfake.config import Config
from couchfake.settings import UTC_ID_SUFFIX, UUIDS_ALGORITHM


class Uuids:
    """Generates identifiers.

    ``source``, for tests that need the same ids each time: a seed for the configured algorithm, or a function that
    replaces all algorithms. With either, the ids of databases and servers are the same each time too.
    """

    def __init__(
        self, config: Config, clock: Callable[[], float], source: Callable[[], str] | int | None = None
    ) -> None:
        self._config = config
        self._clock = clock
        self._source = None if isinstance(source, int) else source
        self._random = random.Random(source if isinstance(source, int) else None if source is None else 0)
        self._lock = threading.Lock()
        self._prefix = ""
        self._counter = 0

    def __call__(self) -> str:
        if self._source is not None:
            return self._source()
        algorithm = self._config[UUIDS_ALGORITHM]
        if algorithm == "random":
            return self.random()
        if algorithm == "utc_random":
            return self._time() + self._hex(18)
        if algorithm == "utc_id":
            return self._time() + self._config[UTC_ID_SUFFIX]
        return self._sequential()

    def save(self) -> Callable[[], None]:
        """Return a function after which the same identifiers come as from now on. A ``source`` is left as it is."""
        with self._lock:
            state, prefix, counter = self._random.getstate(), self._prefix, self._counter

        def restore() -> None:
            with self._lock:
                self._random.setstate(state)
                self._prefix, self._counter = prefix, counter

        return restore

    def random(self) -> str:
        """Return 32 random hex digits."""
        return self._hex(32)

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    def _time(self) -> str:
        """Return the microseconds since 1970 as 14 hex digits."""
        return f"{int(self._clock() * 1_000_000):014x}"

    def _sequential(self) -> str:
        """Return 26 random digits that rarely change, and 6 that increase in small random steps."""
        with self._lock:
            self._counter += self._random.randint(1, 0xFFE)
            if not self._prefix or self._counter >= 0xFFF000:
                self._prefix = self._hex(26)
                self._counter = self._random.randint(1, 0xFFE)
            return f"{self._prefix}{self._counter:06x}"
