"""Passwords: hashing and comparing them, the rules for new ones, one-time passwords, and a cache of those verified.

Two schemes: ``pbkdf2`` with a choice of hash (``pbkdf2_prf``; documents without one mean SHA-1) and the old
``simple`` (salted SHA-1). How many rounds new hashes get is ``[chttpd_auth] iterations``; stored ones are honoured.

Verified credentials are kept, so that a client that sends its password with each request pays once. A login (a whole
``Authorization`` header) is valid until anything changes that decides about it: the configuration, the users' database,
or the count of failures. A proof (this password fits this hash) is valid whatever else changes. No password is kept,
only digests with a key of the cache's own.

Source: CouchDB documentation, "Configuration: Authentication and Authorization" and "Configuration: Authentication:
[totp]".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from couchfake.auth.permissions import UserContext
from couchfake.config import Config
from couchfake.errors import BadRequest, Forbidden
from couchfake.settings import ITERATIONS, MAX_ITERATIONS, MIN_ITERATIONS, PASSWORD_REGEXP, PASSWORD_SCHEME, PBKDF2_PRF
from couchfake.values.erlang import format_term, read_integer

# Erlang's names of the hash functions, and Python's.
HASHES = {"sha": "sha1", "sha224": "sha224", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}

CANNOT_HASH = "Server cannot hash passwords at this time."
NOT_CONFORMING = "Password does not conform to requirements."


def new_salt() -> str:
    return secrets.token_hex(16)


def simple(password: bytes, salt: str) -> str:
    return hashlib.sha1(password + salt.encode("utf-8"), usedforsecurity=False).hexdigest()


def pbkdf2(prf: str, password: bytes, salt: str, iterations: int) -> str:
    """Return the derived key in hex, as long as the hash's output. ``prf`` is Erlang's name of the hash."""
    return hashlib.pbkdf2_hmac(HASHES[prf], password, salt.encode("utf-8"), iterations).hex()


def is_right(config: Config, password: bytes, stored: Mapping[str, Any]) -> bool:
    """Return whether a password fits the members of a user document, in a time that does not depend on the result.

    Raise Forbidden if the document's number of rounds is not within this server's bounds.
    """
    salt = stored.get("salt", "")
    if not isinstance(salt, str):
        raise Forbidden(f"Salt value of '{format_term(salt)}' is invalid.")
    scheme = stored.get("password_scheme", "simple")
    if scheme == "pbkdf2":
        prf, iterations = _pbkdf2_parameters(config, stored)
        actual, expected = pbkdf2(prf, password, salt, iterations), stored.get("derived_key")
    elif scheme == "simple":
        actual, expected = simple(password, salt), stored.get("password_sha")
    else:
        return False
    return isinstance(expected, str) and hmac.compare_digest(actual.encode(), expected.encode("utf-8"))


def check_parameters(config: Config, stored: Mapping[str, Any]) -> None:
    """Raise Forbidden if the parameters of a user document's hash are not within this server's bounds."""
    if stored.get("password_scheme") == "pbkdf2":
        _pbkdf2_parameters(config, stored)


def _pbkdf2_parameters(config: Config, stored: Mapping[str, Any]) -> tuple[str, int]:
    prf = stored.get("pbkdf2_prf", "sha")
    if prf not in HASHES:
        raise Forbidden("PRF is invalid")
    iterations = stored.get("iterations", 10000)
    if not isinstance(iterations, int) or iterations < max(1, config[MIN_ITERATIONS]):
        raise Forbidden("Iteration count is too low for this server")
    if iterations > config[MAX_ITERATIONS]:
        raise Forbidden("Iteration count is too high for this server")
    return prf, iterations


def hashed(config: Config, password: Any, salt: str) -> dict[str, Any]:
    """Return the members that a user document stores for a new password, in the real server's order.

    Raise BadRequest if the password does not conform, Forbidden if it is not a string or cannot be hashed.
    """
    check_conformance(config, password)
    if not isinstance(password, str):
        raise Forbidden(f"Password value of '{format_term(password)}' is invalid.")
    scheme, data = config[PASSWORD_SCHEME], password.encode("utf-8")
    if scheme == "simple":
        return {"password_scheme": "simple", "salt": salt, "password_sha": simple(data, salt)}
    prf = config[PBKDF2_PRF]
    if scheme != "pbkdf2" or prf not in HASHES:
        raise Forbidden(CANNOT_HASH)
    iterations = max(1, config[ITERATIONS])
    return {
        "password_scheme": "pbkdf2",
        "pbkdf2_prf": prf,
        "salt": salt,
        "iterations": iterations,
        "derived_key": pbkdf2(prf, data, salt, iterations),
    }


# Server admins live in the configuration


def hash_admin(config: Config, password: str) -> str:
    """Return the form of a password that ``[admins]`` stores."""
    stored = hashed(config, password, new_salt()) if password else {}
    if stored.get("password_scheme") == "simple":
        return f"-hashed-{stored['password_sha']},{stored['salt']}"
    if stored:
        return f"-pbkdf2:{stored['pbkdf2_prf']}-{stored['derived_key']},{stored['salt']},{stored['iterations']}"
    return ""


_ADMIN = re.compile(
    r"-(?:hashed-(?P<sha>[^,]*),(?P<old_salt>.*)"
    r"|pbkdf2(?::(?P<prf>\w+))?-(?P<key>[^,]*),(?P<salt>[^,]*),(?P<iterations>[0-9]+))"
)


def admin_members(stored: str) -> dict[str, Any] | None:
    """Return the members of a user document that correspond to a value of ``[admins]``, None if it is not a hash."""
    match = _ADMIN.fullmatch(stored)
    if match is None:
        return None
    if match["sha"] is not None:
        return {"password_scheme": "simple", "salt": match["old_salt"], "password_sha": match["sha"]}
    return {
        "password_scheme": "pbkdf2",
        "pbkdf2_prf": match["prf"] or "sha",
        "salt": match["salt"],
        "iterations": read_integer(match["iterations"]),
        "derived_key": match["key"],
    }


# Rules for new passwords


def check_conformance(config: Config, password: Any) -> None:
    """Raise BadRequest unless a new password matches every expression of ``[chttpd_auth] password_regexp``.

    The setting is an Erlang list of strings and of tuples ``{"expression", "message"}``. Raise Forbidden if it is
    malformed.
    """
    setting = config[PASSWORD_REGEXP]
    if setting in ("", "[]"):
        return
    for expression, message in _requirements(setting):
        try:
            conforms = isinstance(password, str) and re.search(expression, password) is not None
        except re.error:
            raise Forbidden(CANNOT_HASH) from None
        if not conforms:
            raise BadRequest(f"{NOT_CONFORMING} {message}" if message else NOT_CONFORMING)


_STRING = r'"((?:[^"\\]|\\.)*)"'
_REQUIREMENT = re.compile(rf"\s*(?:{_STRING}|\{{\s*{_STRING}\s*(?:,\s*(?:{_STRING}|[^\"{{}}]*))?\}})\s*", re.DOTALL)


def _requirements(setting: str) -> Iterator[tuple[str, str]]:
    text = setting.strip()
    if not (text.startswith("[") and text.endswith("]")):
        raise Forbidden(CANNOT_HASH)
    position, end = 1, len(text) - 1
    while True:
        match = _REQUIREMENT.match(text, position, end)
        if match is None:
            raise Forbidden(CANNOT_HASH)
        yield _unescaped(match[1] if match[1] is not None else match[2]), _unescaped(match[3] or "")
        position = match.end()
        if position == end:
            return
        if text[position] != ",":
            raise Forbidden(CANNOT_HASH)
        position += 1


def _unescaped(text: str) -> str:
    """Decode the escapes of an Erlang string: a backslash quotes the next character, or names a control character."""
    controls = {"n": "\n", "r": "\r", "t": "\t", "s": " ", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v", "d": "\x7f"}
    return re.sub(r"\\(.)", lambda match: controls.get(match[1], match[1]), text, flags=re.DOTALL)


# One-time passwords by time (RFC 6238), for user documents with a ``totp`` member


TOTP_STEP = 30  # seconds
LONGEST_TOKEN = 64  # digits; no more than ten of them differ from 0


def is_right_totp(totp: Any, token: str, now: float) -> bool:
    """Return whether a token is that of the current time step, or of the one before or after it.

    ``totp``: ``{"key": base32, "algorithm": "sha", "length": 6}``, the last two optional. No token is right if one of
    them cannot be used.
    """
    if not isinstance(totp, dict):
        return False
    name, length = totp.get("algorithm", "sha"), totp.get("length", 6)
    if not isinstance(name, str) or name not in HASHES or type(length) is not int or not 0 < length <= LONGEST_TOKEN:
        return False
    try:
        key = base64.b32decode(str(totp.get("key", "")), casefold=True)
    except ValueError:
        return False
    algorithm = HASHES[name]
    expected = [
        _totp_token(key, algorithm, length, int(now + shift) // TOTP_STEP) for shift in (-TOTP_STEP, 0, TOTP_STEP)
    ]
    matches = [hmac.compare_digest(each.encode(), token.encode("utf-8", "replace")) for each in expected]
    return True in matches  # all are compared, whichever matches


def _totp_token(key: bytes, algorithm: str, length: int, counter: int) -> str:
    digest = hmac.digest(key, counter.to_bytes(8, "big", signed=True), algorithm)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number)[-length:].zfill(length)


# ---- credentials that have been verified

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
