"""Sentences in place of pytest's own messages."""

from __future__ import annotations

import re
from collections.abc import Collection

_MISMATCH = re.compile(
    r"ScopeMismatch: You tried to access the (\w+) scoped fixture (\w+) with a (\w+) scoped request object"
)
IN_PROCESS_HOST = "couchfake.invalid"
IN_PROCESS_ONLY = (
    f"http://{IN_PROCESS_HOST}/ is the address of a fake for its own client only, without a socket. Give other programs"
    " the fixture couch_url (or couch_address), or run with --couch-backend socket."
)
_INSTEAD = {
    "couch_url": "couch_address is the same URL for the whole run",
    "make_couch": "make the servers by couchfake.CouchFake() in that fixture",
    "couch_network": "make a couchfake.control.network.Network() in that fixture",
    "couch_gates": "the ini option couch_gates holds for all tests",
    "couch_admin": "couch_fixture(admins={{'adm': 'pass'}}, scope='{scope}') has a login that you choose",
}
_FIXTURES = ("couch", "couch_db", "couch_name", "couchfake", *_INSTEAD)


def scope_mismatch(message: str, own: Collection[str] = ()) -> str | None:
    """Return what to use instead, for pytest's message on a fixture of ours; None for any other message.

    ``own``: the test's fixtures that ``couch_fixture`` made.
    """
    found = _MISMATCH.match(message)
    if found is None:
        return None
    narrow, name, scope = found.groups()
    if name in own:
        return (
            f"{name} is a couch_fixture of scope {narrow!r}, and a fixture of scope {scope!r} asked for it. Instead:"
            f" give it that scope: {name} = couch_fixture(..., scope={scope!r})"
        )
    if name not in _FIXTURES:
        return None
    default = "make a fixture of that scope in conftest.py: shop = couch_fixture('shop', scope='{scope}')"
    instead = _INSTEAD.get(name, default).format(scope=scope)
    return f"{name} lives for one test, and a fixture of scope {scope!r} asked for it. Instead: {instead}"
