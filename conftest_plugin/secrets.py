"""Passwords kept out of pytest's output."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

STARS = "***"


def secrets_of(url: str) -> list[str]:
    """Return every form in which the password of a URL may be printed; empty if it has none."""
    parts = urlsplit(url)
    if not parts.password:
        return []
    user, password = unquote(parts.username or ""), unquote(parts.password)
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    escaped = repr(password)[1:-1]
    return sorted({password, parts.password, escaped, token, token.rstrip("=")}, key=len, reverse=True)


def redact(report: Any, secrets: Iterable[str]) -> None:
    """Replace secrets in a report: in its traceback with all local variables, and in captured output."""
    pattern = re.compile("|".join(re.escape(each) for each in secrets)) if secrets else None
    if pattern is None:
        return
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):
        report.longrepr = tuple(pattern.sub(STARS, each) if isinstance(each, str) else each for each in longrepr)
    elif longrepr is not None and pattern.search(str(longrepr)):
        report.longrepr = pattern.sub(STARS, str(longrepr))
    report.sections = [(name, pattern.sub(STARS, text)) for name, text in report.sections]
