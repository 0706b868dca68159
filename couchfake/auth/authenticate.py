"""Who makes a request: the handlers of ``[chttpd] authentication_handlers``, tried in their order.

The first handler that finds credentials of its kind decides; wrong credentials end the request. Too many of them lock
an account. Source: CouchDB documentation, "API: Authentication" and "Configuration: [chttpd]".
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from couchfake.auth import cookies, jwt, passwords
from couchfake.auth.cookies import OpenedSessions
from couchfake.auth.passwords import CredentialCache, State
from couchfake.auth.permissions import ANONYMOUS, SERVER_ADMIN_ROLE, UserContext
from couchfake.auth.users import Users
from couchfake.config import Config
from couchfake.errors import BadRequest, Forbidden, Unauthorized
from couchfake.settings import (
    AUTHENTICATION_HANDLERS,
    LOCKOUT_MAX_LIFETIME,
    LOCKOUT_MODE,
    LOCKOUT_THRESHOLD,
    PROXY_USE_SECRET,
    REQUIRE_VALID_USER,
    REQUIRE_VALID_USER_EXCEPT_FOR_UP,
    SECRET,
    TIMEOUT,
    X_AUTH_ROLES,
    X_AUTH_TOKEN,
    X_AUTH_USERNAME,
)

INCORRECT = "Name or password is incorrect."

_HANDLER = re.compile(r"(\w+?)_authenti(?:fi)?cation_handler")


class Presented(NamedTuple):
    """The parts of a request that show who makes it.

    ``path``: its decoded segments; ``header(name)``: a header's value or None; ``peer``: the client's address;
    ``secure``: whether it came by TLS.
    """

    method: str
    path: Sequence[str]
    header: Callable[[str], str | None]
    peer: str = ""
    secure: bool = False


class Authenticator:
    """The authentication of one server. ``clock()`` returns seconds since 1970."""

    def __init__(self, config: Config, users: Users, clock: Callable[[], float]) -> None:
        self._config = config
        self._users = users
        self._clock = clock
        self.lockout = Lockout(config, clock)
        self.opened_sessions = OpenedSessions()
        self._verified = CredentialCache(self._state)
        self._names_of: tuple[str, list[str]] = ("", [])  # the setting as last read, and its names
        self._handlers: dict[str, Callable[[Presented], UserContext | None]] = {
            "cookie": self._by_cookie,
            "default": self._by_basic,
            "proxy": self._by_proxy,
            "jwt": self._by_token,
            "null": lambda _: UserContext(roles=(SERVER_ADMIN_ROLE,), handler="null"),
        }

    def handler_names(self) -> list[str]:
        """The configured handlers, in their order."""
        setting = self._config[AUTHENTICATION_HANDLERS]
        if setting != self._names_of[0]:
            self._names_of = (setting, _HANDLER.findall(setting))
        return self._names_of[1]

    def user_context(self, presented: Presented) -> UserContext:
        """Return who makes a request.

        Raise BadRequest for malformed credentials, Unauthorized for wrong ones (and for missing ones, if a valid user
        is required), Forbidden for a locked account.
        """
        for name in self.handler_names():
            handler = self._handlers.get(name)
            user = handler(presented) if handler else None
            if user is not None:
                return user
        if self._must_be_known(presented):
            raise Unauthorized("Authentication required.")
        return ANONYMOUS

    def verified_user(self, header: str, peer: str) -> UserContext | None:
        """Return the user of an ``Authorization`` header that has been verified before, None for any other."""
        return self._verified.user(header, peer)

    def _must_be_known(self, presented: Presented) -> bool:
        if presented.method == "POST" and list(presented.path) == ["_session"]:
            return False
        required = self._config[REQUIRE_VALID_USER]
        but_for_up = self._config[REQUIRE_VALID_USER_EXCEPT_FOR_UP]
        if list(presented.path) == ["_up"]:
            return required and not but_for_up
        return required or but_for_up

    # Name and password

    def login(self, name: str, password: bytes, presented: Presented, token: str) -> tuple[str, ...] | None:
        """Return the roles of a user who may start a session, None if name or password are wrong.

        ``token`` is the one-time password, for users whose document requires one.
        """
        members = self._users.members(name)
        if not self._proves(name, password, presented, members or {}):
            return None
        assert members is not None
        if "totp" in members and not passwords.is_right_totp(members["totp"], token, self._clock()):
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
        if self._verified.is_proven(password, members):
            return True
        if members and passwords.is_right(self._config, password, members):
            self._verified.remember_proof(password, members)
            return True
        self.lockout.count_failure(account)
        return False

    def _by_basic(self, presented: Presented) -> UserContext | None:
        header = presented.header("Authorization")
        known = self._verified.user(header, presented.peer) if header is not None else None
        if known is not None:
            return known
        credentials, before = _basic_credentials(header), self._state()
        if credentials is None:
            party = not self._users.has_admins() and not self._config[REQUIRE_VALID_USER]
            return UserContext(roles=(SERVER_ADMIN_ROLE,), handler="default") if party else None
        name, password = credentials
        members = self._users.members(name)
        if members is None or "totp" in members or not self._proves(name, password, presented, members):
            raise Unauthorized(INCORRECT)
        user = UserContext(name, self._accepted(name, password, members), "default")
        self._verified.remember_user(header or "", presented.peer, user, before)
        return user

    def _state(self) -> State:
        """What the validity of a name and a password depends on."""
        return (self._config.state, *self._users.state(), self.lockout.counted)

    # Session cookie

    def _by_cookie(self, presented: Presented) -> UserContext | None:
        value = cookies.cookie_value(presented.header("Cookie"))
        if not value:
            return None
        session = cookies.parse(value)
        if self.opened_sessions.is_ended(session.signature):
            return None
        secret = self._config[SECRET]
        members = self._users.members(session.user) if secret else None
        if members is None or session.issued is None:
            return None
        key = cookies.key_of(secret, str(members.get("salt", "")))
        now, timeout = self._clock(), self._config[TIMEOUT]
        left = session.issued + timeout - int(now)
        if left <= 0 or not cookies.is_genuine(self._config, session, key):
            return None
        # A session is extended when a tenth of its time has passed.
        is_due = left < timeout * 0.9
        renewed = self._issue(now, session.user, key, presented) if is_due else None
        return UserContext(session.user, members["roles"], "cookie", renewed)

    def session_cookie(self, name: str, presented: Presented) -> str:
        """Return the ``Set-Cookie`` value of a new session."""
        members = self._users.members(name) or {}
        key = cookies.key_of(cookies.ensure_secret(self._config), str(members.get("salt", "")))
        return self._issue(self._clock(), name, key, presented)

    def _issue(self, now: float, name: str, key: bytes, presented: Presented) -> str:
        cookie = cookies.issue(self._config, now, name, key, secure=presented.secure)
        self.opened_sessions.note(cookies.parse(cookies.cookie_value(cookie)).signature)
        return cookie

    def clearing_cookie(self, presented: Presented) -> str:
        """Return the ``Set-Cookie`` value that ends a session at the client."""
        return cookies.clear(self._config, self._clock(), secure=presented.secure)

    # Proxies and tokens

    def _by_proxy(self, presented: Presented) -> UserContext | None:
        name = presented.header(self._config[X_AUTH_USERNAME])
        if name is None:
            return None
        roles = re.split(r"\s*,\s*", presented.header(self._config[X_AUTH_ROLES]) or "")
        while roles and not roles[-1]:
            roles.pop()
        secret = self._config[SECRET]
        if secret and self._config[PROXY_USE_SECRET]:
            token = (presented.header(self._config[X_AUTH_TOKEN]) or "").encode("utf-8", "surrogateescape")
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
    """Return name and password of an ``Authorization`` header, None if it has none (or ``_:_``, a way to log out)."""
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


# Locking accounts after too many wrong passwords, counted for each address, name and salt
#
# Counting by salt means that a new password lifts the lock. Source: CouchDB documentation, "Configuration:
# Authentication and Authorization: [chttpd_auth_lockout]".


LOCKED = "Account is temporarily locked due to multiple authentication failures"
_MOST_COUNTED = 10_000

Account = tuple[str, str, str]


class Lockout:
    """Failures of the accounts of one server. An account is ``(peer address, user name, salt)``."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self.counted = 0
        """The number of failures so far."""
        self._failures: dict[Account, tuple[int, float]] = {}  # count, and time of the first

    def refuse_locked(self, account: Account) -> None:
        """Raise Forbidden for an account with too many failures, if locks are enforced."""
        if self._config[LOCKOUT_MODE] != "enforce":
            return
        count, since = self._failures.get(account, (0, 0.0))
        if count >= self._config[LOCKOUT_THRESHOLD] and not self._is_over(since):
            raise Forbidden(LOCKED)

    def count_failure(self, account: Account) -> None:
        if self._config[LOCKOUT_MODE] not in ("enforce", "warn"):
            return
        with self._lock:
            self.counted += 1
            count, since = self._failures.pop(account, (0, self._clock()))
            if self._is_over(since):
                count, since = 0, self._clock()
            self._failures[account] = (count + 1, since)
            if len(self._failures) > _MOST_COUNTED:
                del self._failures[next(iter(self._failures))]

    def save(self) -> Callable[[], None]:
        """Return a function that restores the failures of now. ``counted`` goes on, so that caches notice."""
        with self._lock:
            failures = dict(self._failures)

        def restore() -> None:
            with self._lock:
                self.counted += 1
                self._failures = dict(failures)

        return restore

    def _is_over(self, since: float) -> bool:
        return (self._clock() - since) * 1000 >= self._config[LOCKOUT_MAX_LIFETIME]
