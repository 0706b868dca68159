"""The identifiers that the server makes, by the algorithm that ``[uuids] algorithm`` names.

Source: CouchDB documentation, "Configuration: UUIDs Configuration".
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from couchfake.config import Config


class Uuids:
    """Makes identifiers. ``source`` replaces all algorithms (for tests that want the same ids each time)."""

    def __init__(self, config: Config, clock: Callable[[], float], source: Callable[[], str] | None = None) -> None:
        self._config = config
        self._clock = clock
        self._source = source
        self._random = random.Random()
        self._lock = threading.Lock()
        self._prefix = ""
        self._counter = 0

    def __call__(self) -> str:
        if self._source is not None:
            return self._source()
        algorithm = self._config.get("uuids", "algorithm", "sequential")
        if algorithm == "random":
            return self.random()
        if algorithm == "utc_random":
            return self._time() + self._hex(18)
        if algorithm == "utc_id":
            return self._time() + self._config.get("uuids", "utc_id_suffix")
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
        """32 hex digits without any order."""
        return self._hex(32)

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    def _time(self) -> str:
        """Microseconds since 1970 as 14 hex digits."""
        return f"{int(self._clock() * 1_000_000):014x}"

    def _sequential(self) -> str:
        """26 random digits that stay for a while, and 6 that rise in small random steps."""
        with self._lock:
            self._counter += self._random.randint(1, 0xFFE)
            if not self._prefix or self._counter >= 0xFFF000:
                self._prefix = self._hex(26)
                self._counter = self._random.randint(1, 0xFFE)
            return f"{self._prefix}{self._counter:06x}"
