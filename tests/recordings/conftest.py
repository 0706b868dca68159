"""A served fake with the admin that the shipped recordings were made with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from couchfake import CouchFake


@pytest.fixture
def served() -> Iterator[CouchFake]:
    with CouchFake(admins={"adm": "pass"}) as fake:
        yield fake


@pytest.fixture
def url(served: CouchFake) -> str:
    return served.url.replace("//", "//adm:pass@")
