"""The functions that were used last, so that the next request need not compile them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    @property
    def memory(self) -> int: ...

    def close(self) -> None: ...


_Kept = TypeVar("_Kept", bound=Closable)


class LRUCache(Generic[_Kept]):
    """At most ``size`` things by key. The one that was used least recently is dropped first, and closed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._things: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: Hashable, make: Callable[[], _Kept]) -> _Kept:
        """Return what is kept under ``key``; if there is nothing, keep and return what ``make`` returns."""
        with self._lock:
            thing = self._things.pop(key, None)
            if thing is None:
                thing = make()
            self._things[key] = thing
            dropped = self._things.popitem(last=False)[1] if len(self._things) > self._size else None
        if dropped is not None:
            dropped.close()
        return thing

    def take(self, key: Hashable) -> _Kept | None:
        """Remove and return what is kept under ``key``, so that nobody else gets it; None if there is nothing."""
        with self._lock:
            return self._things.pop(key, None)

    def put(self, key: Hashable, thing: _Kept) -> None:
        """Keep a thing; close what was kept under ``key`` before."""
        with self._lock:
            dropped = [self._things.pop(key)] if key in self._things else []
            self._things[key] = thing
            if len(self._things) > self._size:
                dropped.append(self._things.popitem(last=False)[1])
        for old in dropped:
            old.close()

    def free(self, memory: int) -> int:
        """Drop the least recently used things, until ``memory`` bytes are free. Return how many are."""
        freed = 0
        with self._lock:
            dropped = []
            for key, thing in list(self._things.items()):
                if freed >= memory:
                    break
                size = thing.memory
                if size:
                    freed += size
                    dropped.append(self._things.pop(key))
        for thing in dropped:
            thing.close()
        return freed

    def discard(self, is_dropped: Callable[[Hashable], bool]) -> None:
        """Close what is kept under the keys that ``is_dropped`` accepts."""
        with self._lock:
            dropped = [self._things.pop(key) for key in list(self._things) if is_dropped(key)]
        for thing in dropped:
            thing.close()

    def clear(self) -> None:
        """Close everything."""
        with self._lock:
            things, self._things = list(self._things.values()), OrderedDict()
        for thing in things:
            thing.close()
