"""``CouchTestCase``: a CouchDB for ``unittest``."""

from __future__ import annotations

import difflib
import os
import unittest
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

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

    def __init_subclass__(cls, **options: Any) -> None:
        """Raise TypeError for an attribute ``couch_…`` that configures nothing, with the nearest that does."""
        super().__init_subclass__(**options)
        known = [name for name in CouchTestCase.__annotations__ if name.startswith("couch_")]
        for name, value in vars(cls).items():
            is_setting = name.startswith("couch_") and not callable(value) and not hasattr(value, "__get__")
            if is_setting and name not in known:
                near = difflib.get_close_matches(name, known, 1, 0.0)[0]
                raise TypeError(f"{cls.__name__}: CouchTestCase has no attribute {name}; did you mean {near}?")

    @classmethod
    def setUpClass(cls) -> None:
        """Make the server. Raise ValueError if an attribute is wrong."""
        super().setUpClass()
        try:
            cls._make_server()
        except ValueError as error:
            raise error.with_traceback(None) from None  # the sentence says it all

    @classmethod
    def _make_server(cls) -> None:
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
