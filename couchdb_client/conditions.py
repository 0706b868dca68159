"""What can be special about a request."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BUILDS", "ORDINARY", "Conditions"]


@dataclass(frozen=True)
class Conditions:
    """What is special about a request.

    ``wait`` is for how many seconds longer than usual the server may be silent by agreement, None for any time.
    ``builds`` says that the server may have to build an index first. ``cookies`` says whether the session's cookies are
    sent, and new ones kept.
    """

    wait: float | None = 0.0
    builds: bool = False
    cookies: bool = True


ORDINARY = Conditions()

#: A query whose index may have to be built first.
BUILDS = Conditions(builds=True)
