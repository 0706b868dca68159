"""One-time passwords by time (RFC 6238), for user documents with a ``totp`` member.

Source: CouchDB documentation, "Configuration: Authentication: [totp]".
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any

from couchfake.auth.passwords import HASHES

STEP = 30


def is_right(totp: Any, token: str, now: float) -> bool:
    """Return whether a token is that of the current time step, or of the one before or after it.

    ``totp``: ``{"key": base32, "algorithm": "sha", "length": 6}``, the last two optional.
    """
    if not isinstance(totp, dict):
        return False
    algorithm, length = HASHES.get(totp.get("algorithm", "sha")), totp.get("length", 6)
    try:
        key = base64.b32decode(str(totp.get("key", "")), casefold=True)
    except binascii.Error:
        return False
    if algorithm is None or not isinstance(length, int):
        return False
    expected = [_token(key, algorithm, length, int(now + shift) // STEP) for shift in (-STEP, 0, STEP)]
    matches = [hmac.compare_digest(each.encode(), token.encode("utf-8")) for each in expected]
    return True in matches  # all are compared, whichever matches


def _token(key: bytes, algorithm: str, length: int, counter: int) -> str:
    digest = hmac.digest(key, counter.to_bytes(8, "big"), algorithm)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number)[-length:].zfill(length)
