"""The session cookie: ``AuthSession``, base64url of name, time of issue in hex and an HMAC, parted by colons.

The HMAC's key is the server's secret followed by the user's salt, so that a new password ends older sessions.
Source: CouchDB documentation, "API: Authentication: Cookie Authentication".
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
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
    """A cookie taken apart: the user's name, what was signed, the signature, and the seconds since 1970 of its
    issue (None where that is no number)."""

    user: str
    signed: bytes
    signature: bytes
    issued: int | None


def cookie_value(header: str | None, name: str = NAME) -> str:
    """The value of a cookie in a ``Cookie`` header, without quotes; ``""`` where it is not there."""
    for match in _PAIR.finditer(header or ""):
        if match[1] == name:
            return re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3].strip()
    return ""


def parse(value: str) -> Session:
    """Take a cookie's value apart; BadRequest where it is none of ours."""
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
    """Whether one of the server's hash algorithms gives the cookie's signature."""
    return any(
        hmac.compare_digest(hmac.digest(key, session.signed, algorithm), session.signature)
        for algorithm in hash_algorithms(config)
    )


def key_of(secret: str, salt: str) -> bytes:
    return (secret + salt).encode("utf-8")


def ensure_secret(config: Config) -> str:
    """The server's secret; made and kept in the configuration when first needed."""
    secret = config[SECRET]
    if not secret:
        secret = secrets.token_hex(16)
        config[SECRET] = secret
    return secret


def hash_algorithms(config: Config) -> list[str]:
    """Python's names of the algorithms; the first signs, all are accepted."""
    known = [HASHES[name] for name in config[HASH_ALGORITHMS] if name in HASHES]
    return known or ["sha256"]


def issue(config: Config, now: float, user: str, key: bytes, *, secure: bool) -> str:
    """The ``Set-Cookie`` value of a new session."""
    signed = user.encode("utf-8", "surrogateescape") + b":%X" % int(now)
    data = signed + b":" + hmac.digest(key, signed, hash_algorithms(config)[0])
    return _header(config, now, base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii"), secure=secure)


def clear(config: Config, now: float, *, secure: bool) -> str:
    """The ``Set-Cookie`` value that ends a session at the client."""
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
    """A date as cookies had it before RFC 6265, and as CouchDB still writes it. Independent of the locale."""
    at = time.gmtime(seconds)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.tm_wday]
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day}, {at.tm_mday:02}-{months[at.tm_mon - 1]}-{at.tm_year:04} {time.strftime('%H:%M:%S', at)} GMT"
