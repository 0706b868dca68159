"""A fake on a socket, with an admin and a user, for clients that are not ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from couchfake import CouchFake


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake(admins={"adm": "pass"}) as fake:
        yield fake


@pytest.fixture
def url(fake: CouchFake) -> str:
    """Without a slash at its end and without a login."""
    return fake.url.rstrip("/")
