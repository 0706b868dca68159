"""The order in which Erlang's ``dict`` gives its keys back: answers that the real server collects in one have it.

A ``dict`` is a linear hash table that begins with 16 buckets and gets one more with every fifth key beyond 80; the
hash is that of ``erlang:phash/2``. Answers are collected by a fold that puts each key before those it met earlier.
"""

from __future__ import annotations

_FIRST_BUCKETS = 16
_KEYS_A_BUCKET = 5
_BYTE_FACTOR = 268440163
_LENGTH_FACTOR = 268436141
_WORD = 0xFFFFFFFF


def in_dict_order(keys: list[str]) -> list[str]:
    """The keys of a ``dict`` into which they were put in this order, as a list that a fold over it builds."""
    count = max(_FIRST_BUCKETS, -(-len(keys) // _KEYS_A_BUCKET))
    space = _FIRST_BUCKETS
    while space < count:
        space *= 2
    buckets: dict[int, list[str]] = {}
    for key in keys:
        bucket = _phash(key.encode("utf-8", "surrogateescape"), space)
        buckets.setdefault(bucket if bucket <= count else bucket - space // 2, []).append(key)
    return [key for bucket in sorted(buckets) for key in reversed(buckets[bucket])]


def _phash(key: bytes, space: int) -> int:
    """``erlang:phash(Key, Space)`` of a binary: 1 to ``space``."""
    value = 0
    for byte in key:
        value = (value * _BYTE_FACTOR + byte) & _WORD
    return 1 + ((value * _LENGTH_FACTOR + len(key)) & _WORD) % space
