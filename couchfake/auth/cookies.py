"""The session cookie: ``AuthSession``, the base64url of name, time of issue in hex and an HMAC, joined by colons.

The HMAC's key is the server's secret followed by the user's salt, so that a new password ends older sessions.
Source: CouchDB documentation, "API: Authentication: Cookie Authentication".
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass

from couchfake.auth.passwords import HASHES
from couchfake.config import Config
from couchfake.errors import BadRequest
from couchfake.settings import ALLOW_PERSISTENT_COOKIES, COOKIE_DOMAIN, HASH_ALGORITHMS, SAME_SITE, SECRET, TIMEOUT

NAME = "AuthSession"
MALFORMED = "Malformed AuthSession cookie. Please clear your cookies."

_PAIR = re.compile(r'\s*([^=;\s]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,]*))')
_HEX = re.compile(rb"[+-]?[0-9A-Fa-f]+")


@dataclass(frozen=True)
class Session:
    """A parsed cookie: the user's name, the signed bytes, the signature, and the time of issue.

    The time is in seconds since 1970, None if it is not a number.
    """

    user: str
    signed: bytes
    signature: bytes
    issued: int | None


def cookie_value(header: str | None, name: str = NAME) -> str:
    """Return the value of the cookie in a ``Cookie`` header, without quotes; ``""`` if it is missing."""
    for match in _PAIR.finditer(header or ""):
        if match[1] == name:
            return re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3].strip()
    return ""


def parse(value: str) -> Session:
    """Parse a cookie's value. Raise BadRequest if it does not have the form of a session cookie."""
    try:
        data = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        user, issued, signature = data.split(b":", 2)
    except (binascii.Error, ValueError):
        raise BadRequest(MALFORMED) from None
    return Session(
        user.decode("utf-8", "surrogateescape"),
        user + b":" + issued,
        signature,
        int(issued, 16) if _HEX.fullmatch(issued) else None,
    )


def is_genuine(config: Config, session: Session, key: bytes) -> bool:
    """Return whether one of the server's hash algorithms yields the cookie's signature."""
    return any(
        hmac.compare_digest(hmac.digest(key, session.signed, algorithm), session.signature)
        for algorithm in hash_algorithms(config)
    )


def key_of(secret: str, salt: str) -> bytes:
    return (secret + salt).encode("utf-8")


def ensure_secret(config: Config) -> str:
    """Return the server's secret. Create it and set it in the configuration if there is none."""
    secret = config[SECRET]
    if not secret:
        secret = secrets.token_hex(16)
        config[SECRET] = secret
    return secret


def hash_algorithms(config: Config) -> list[str]:
    """Return Python's names of the configured algorithms. The first one signs; all are accepted."""
    known = [HASHES[name] for name in config[HASH_ALGORITHMS] if name in HASHES]
    return known or ["sha256"]


def issue(config: Config, now: float, user: str, key: bytes, *, secure: bool) -> str:
    """Return the ``Set-Cookie`` value of a new session."""
    signed = user.encode("utf-8", "surrogateescape") + b":%X" % int(now)
    data = signed + b":" + hmac.digest(key, signed, hash_algorithms(config)[0])
    return _header(config, now, base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii"), secure=secure)


def clear(config: Config, now: float, *, secure: bool) -> str:
    """Return the ``Set-Cookie`` value that ends a session at the client."""
    return _header(config, now, "", secure=secure)


def _header(config: Config, now: float, value: str, *, secure: bool) -> str:
    parts = [f"{NAME}={value}", "Version=1"]
    if config[ALLOW_PERSISTENT_COOKIES]:
        age = config[TIMEOUT]
        parts += [f"Expires={_date(now + age)}", f"Max-Age={age}"]
    if secure:
        parts.append("Secure")
    domain = config[COOKIE_DOMAIN]
    if domain:
        parts.append(f"Domain={domain}")
    parts += ["Path=/", "HttpOnly"]
    same_site = config[SAME_SITE].lower()
    if same_site in ("none", "lax", "strict"):
        parts.append(f"SameSite={same_site.capitalize()}")
    return "; ".join(parts)


def _date(seconds: float) -> str:
    """Format a date as in cookies before RFC 6265, which CouchDB still uses. Independent of the locale."""
    at = time.gmtime(seconds)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.tm_wday]
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day}, {at.tm_mday:02}-{months[at.tm_mon - 1]}-{at.tm_year:04} {time.strftime('%H:%M:%S', at)} GMT"


# Sessions that a snapshot ends
#
# A session cookie carries its own proof, and the server keeps no list of them. So the signatures of those that are
# given out are noted while a snapshot exists, and refused once it has been restored.


_MOST_ENDED = 10_000


class OpenedSessions:
    """The sessions of one server. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshots = 0
        self._opened: list[bytes] = []
        self._ended: dict[bytes, None] = {}

    def note(self, signature: bytes) -> None:
        """A session was opened or prolonged. In the same second a user gets the same cookie, which then is valid."""
        if not self._snapshots and not self._ended:
            return
        with self._lock:
            self._ended.pop(signature, None)
            if self._snapshots:
                self._opened.append(signature)

    def is_ended(self, signature: bytes) -> bool:
        return signature in self._ended

    def begin(self) -> int:
        """Note sessions from now on, until ``drop``. Return the mark for ``end_since``."""
        with self._lock:
            self._snapshots += 1
            return len(self._opened)

    def end_since(self, mark: int) -> None:
        """End the sessions that were opened after ``begin`` returned ``mark``."""
        with self._lock:
            self._ended.update(dict.fromkeys(self._opened[mark:]))
            del self._opened[mark:]
            while len(self._ended) > _MOST_ENDED:
                del self._ended[next(iter(self._ended))]

    def drop(self) -> None:
        with self._lock:
            self._snapshots -= 1
            if not self._snapshots:
                self._opened.clear()
