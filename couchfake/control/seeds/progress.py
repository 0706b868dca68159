"""How far the loading of a seed has come, on a terminal, where it takes longer than a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm
    from typing_extensions import Never


def progress(what: str, total: int) -> tqdm[Never]:
    """A bar on standard error to ``update(documents)``. It shows after a second, and only on a terminal."""
    from tqdm import tqdm  # takes longer to import than a small seed takes to load

    return tqdm(desc=what, total=total, unit=" docs", disable=None, delay=1.0, leave=False)
