"""Sentences in place of pytest's own messages."""

from __future__ import annotations

import re

_MISMATCH = re.compile(
    r"ScopeMismatch: You tried to access the (\w+) scoped fixture (\w+) with a (\w+) scoped request object"
)
_INSTEAD = {
    "couch_url": "couch_address is the same URL for the whole run",
    "make_couch": "make the servers by couchfake.CouchFake() in that fixture",
    "couch_admin": "couch_fixture(admins={{'adm': 'pass'}}, scope='{scope}') has a login that you choose",
}
_FIXTURES = ("couch", "couch_db", "couch_url", "couchfake", "couch_admin", "make_couch")


def scope_mismatch(message: str) -> str | None:
    """Return what to use instead, for pytest's message on a fixture of ours; None for any other message."""
    found = _MISMATCH.match(message)
    if found is None or found[2] not in _FIXTURES:
        return None
    _, name, scope = found.groups()
    default = "make a fixture of that scope in conftest.py: shop = couch_fixture('shop', scope='{scope}')"
    instead = _INSTEAD.get(name, default).format(scope=scope)
    return f"{name} lives for one test, and a fixture of scope {scope!r} asked for it. Instead: {instead}"
