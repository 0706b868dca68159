"""What an engine cannot do, in one place: documentation and expected failures are taken from here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KNOWN_GAPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "quickjs": MappingProxyType({}),
        "js2py": MappingProxyType({}),
    }
)
"""By engine: a short name of what is missing, and a sentence about it."""
