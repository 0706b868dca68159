"""A users' database gets its design document, whichever database it is."""

from __future__ import annotations

import time
from typing import Any

import pytest

from couchfake.app import CouchFake
from couchfake.auth.users import AUTH_DDOC_ID


def _has_ddoc(database: Any) -> bool:
    with database.changed:
        end = time.monotonic() + 10
        while database.entry(AUTH_DDOC_ID) is None and time.monotonic() < end:
            database.changed.wait(1)
        return database.entry(AUTH_DDOC_ID) is not None


@pytest.mark.parametrize("section", ["chttpd_auth", "couch_httpd_auth"])
def test_a_database_that_the_configuration_makes_the_users_database_gets_it(section: str) -> None:
    node = CouchFake().node
    database = node.create_database("people")
    assert database.entry(AUTH_DDOC_ID) is None
    node.config.set(section, "authentication_db", "people")
    assert _has_ddoc(database)
