"""Whether a library's methods are its own, or have been replaced by a subclass or a patch."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

__all__ = ["Methods"]


class Methods:
    """Two or more methods ``names`` of a class of requests or urllib3, as the library defines them.

    A method that was replaced before this module was imported, or that this version of the library does not have, never
    counts as the library's own.
    """

    def __init__(self, owner: type, *names: str) -> None:
        self._names = frozenset(names)
        self._get = attrgetter(*names) if all(hasattr(owner, name) for name in names) else _nothing
        self._own = tuple(_own_method(owner, name) for name in names)

    def are_those_of(self, obj: object) -> bool:
        """Return whether neither the class of ``obj`` nor ``obj`` itself has replaced one of the methods."""
        return self._get(type(obj)) == self._own and self._names.isdisjoint(obj.__dict__)

    def are_those_of_class(self, kind: type) -> bool:
        """Return whether ``kind`` has the methods as the library defines them."""
        return bool(self._get(kind) == self._own)


def _own_method(owner: type, name: str) -> Any:
    method = getattr(owner, name, None)
    module = getattr(method, "__module__", None) or ""
    return method if module.startswith(("requests.", "urllib3.")) else None


def _nothing(owner: object) -> tuple[()]:
    return ()
