"""What design functions logged: the arguments of ``log()``, and the errors that a map function swallowed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

KEPT_LINES = 1000

_logger = logging.getLogger("couchfake.design_functions")


class FunctionLine(NamedTuple):
    """One line. ``level``: ``info`` for ``log()``, ``error`` for an error."""

    level: str
    message: str
    test: str | None


class FunctionLog:
    """The last lines that design functions logged, the oldest first. They go to ``logging`` too."""

    def __init__(self) -> None:
        self._lines: deque[FunctionLine] = deque(maxlen=KEPT_LINES)
        self.test: str | None = None
        """The id of the test that runs, noted in each line."""

    def add(self, level: str, message: str) -> None:
        self._lines.append(FunctionLine(level, message, self.test))
        _logger.log(logging.ERROR if level == "error" else logging.INFO, "%s", message)

    def copy_from(self, other: FunctionLog) -> None:
        """Take over the lines of another log."""
        self._lines.extend(other)

    def clear(self) -> None:
        self._lines.clear()

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[FunctionLine]:
        return iter(list(self._lines))
