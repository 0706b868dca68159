"""``CouchTestCase``: a CouchDB for ``unittest``."""

from __future__ import annotations

import os
import unittest
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from couchfake.app import CouchFake
from couchfake.testing.block import running, url_with_login

if TYPE_CHECKING:
    import couchdb_client


class CouchTestCase(unittest.TestCase):
    """A test case with a CouchDB.

    The server is made and seeded once for the class; what a test writes is undone when it ends. Attributes of the
    class configure the server: ``couch_admins``, ``couch_config``, ``couch_seed``, ``couch_js_engine``,
    ``couch_env`` (environment variables that hold its URL) and ``couch_intercept``.

    Combine it with ``unittest.IsolatedAsyncioTestCase`` for asynchronous tests.
    """

    couch_admins: Mapping[str, str] | None = None
    couch_config: Mapping[str, Mapping[str, str]] | None = None
    couch_seed: str | os.PathLike[str] | None = None
    couch_js_engine: str | None = None
    couch_env: str | Iterable[str] = ()
    couch_intercept: str | Iterable[str] = ()

    couchfake: CouchFake
    """The fake itself."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.couchfake = cls.enterClassContext(_serving(cls)) if hasattr(cls, "enterClassContext") else _entered(cls)

    def setUp(self) -> None:
        super().setUp()
        snapshot = self.couchfake.snapshot()
        self.addCleanup(snapshot.discard)
        self.addCleanup(snapshot.restore)
        self.couchfake.requests.begin()

    @property
    def couch_url(self) -> str:
        """The server's URL, with the first admin's login, for any program."""
        return url_with_login(self.couchfake.url, self.couch_admins)

    @cached_property
    def couch(self) -> couchdb_client.Server:
        """A client of the server, in process, logged in as the first admin."""
        import couchdb_client

        url = url_with_login(self.couchfake.session_url, self.couch_admins)
        return couchdb_client.Server(url, session=self.couchfake.session())

    @cached_property
    def couch_db(self) -> couchdb_client.Database:
        """A fresh database, named ``test``."""
        return self.couch.create("test")


def _serving(case: type[CouchTestCase]) -> running:
    return running(
        env=case.couch_env,
        intercept=case.couch_intercept,
        seed=case.couch_seed,
        admins=case.couch_admins,
        config=case.couch_config,
        js_engine=case.couch_js_engine,
    )


def _entered(case: type[CouchTestCase]) -> CouchFake:
    """Python 3.10 has no ``enterClassContext``."""
    server = _serving(case)
    fake = server.__enter__()
    case.addClassCleanup(server.__exit__, None, None, None)
    return fake
