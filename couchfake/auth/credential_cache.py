"""Credentials that have been verified, so that a client that sends its password with each request pays once.

Two kinds are kept. A login (a whole ``Authorization`` header) is valid until anything changes that decides about it:
the configuration, the users' database, or the count of failures. A proof (this password fits this hash) is valid
whatever else changes. No password is kept, only digests with a key of the cache's own.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any

from couchfake.auth.context import UserContext

_MOST_LOGINS = 1000
_MOST_PROOFS = 10_000
_HASH_MEMBERS = ("password_scheme", "pbkdf2_prf", "salt", "iterations", "derived_key", "password_sha")

State = tuple[object, object, int, int]
"""The settings in force, the users' database and its update sequence, the count of failures."""


class CredentialCache:
    """The verified credentials of one server. ``state()`` returns what logins depend on."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state_of = state
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._logins: tuple[State, dict[bytes, UserContext]] = ((None, None, 0, 0), {})
        self._proofs: dict[bytes, None] = {}

    # Logins

    def user(self, header: str, peer: str) -> UserContext | None:
        """Return the user of an ``Authorization`` header from an address, None if it must be verified."""
        state, logins = self._logins
        if not logins or not _is_same(state, self._state_of()):
            return None
        return logins.get(self._login_digest(header, peer))

    def remember_user(self, header: str, peer: str, user: UserContext, state: State) -> None:
        """Keep a verified login. ``state`` is the state before its verification began."""
        logins = self._logins[1]
        if not _is_same(self._logins[0], state) or len(logins) >= _MOST_LOGINS:
            logins = {}
        logins[self._login_digest(header, peer)] = user
        self._logins = (state, logins)

    # Proofs

    def is_proven(self, password: bytes, members: Mapping[str, Any]) -> bool:
        """Return whether a password has been found to fit the hash in a user document's members."""
        return self._proof_digest(password, members) in self._proofs

    def remember_proof(self, password: bytes, members: Mapping[str, Any]) -> None:
        """Keep that a password fits a hash."""
        with self._lock:
            self._proofs[self._proof_digest(password, members)] = None
            if len(self._proofs) > _MOST_PROOFS:
                del self._proofs[next(iter(self._proofs))]

    def _login_digest(self, header: str, peer: str) -> bytes:
        return self._digest(f"{peer}\n{header}".encode("utf-8", "surrogatepass"))

    def _proof_digest(self, password: bytes, members: Mapping[str, Any]) -> bytes:
        stored = repr([members.get(name) for name in _HASH_MEMBERS]).encode("utf-8", "surrogateescape")
        return self._digest(stored + b"\0" + password)

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=32).digest()


def _is_same(one: State, other: State) -> bool:
    return one[0] is other[0] and one[1] is other[1] and one[2:] == other[2:]
