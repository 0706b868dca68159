"""Passwords, cookies and tokens kept out of what the test kit shows."""

from __future__ import annotations

import re

STARS = "***"

HEADERS = frozenset(("authorization", "cookie", "set-cookie", "proxy-authorization", "x-auth-couchdb-token"))
"""Headers whose values are secrets, in lower case."""

_NAMES = rb"password|password_sha|derived_key|salt|secret|token|access_token|cookie|hmac"
_SUSPECT = re.compile(rb"(?i)passw|derived_key|salt|secret|token|cookie|authorization|hmac|://[^/\"\s]*@")
_STRING = rb'"(?:[^"\\]|\\.)*"?'
_MEMBER = re.compile(rb'(?i)("(?:' + _NAMES + rb'|authorization)"\s*:\s*)(?:' + _STRING + rb"|[^\s,}\]]+)")
_FORM = re.compile(rb"(?i)(^|[?&])(" + _NAMES + rb")=[^&\s]*")
_LOGIN = re.compile(rb"(://)[^/\"\s@]*@")
_CONFIG = re.compile(r"/_node/[^/]+/_config/(?:admins|jwt_keys|chttpd_auth/secret|couch_httpd_auth/secret)(?:/|$)")
_SECTION = re.compile(rb'("(?:admins|jwt_keys)"\s*:\s*)\{[^}]*\}?')


def is_secret_path(path: str) -> bool:
    """Return whether everything that is sent to and from a path is secret: passwords in the configuration."""
    return _CONFIG.search(path) is not None


def redacted(text: bytes) -> bytes:
    """Return a body with the values of secret members, form fields and logins in URLs replaced by stars."""
    if not _SUSPECT.search(text) and b'"admins"' not in text and b'"jwt_keys"' not in text:
        return text
    text = _SECTION.sub(rb'\1"***"', text)
    text = _MEMBER.sub(rb'\1"***"', text)
    text = _FORM.sub(rb"\1\2=***", text)
    return _LOGIN.sub(rb"\1***@", text)


def redacted_text(text: str) -> str:
    """The same for a URL or another text."""
    return redacted(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def without_login(url: str) -> str:
    """Return a URL without a name and a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else url.rpartition("@")[2]
