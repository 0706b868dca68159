"""XXH3 with 128 bits, against what the reference implementation makes of the same bytes."""

from __future__ import annotations

import pytest

from couchfake.values.xxh128 import xxh128

KNOWN = {  # by length: each way of hashing, its ends, and more than one block of the longest
    0: "99aa06d3014798d86001c324468d497f",
    1: "22bbb76b211a39ba13e608bc156defed",
    3: "ce31763cbf8245a5a9088dda485b481c",
    4: "47197970590746b1788a609154b0fe20",
    8: "e3bc8a5f461715553cd024e3d63a1588",
    9: "c72c88247a9a56d7eafab1c7f123109f",
    16: "ce0b9647ab24f88460d75c5e47d40a24",
    17: "bfd327edcc2fbd12eeed7654312a26d7",
    64: "fed953fe6a8b2b63aa549d72c69cd267",
    65: "9f5580903f79bec343622ea01271a860",
    128: "1b1962a096bac78bc580008b6c92ac53",
    129: "293e4968c4619023bd91ce7ace4d385b",
    240: "ad46c1021b076bc704e0b5f034bee80b",
    241: "ac6c3492c3d6b45d8beadd3a8874fe17",
    1024: "18bc0eaca9a336369b81661c641c72b1",
    1025: "bf447251cfa98d7c806c2072ed713576",
    3000: "2f8842a022466a4fc89178bb873c6b3d",
}


@pytest.mark.parametrize("size", KNOWN)
def test_bytes_of_every_length_hash_as_the_reference_has_them(size: int) -> None:
    assert f"{xxh128(bytes((i * 7 + 3) % 256 for i in range(size))):032x}" == KNOWN[size]
