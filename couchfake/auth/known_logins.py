"""Logins that were right a moment ago, so that a client that sends its password each time is looked at once.

A login is known until anything that decides about it has changed: the configuration, the users' database, or the
count of failures. Passwords are not kept, only keyed digests of what clients send.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

from couchfake.auth.context import UserContext

_MOST_KNOWN = 1000

State = tuple[object, object, int, int]
"""The settings in force, the users' database and its update sequence, failures counted."""


class KnownLogins:
    """``state()``: what the answers stand on."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state_of = state
        self._key = secrets.token_bytes(32)
        self._known: tuple[State, dict[bytes, UserContext]] = ((None, None, 0, 0), {})

    def get(self, header: str, peer: str) -> UserContext | None:
        state, known = self._known
        if not known or not _is_same(state, self._state_of()):
            return None
        return known.get(self._digest(header, peer))

    def remember(self, header: str, peer: str, user: UserContext, state: State) -> None:
        """``state``: as it was before the login was looked at."""
        known = self._known[1]
        if not _is_same(self._known[0], state) or len(known) >= _MOST_KNOWN:
            known = {}
        known[self._digest(header, peer)] = user
        self._known = (state, known)

    def _digest(self, header: str, peer: str) -> bytes:
        text = f"{peer}\n{header}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()


def _is_same(one: State, other: State) -> bool:
    return one[0] is other[0] and one[1] is other[1] and one[2:] == other[2:]
