"""Who makes a request: the handlers of ``[chttpd] authentication_handlers``, asked in their order.

The first handler that knows the caller wins; one that is shown wrong credentials ends the request. Source: CouchDB
documentation, "API: Authentication" and "Configuration: [chttpd]".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from couchfake.auth import cookies, jwt, passwords, totp
from couchfake.auth.context import ANONYMOUS, SERVER_ADMIN_ROLE, UserContext
from couchfake.auth.known_logins import KnownLogins, State
from couchfake.auth.lockout import Lockout
from couchfake.auth.opened_sessions import OpenedSessions
from couchfake.auth.users import Users
from couchfake.config import Config
from couchfake.errors import BadRequest, Unauthorized

INCORRECT = "Name or password is incorrect."

_HANDLER = re.compile(r"(\w+?)_authenti(?:fi)?cation_handler")
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class Presented:
    """What of a request tells who makes it. ``path``: its decoded segments; ``header(name)``: a header's value or
    None; ``peer``: the caller's address; ``secure``: whether it came by TLS."""

    method: str
    path: Sequence[str]
    header: Callable[[str], str | None]
    peer: str = ""
    secure: bool = False


class Authenticator:
    """The authentication of one server. ``clock()``: seconds since 1970."""

    def __init__(self, config: Config, users: Users, clock: Callable[[], float]) -> None:
        self._config = config
        self._users = users
        self._clock = clock
        self.lockout = Lockout(config, clock)
        self.opened_sessions = OpenedSessions()
        self._proven = ProvenPasswords()
        self._known = KnownLogins(self._state)
        self._names_of: tuple[str, list[str]] = ("", [])  # the setting that was read last, and what it says
        self._handlers: dict[str, Callable[[Presented], UserContext | None]] = {
            "cookie": self._by_cookie,
            "default": self._by_basic,
            "proxy": self._by_proxy,
            "jwt": self._by_token,
            "null": lambda _: UserContext(roles=(SERVER_ADMIN_ROLE,), handler="null"),
        }

    def handler_names(self) -> list[str]:
        """The configured handlers, in their order."""
        setting = self._config.get("chttpd", "authentication_handlers")
        if setting != self._names_of[0]:
            self._names_of = (setting, _HANDLER.findall(setting))
        return self._names_of[1]

    def user_context(self, presented: Presented) -> UserContext:
        """Who makes a request. Raises BadRequest for malformed credentials, Unauthorized for wrong ones (and for
        none, where a valid user is required), Forbidden for a locked account."""
        for name in self.handler_names():
            handler = self._handlers.get(name)
            user = handler(presented) if handler else None
            if user is not None:
                return user
        if self._must_be_known(presented):
            raise Unauthorized("Authentication required.")
        return ANONYMOUS

    def _must_be_known(self, presented: Presented) -> bool:
        if presented.method == "POST" and list(presented.path) == ["_session"]:
            return False
        required = self._config.boolean("chttpd", "require_valid_user")
        but_for_up = self._config.boolean("chttpd", "require_valid_user_except_for_up")
        if list(presented.path) == ["_up"]:
            return required and not but_for_up
        return required or but_for_up

    # Name and password

    def login(self, name: str, password: bytes, presented: Presented, token: str) -> tuple[str, ...] | None:
        """The roles of a user who may start a session; None where name or password are wrong.

        ``token``: the one-time password, for users who have to give one.
        """
        members = self._users.members(name)
        if not self._proves(name, password, presented, members or {}):
            return None
        assert members is not None
        if "totp" in members and not totp.is_right(members["totp"], token, self._clock()):
            raise Unauthorized(INCORRECT)
        return self._accepted(name, password, members)

    def _accepted(self, name: str, password: bytes, members: dict[str, Any]) -> tuple[str, ...]:
        roles: tuple[str, ...] = members["roles"]
        if SERVER_ADMIN_ROLE not in roles:
            self._users.upgrade_hash(name, password.decode("utf-8", "surrogateescape"))
        return roles

    def _proves(self, name: str, password: bytes, presented: Presented, members: dict[str, Any]) -> bool:
        salt = members.get("salt", "")
        account = (presented.peer, name, salt if isinstance(salt, str) else "")
        self.lockout.refuse_locked(account)
        passwords.check_parameters(self._config, members)
        if self._proven.knows(password, members):
            return True
        if members and passwords.is_right(self._config, password, members):
            self._proven.remember(password, members)
            return True
        self.lockout.count_failure(account)
        return False

    def _by_basic(self, presented: Presented) -> UserContext | None:
        header = presented.header("Authorization")
        known = self._known.get(header, presented.peer) if header is not None else None
        if known is not None:
            return known
        credentials, before = _basic_credentials(header), self._state()
        if credentials is None:
            party = not self._users.has_admins() and not self._config.boolean("chttpd", "require_valid_user")
            return UserContext(roles=(SERVER_ADMIN_ROLE,), handler="default") if party else None
        name, password = credentials
        members = self._users.members(name)
        if members is None or "totp" in members or not self._proves(name, password, presented, members):
            raise Unauthorized(INCORRECT)
        user = UserContext(name, self._accepted(name, password, members), "default")
        self._known.remember(header or "", presented.peer, user, before)
        return user

    def _state(self) -> State:
        """What decides whether a name and a password are right."""
        return (self._config.state, *self._users.state(), self.lockout.counted)

    # Session cookie

    def _by_cookie(self, presented: Presented) -> UserContext | None:
        value = cookies.cookie_value(presented.header("Cookie"))
        if not value:
            return None
        session = cookies.parse(value)
        if self.opened_sessions.is_ended(session.signature):
            return None
        secret = self._config.get("chttpd_auth", "secret")
        members = self._users.members(session.user) if secret else None
        if members is None or session.issued is None:
            return None
        key = cookies.key_of(secret, str(members.get("salt", "")))
        now, timeout = self._clock(), self._config.integer("chttpd_auth", "timeout")
        left = session.issued + timeout - int(now)
        if left <= 0 or not cookies.is_genuine(self._config, session, key):
            return None
        # Once a tenth of its time has passed a session is prolonged.
        is_due = left < timeout * 0.9
        renewed = self._issue(now, session.user, key, presented) if is_due else None
        return UserContext(session.user, members["roles"], "cookie", renewed)

    def session_cookie(self, name: str, presented: Presented) -> str:
        """The ``Set-Cookie`` value of a new session for a user who has just logged in."""
        members = self._users.members(name) or {}
        key = cookies.key_of(cookies.ensure_secret(self._config), str(members.get("salt", "")))
        return self._issue(self._clock(), name, key, presented)

    def _issue(self, now: float, name: str, key: bytes, presented: Presented) -> str:
        cookie = cookies.issue(self._config, now, name, key, secure=presented.secure)
        self.opened_sessions.note(cookies.parse(cookies.cookie_value(cookie)).signature)
        return cookie

    def clearing_cookie(self, presented: Presented) -> str:
        """The ``Set-Cookie`` value that ends a session at the client."""
        return cookies.clear(self._config, self._clock(), secure=presented.secure)

    # Vouched for by others

    def _by_proxy(self, presented: Presented) -> UserContext | None:
        get = self._config.get
        name = presented.header(get("chttpd_auth", "x_auth_username"))
        if name is None:
            return None
        roles = re.split(r"\s*,\s*", presented.header(get("chttpd_auth", "x_auth_roles")) or "")
        while roles and not roles[-1]:
            roles.pop()
        secret = get("chttpd_auth", "secret")
        if secret and self._config.boolean("chttpd_auth", "proxy_use_secret"):
            token = (presented.header(get("chttpd_auth", "x_auth_token")) or "").encode("utf-8", "surrogateescape")
            message = name.encode("utf-8", "surrogateescape")
            expected = [
                hmac.new(secret.encode("utf-8"), message, algorithm).hexdigest().encode()
                for algorithm in cookies.hash_algorithms(self._config)
            ]
            if True not in [hmac.compare_digest(each, token) for each in expected]:
                return None
        return UserContext(name, tuple(roles), "proxy")

    def _by_token(self, presented: Presented) -> UserContext | None:
        header = presented.header("Authorization") or ""
        if not header.startswith("Bearer "):
            return None
        name, roles = jwt.user_of(self._config, header[len("Bearer ") :], self._clock())
        return UserContext(name, roles, "jwt")


