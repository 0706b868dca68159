"""The recordings that ship with couchfake: one gzipped JSON file for each area, as package data."""

from __future__ import annotations

import gzip
import json
from importlib import resources
from typing import Any

_SUFFIX = ".json.gz"


def area_names() -> list[str]:
    """Return the names of the recorded areas in alphabetical order."""
    folder = resources.files(__package__) / "corpus"
    return sorted(file.name.removesuffix(_SUFFIX) for file in folder.iterdir() if file.name.endswith(_SUFFIX))


def load_area(name: str) -> dict[str, Any]:
    """Return the recording of an area, ``{"area", "recorded_from", "scenarios"}``. Raise KeyError if there is none."""
    file = resources.files(__package__) / "corpus" / f"{name}{_SUFFIX}"
    if not file.is_file():
        raise KeyError(name)
    recording: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return recording
