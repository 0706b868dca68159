"""The rows of a query, and its results as a type whose rows are of any class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

__all__ = ["Results", "wrapped"]

R = TypeVar("R")

#: How many rows are wrapped at a time.
_STEP = 256


def wrapped(rows: list[Any], wrapper: Callable[[Any], R]) -> list[R]:
    """Replace each row by what ``wrapper`` makes of it, and return the list.

    Some at a time, so that few rows exist twice: the garbage collector runs after so many new objects more than freed.
    """
    for start in range(0, len(rows), _STEP):
        rows[start : start + _STEP] = map(wrapper, rows[start : start + _STEP])
    return rows


class Results(Protocol[R]):
    """What `ViewResults` is, with rows of the class R."""

    def __iter__(self) -> Iterator[R]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Results[R]: ...

    @property
    def rows(self) -> list[R]: ...

    @property
    def total_rows(self) -> int | None: ...

    @property
    def offset(self) -> int | None: ...

    @property
    def update_seq(self) -> Any: ...