def _basic_credentials(header: str | None) -> tuple[str, bytes] | None:
    """Name and password of an ``Authorization`` header; None where there are none (or ``_:_``, a way to log out)."""
    if header is None or not header.startswith("Basic "):
        return None
    try:
        decoded = base64.b64decode("".join(header[len("Basic ") :].split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("Authorization header has invalid base64 value") from None
    name, colon, password = decoded.partition(b":")
    if not colon or (name, password) == (b"_", b"_"):
        return None
    return name.decode("utf-8", "surrogateescape"), password


class ProvenPasswords:
    """Which passwords were right for which hashes, so that many rounds are paid for once.

    Keeps keyed digests only, with a key of its own that nobody else knows.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._digests: dict[bytes, None] = {}

    def knows(self, password: bytes, members: dict[str, Any]) -> bool:
        return self._digest(password, members) in self._digests

    def remember(self, password: bytes, members: dict[str, Any]) -> None:
        with self._lock:
            self._digests[self._digest(password, members)] = None
            if len(self._digests) > _MOST_REMEMBERED:
                del self._digests[next(iter(self._digests))]

    def _digest(self, password: bytes, members: dict[str, Any]) -> bytes:
        hashed = ("password_scheme", "pbkdf2_prf", "salt", "iterations", "derived_key", "password_sha")
        stored = repr([members.get(name) for name in hashed]).encode("utf-8", "surrogateescape")
        return hashlib.blake2b(stored + b"\0" + password, key=self._key, digest_size=32).digest()
