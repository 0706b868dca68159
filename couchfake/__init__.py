"""A CouchDB 3.5 that lives inside your test run."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from couchfake import testing
    from couchfake.app import CouchFake
    from couchfake.testing.block import running

__all__ = ["CouchFake", "running", "testing"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the server when it is used: a conftest.py may import ``couch_fixture`` for tests that do not run."""
    if name == "testing":
        return importlib.import_module("couchfake.testing")
    if name in ("CouchFake", "running"):
        found = getattr(
            importlib.import_module("couchfake.app" if name == "CouchFake" else "couchfake.testing.block"), name
        )
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
