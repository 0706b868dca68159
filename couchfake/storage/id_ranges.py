"""Documents by id: the part of an ordered list of ids that a query asks for.

Ids are ordered by their UTF-8 bytes. The end of a range that is not a string sorts before all of them.
Source: CouchDB documentation, "/{db}/_all_docs"; ``couch_db:fold_docs/4``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sortedcontainers import SortedDict, SortedList

Ids = SortedList[str] | SortedDict[str, Any]

DESIGN, AFTER_DESIGN = "_design/", "_design0"


@dataclass(frozen=True)
class IdRange:
    """From ``start`` to ``end`` in the direction of reading; None: open there. ``limit`` None: all."""

    start: str | None = None
    end: str | None = None
    inclusive_end: bool = True
    descending: bool = False
    skip: int = 0
    limit: int | None = None

    def within(self, lowest: str, highest: str) -> IdRange:
        """The same between two ids."""
        if self.descending:
            start = highest if self.start is None else min(self.start, highest)
            end = lowest if self.end is None else max(self.end, lowest)
        else:
            start = lowest if self.start is None else max(self.start, lowest)
            end = highest if self.end is None else min(self.end, highest)
        return replace(self, start=start, end=end)

    def cut(self, ids: Ids) -> Cut:
        """The range's place among ``ids``."""
        start, end = self.start, self.end
        if self.descending:
            upper = len(ids) if start is None else ids.bisect_right(start)
            beyond = ids.bisect_left if self.inclusive_end else ids.bisect_right
            return Cut(ids, 0 if end is None else beyond(end), upper, len(ids) - upper, self)
        lower = 0 if start is None else ids.bisect_left(start)
        beyond = ids.bisect_right if self.inclusive_end else ids.bisect_left
        return Cut(ids, lower, len(ids) if end is None else beyond(end), lower, self)


@dataclass(frozen=True)
class Cut:
    """``offset``: how many ids are passed over before the range begins, in the direction of reading."""

    ids: Ids
    lower: int
    upper: int
    offset: int
    asked: IdRange

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of the range. The cost is linear in their number and logarithmic in the list's length."""
        skip, limit = self.asked.skip, self.asked.limit
        lower, upper = self.lower, self.upper
        if self.asked.descending:
            upper -= skip
            if limit is not None:
                lower = max(lower, upper - limit)
        else:
            lower += skip
            if limit is not None:
                upper = min(upper, lower + limit)
        return iter(self.ids.islice(lower, upper, self.asked.descending)) if lower < upper else iter(())


def count_design_documents(ids: Ids) -> int:
    return ids.bisect_left(AFTER_DESIGN) - ids.bisect_left(DESIGN)
