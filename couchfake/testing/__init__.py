"""A CouchDB for tests without pytest: ``running``, a context manager and decorator, and ``CouchTestCase``.

with couchfake.testing.running(env="COUCHDB_URL") as fake:
    application.main()

class TestShop(couchfake.testing.CouchTestCase):
    couch_seed = "tests/seeds/shop"

    def test_prices(self):
        self.assertEqual(self.couch["shop"]["tea"]["price"], 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from couchfake.testing.running import running

if TYPE_CHECKING:
    from couchfake.testing.case import CouchTestCase

__all__ = ["CouchTestCase", "running"]


def __getattr__(name: str) -> Any:
    """Import ``unittest`` only for those who use it."""
    if name == "CouchTestCase":
        from couchfake.testing.case import CouchTestCase

        return CouchTestCase
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
