"""XXH3 with 128 bits, seed 0: the hash that the real server makes ETags of.

Source: the xxHash specification, "XXH3 Algorithm Overview" (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). In pure
Python some 10 MB a second at best, far too slow for bulk data, and enough for the terms that are hashed here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_M64 = 0xFFFFFFFFFFFFFFFF
_M32 = 0xFFFFFFFF
_P32_1, _P32_2, _P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_P64_1, _P64_2, _P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P64_4, _P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
_MX1, _MX2 = 0x165667919E3779F9, 0x9FB21C651E98DF25

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248e"
    "e03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d"
    "8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc"
    "8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)

Halves = tuple[int, int]
"""The lower and the upper 64 bits."""


def xxh128(data: bytes) -> int:
    """The hash of some bytes, as a number."""
    size = len(data)
    short: Callable[[bytes], Halves]
    if size <= 16:
        short = _to_3 if size <= 3 else _4_to_8 if size <= 8 else _9_to_16
    else:
        short = _17_to_128 if size <= 128 else _129_to_240 if size <= 240 else _long
    low, high = short(data)
    return high << 64 | low


def _u32(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


def _u64(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "little")


def _fold(a: int, b: int) -> int:
    """Both halves of a product, combined."""
    product = a * b
    return (product & _M64) ^ (product >> 64)


def _swap(number: int, size: int) -> int:
    return int.from_bytes(number.to_bytes(size, "little"), "big")


def _avalanche(number: int) -> int:
    number ^= number >> 37
    number = number * _MX1 & _M64
    return number ^ number >> 32


def _avalanche_64(number: int) -> int:
    """That of the older XXH64."""
    number ^= number >> 33
    number = number * _P64_2 & _M64
    number ^= number >> 29
    number = number * _P64_3 & _M64
    return number ^ number >> 32


# ---- up to 16 bytes


def _to_3(data: bytes) -> Halves:
    size = len(data)
    if not size:
        low = _u64(_SECRET, 64) ^ _u64(_SECRET, 72)
        return _avalanche_64(low), _avalanche_64(_u64(_SECRET, 80) ^ _u64(_SECRET, 88))
    combined = data[size - 1] | size << 8 | data[0] << 16 | data[size >> 1] << 24
    swapped = _swap(combined, 4)
    rotated = (swapped << 13 | swapped >> 19) & _M32
    low = (_u32(_SECRET, 0) ^ _u32(_SECRET, 4)) ^ combined
    return _avalanche_64(low), _avalanche_64((_u32(_SECRET, 8) ^ _u32(_SECRET, 12)) ^ rotated)


def _4_to_8(data: bytes) -> Halves:
    size = len(data)
    combined = _u32(data, 0) | _u32(data, size - 4) << 32
    value = (_u64(_SECRET, 16) ^ _u64(_SECRET, 24)) ^ combined
    product = value * (_P64_1 + (size << 2))
    low, high = product & _M64, product >> 64 & _M64
    high = high + (low << 1) & _M64
    low ^= high >> 3
    low ^= low >> 35
    low = low * _MX2 & _M64
    low ^= low >> 28
    return low, _avalanche(high)


def _9_to_16(data: bytes) -> Halves:
    size = len(data)
    first, last = _u64(data, 0), _u64(data, size - 8)
    value_1 = (_u64(_SECRET, 32) ^ _u64(_SECRET, 40)) ^ first ^ last
    value_2 = (_u64(_SECRET, 48) ^ _u64(_SECRET, 56)) ^ last
    product = value_1 * _P64_1
    low = (product & _M64) + ((size - 1) << 54) & _M64
    high = (product >> 64) + (value_2 >> 32 << 32) + (value_2 & _M32) * _P32_2 & _M64
    low ^= _swap(high, 8)
    product = low * _P64_2
    high = (product >> 64) + high * _P64_2 & _M64
    return _avalanche(product & _M64), _avalanche(high)


# ---- up to 240 bytes


def _mix(data: bytes, place: int, secret: int) -> int:
    return _fold(_u64(data, place) ^ _u64(_SECRET, secret), _u64(data, place + 8) ^ _u64(_SECRET, secret + 8))


def _mix_two(data: bytes, one: int, other: int, secret: int, low: int, high: int) -> Halves:
    low = (low + _mix(data, one, secret) & _M64) ^ (_u64(data, other) + _u64(data, other + 8) & _M64)
    high = (high + _mix(data, other, secret + 16) & _M64) ^ (_u64(data, one) + _u64(data, one + 8) & _M64)
    return low, high


def _finish(low: int, high: int, size: int) -> Halves:
    last = low * _P64_1 + high * _P64_4 + size * _P64_2 & _M64
    return _avalanche(low + high & _M64), -_avalanche(last) & _M64


def _17_to_128(data: bytes) -> Halves:
    size = len(data)
    low, high = size * _P64_1 & _M64, 0
    for place in range((size - 1) // 32, -1, -1):
        low, high = _mix_two(data, place * 16, size - place * 16 - 16, place * 32, low, high)
    return _finish(low, high, size)


def _129_to_240(data: bytes) -> Halves:
    size = len(data)
    low, high = size * _P64_1 & _M64, 0
    for place in range(0, 128, 32):
        low, high = _mix_two(data, place, place + 16, place, low, high)
    low, high = _avalanche(low), _avalanche(high)
    for place in range(128, size - size % 32, 32):
        low, high = _mix_two(data, place, place + 16, 3 + place - 128, low, high)
    low, high = _mix_two(data, size - 16, size - 32, 136 - 17 - 16, low, high)
    return _finish(low, high, size)


# ---- more: stripes of 64 bytes, of which 16 make a block

_LANES = struct.Struct("<8Q")
_STRIPES = (len(_SECRET) - 64) // 8


def _accumulate(lanes: list[int], data: bytes, place: int, secret: int) -> None:
    values, keys = _LANES.unpack_from(data, place), _LANES.unpack_from(_SECRET, secret)
    for lane in range(8):
        key = values[lane] ^ keys[lane]
        lanes[lane ^ 1] += values[lane]
        lanes[lane] = lanes[lane] + (key & _M32) * (key >> 32) & _M64
    for lane in range(8):
        lanes[lane] &= _M64


def _scramble(lanes: list[int]) -> None:
    keys = _LANES.unpack_from(_SECRET, len(_SECRET) - 64)
    for lane, value in enumerate(lanes):
        lanes[lane] = (value ^ value >> 47 ^ keys[lane]) * _P32_1 & _M64


def _merge(lanes: list[int], secret: int, value: int) -> int:
    keys = _LANES.unpack_from(_SECRET, secret)
    for lane in range(0, 8, 2):
        value += _fold(lanes[lane] ^ keys[lane], lanes[lane + 1] ^ keys[lane + 1])
    return _avalanche(value & _M64)


def _long(data: bytes) -> Halves:
    size = len(data)
    lanes = [_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1]
    for stripe in range((size - 1) // 64):
        _accumulate(lanes, data, stripe * 64, stripe % _STRIPES * 8)
        if stripe % _STRIPES == _STRIPES - 1:
            _scramble(lanes)
    _accumulate(lanes, data, size - 64, len(_SECRET) - 64 - 7)
    low = _merge(lanes, 11, size * _P64_1 & _M64)
    high = _merge(lanes, len(_SECRET) - 64 - 11, ~(size * _P64_2) & _M64)
    return low, high
