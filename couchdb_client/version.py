"""The version of the distribution that this package comes with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["distribution_version"]


def distribution_version() -> str:
    """Return the version of couchfake, ``unknown`` in a source tree that is not installed."""
    try:
        return version("couchfake")
    except PackageNotFoundError:
        return "unknown"
