"""A CouchDB for tests: ``couch_fixture`` for pytest, ``CouchTestCase`` for unittest, ``running`` for anything else.

from couchfake.testing import couch_fixture
shop = couch_fixture("shop", seed="tests/seeds/shop", scope="session")      # in a conftest.py or a test module

class TestShop(couchfake.testing.CouchTestCase):
    couch_seed = "tests/seeds/shop"

    def test_prices(self):
        self.assertEqual(self.couch["shop"]["tea"]["price"], 3)

with couchfake.testing.running(env="COUCHDB_URL") as fake:
    application.main()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest_plugin.scopes import couch_fixture
    from couchfake.testing.block import running
    from couchfake.testing.case import CouchTestCase

__all__ = ["CouchTestCase", "couch_fixture", "running"]

_PLACES = {
    "CouchTestCase": "couchfake.testing.case",
    "couch_fixture": "conftest_plugin.scopes",
    "running": "couchfake.testing.block",
}


def __getattr__(name: str) -> Any:
    """Import only what is used: pytest for ``couch_fixture``, ``unittest`` for ``CouchTestCase``."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
