"""What can be wrong with a seed."""

from __future__ import annotations

from pathlib import Path


class SeedError(ValueError):
    """A seed cannot be loaded or written. The text is one sentence, with the file and the line where there are any."""


def at(path: Path, line: int | None, sentence: str) -> SeedError:
    return SeedError(f"{path}:{line}: {sentence}" if line is not None else f"{path}: {sentence}")
