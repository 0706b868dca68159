"""An exception at a line of couchfake that a test chooses, as a signal's handler may raise one at any moment."""

from __future__ import annotations

import contextlib
import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType
from typing import Any

import couchfake

PACKAGE = str(Path(couchfake.__file__).parent)


class Interrupt(BaseException):
    """What a signal handler raises."""


class _Interrupter:
    """A trace function that raises ``Interrupt`` when files below ``places`` have run so many lines."""

    def __init__(self, line: int, places: tuple[str, ...]) -> None:
        self._remaining = line
        self._places = places

    def __call__(self, frame: FrameType, event: str, arg: Any) -> _Interrupter | None:
        if not any(place in frame.f_code.co_filename for place in self._places):
            return None
        # Python runs signal handlers after a call and at a jump back, but a trace function before each line. So no
        # handler runs between the end of a with statement's body and the release of its lock, nor at "try:", which
        # CPython compiles to an instruction that the enclosing with statement does not cover.
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
        if event == "line" and not line.startswith(("with ", "try:")):
            self._remaining -= 1
            if self._remaining == 0:
                sys.settrace(None)
                raise Interrupt
        return self


@contextlib.contextmanager
def traced_by(function: Callable[[FrameType, str, Any], Any]) -> Iterator[None]:
    """Trace the block's calls by a function. The one of before, coverage.py's, is put back at the end."""
    tracer = sys.gettrace()
    sys.settrace(function)
    try:
        yield
    finally:
        sys.settrace(tracer)


def interrupted_at(line: int, *places: str) -> AbstractContextManager[None]:
    """Raise ``Interrupt`` after so many lines of couchfake, and of files whose path has one of ``places``."""
    return traced_by(_Interrupter(line, (PACKAGE, *places)))
