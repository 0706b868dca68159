"""``_approx_count_distinct``: HyperLogLog++ with 2,048 registers, so that estimates are the server's own.

A register holds the longest run of zeros, plus one, among the hashes that fell to it. The hash is the SHA-1 of the
key's Erlang term, of which 64 bits count: 11 choose the register, the other 53 are looked at for zeros. Estimates of
middling sets are corrected by what Google measured (Heule, Nunkesser, Hall: "HyperLogLog in Practice", appendix,
precision 11).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from couchfake.values.erlang import term_to_binary

PRECISION: Final = 11
_REGISTERS: Final = 1 << PRECISION
_RUN_BITS: Final = 64 - PRECISION
_RUN_MASK: Final = (1 << _RUN_BITS) - 1
_ALPHA: Final = 0.7213 / (1 + 1.079 / _REGISTERS)
_LINEAR_UP_TO: Final = 1800
_NEIGHBOURS: Final = 6

Registers = Mapping[int, int]
"""Register number → longest run plus one; registers without a hash are omitted."""


def registers_of(keys: Iterable[Any]) -> Registers:
    """Return the registers of some JSON keys."""
    found: dict[int, int] = {}
    for key in keys:
        head = int.from_bytes(hashlib.sha1(term_to_binary(key), usedforsecurity=False).digest()[:8], "big")
        register = head >> _RUN_BITS
        run = _RUN_BITS - (head & _RUN_MASK).bit_length() + 1
        if found.get(register, 0) < run:
            found[register] = run
    return found


def union(sets: Iterable[Registers]) -> Registers:
    """Return the registers of the union of several sets."""
    merged: dict[int, int] = {}
    for each in sets:
        for register, run in each.items():
            if merged.get(register, 0) < run:
                merged[register] = run
    return merged


def estimate(registers: Registers) -> int:
    """Return the estimated number of distinct keys."""
    empty = _REGISTERS - len(registers)
    total = 0.0
    for register in range(_REGISTERS):  # the order of additions shows in the last digits
        total += math.ldexp(1.0, -registers.get(register, 0))
    raw = _ALPHA * _REGISTERS * _REGISTERS / total
    corrected = raw - _bias(raw) if raw <= 5 * _REGISTERS else raw
    linear = _REGISTERS * math.log(_REGISTERS / empty) if empty else corrected
    return _rounded(linear if linear <= _LINEAR_UP_TO else corrected)


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)


def _bias(raw: float) -> float:
    nearest = sorted(range(len(_ESTIMATES)), key=lambda n: (raw - _ESTIMATES[n]) ** 2)[:_NEIGHBOURS]
    total = 0.0
    for n in nearest:
        total += _ESTIMATES[n] - _cardinality(n)
    return total / _NEIGHBOURS


def _cardinality(n: int) -> int:
    """The size of the sets whose raw estimates were, on average, ``_ESTIMATES[n]``: evenly from 1 to 10,240."""
    return 1 + 10239 * n // 200 - (n == 159)  # which had been rounded the other way


# fmt: off
_ESTIMATES: Final = (
    1477.0, 1501.6014, 1526.5802, 1551.7942, 1577.3042, 1603.2062, 1629.8402, 1656.2292, 1682.9462, 1709.9926,
    1737.3026, 1765.4252, 1793.0578, 1821.6092, 1849.626, 1878.5568, 1908.527, 1937.5154, 1967.1874, 1997.3878,
    2027.37, 2058.1972, 2089.5728, 2120.1012, 2151.9668, 2183.292, 2216.0772, 2247.8578, 2280.6562, 2313.041,
    2345.714, 2380.3112, 2414.1806, 2447.9854, 2481.656, 2516.346, 2551.5154, 2586.8378, 2621.7448, 2656.6722,
    2693.5722, 2729.1462, 2765.4124, 2802.8728, 2838.898, 2876.408, 2913.4926, 2951.4938, 2989.6776, 3026.282,
    3065.7704, 3104.1012, 3143.7388, 3181.6876, 3221.1872, 3261.5048, 3300.0214, 3339.806, 3381.409, 3421.4144,
    3461.4294, 3502.2286, 3544.651, 3586.6156, 3627.337, 3670.083, 3711.1538, 3753.5094, 3797.01, 3838.6686,
    3882.1678, 3922.8116, 3967.9978, 4009.9204, 4054.3286, 4097.5706, 4140.6014, 4185.544, 4229.5976, 4274.583,
    4316.9438, 4361.672, 4406.2786, 4451.8628, 4496.1834, 4543.505, 4589.1816, 4632.5188, 4678.2294, 4724.8908,
    4769.0194, 4817.052, 4861.4588, 4910.1596, 4956.4344, 5002.5238, 5048.13, 5093.6374, 5142.8162, 5187.7894,
    5237.3984, 5285.6078, 5331.0858, 5379.1036, 5428.6258, 5474.6018, 5522.7618, 5571.5822, 5618.59, 5667.9992,
    5714.88, 5763.454, 5808.6982, 5860.3644, 5910.2914, 5953.571, 6005.9232, 6055.1914, 6104.5882, 6154.5702,
    6199.7036, 6251.1764, 6298.7596, 6350.0302, 6398.061, 6448.4694, 6495.933, 6548.0474, 6597.7166, 6646.9416,
    6695.9208, 6742.6328, 6793.5276, 6842.1934, 6894.2372, 6945.3864, 6996.9228, 7044.2372, 7094.1374, 7142.2272,
    7192.2942, 7238.8338, 7288.9006, 7344.0908, 7394.8544, 7443.5176, 7490.4148, 7542.9314, 7595.6738, 7641.9878,
    7694.3688, 7743.0448, 7797.522, 7845.53, 7899.594, 7950.3132, 7996.455, 8050.9442, 8092.9114, 8153.1374,
    8197.4472, 8252.8278, 8301.8728, 8348.6776, 8401.4698, 8453.551, 8504.6598, 8553.8944, 8604.1276, 8657.6514,
    8710.3062, 8758.908, 8807.8706, 8862.1702, 8910.4668, 8960.77, 9007.2766, 9063.164, 9121.0534, 9164.1354,
    9218.1594, 9267.767, 9319.0594, 9372.155, 9419.7126, 9474.3722, 9520.1338, 9572.368, 9622.7702, 9675.8448,
    9726.5396, 9778.7378, 9827.6554, 9878.1922, 9928.7782, 9978.3984, 10026.578, 10076.5626, 10137.1618, 10177.5244,
    10229.9176,
)
# fmt: on
