"""The results of a query, as a type whose rows are of any class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

__all__ = ["Results"]

R = TypeVar("R")


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
