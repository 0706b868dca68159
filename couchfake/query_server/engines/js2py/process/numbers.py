"""Numbers for js2py, which writes them as Python does and whose remainder changes numbers that others hold.

Source: ECMAScript 5.1, 9.8.1, 11.5.3, 15.7.4, 15.8.2.15.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from js2py import base
from js2py.base import Js, MakeError

from couchfake.query_server.engines.js2py.process.native import define

_EXACT = 2**53
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def install(number: Any, script_math: Any) -> None:
    """Patch ``Number``, ``Math`` and the arithmetic operators."""
    base.js_dtoa = text
    base.PyJs.__mod__ = _remainder
    base.PyJs.__add__ = _add
    base.PyJs.__sub__ = _doubles(operator.sub)
    base.PyJs.__mul__ = _doubles(operator.mul)
    prototype = number.own["prototype"]["value"]
    for name, write in (("toFixed", _fixed), ("toExponential", _exponential), ("toPrecision", _precise)):
        define(prototype, name, _method(name, write), method=True)
    define(prototype, "toString", _to_string, method=True)
    define(script_math, "round", _round)


def as_float(value: float) -> float:
    """Return a number of js2py, which may be a large int, as the double that it is in JavaScript."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def text(value: float) -> str:
    """A number as JavaScript writes it."""
    if -_EXACT <= value <= _EXACT and value == int(value):
        return str(int(value))
    number = as_float(value)
    if not math.isfinite(number):
        return _not_finite(number)
    if number == 0:
        return "0"
    sign, digits, exponent = _decimal_digits(number)
    point = len(digits) + exponent
    if 21 >= point >= len(digits):
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def _decimal_digits(number: float) -> tuple[str, str, int]:
    """Sign, shortest digits without zeros at the end, and exponent."""
    sign, all_digits, exponent = Decimal(repr(number)).as_tuple()
    assert isinstance(exponent, int)
    digits = "".join(map(str, all_digits))
    short = digits.rstrip("0")
    return "-" * sign, short, exponent + len(digits) - len(short)


def _not_finite(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _doubles(operation: Callable[[float, float], float]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        value = operation(self.to_number().value, other.to_number().value)
        return Js(value if -_EXACT <= value <= _EXACT else as_float(value))

    return method


_add_numbers = _doubles(operator.add)


def _add(self: Any, other: Any) -> Any:
    left, right = self.to_primitive(), other.to_primitive()
    if left.TYPE == "String" or right.TYPE == "String":
        return Js(left.to_string().value + right.to_string().value)
    return _add_numbers(left, right)


def _remainder(self: Any, other: Any) -> Any:
    dividend, divisor = as_float(self.to_number().value), as_float(other.to_number().value)
    if math.isnan(dividend) or math.isnan(divisor) or math.isinf(dividend) or divisor == 0:
        return base.NaN
    return Js(math.fmod(dividend, divisor))


def _round(value: Any) -> Any:
    number = as_float(value.to_number().value)
    if not abs(number) < _EXACT:
        return Js(number)
    whole = math.floor(number)
    return Js(whole + 1 if number - whole >= 0.5 else whole)


# ---- members of Number.prototype


def _value(this: Any, name: str) -> float:
    if this.Class != "Number":
        raise MakeError("TypeError", f"Number.prototype.{name} called on a value that is not a number")
    return as_float(this.to_number().value)


def _method(name: str, write: Callable[[float, int | None], str]) -> Callable[[Any, Any], Any]:
    def method(this: Any, digits: Any) -> Any:
        number = _value(this, name)
        given = None if digits.is_undefined() else int(digits.to_int())
        return Js(write(number, given) if math.isfinite(number) else _not_finite(number))

    return method


def _fixed(number: float, digits: int | None) -> str:
    places = _in_range(digits or 0, 0)
    return text(number) if abs(number) >= 1e21 else _rounded(number, f".{places}f")


def _exponential(number: float, digits: int | None) -> str:
    if digits is None:
        digits = len(_decimal_digits(number)[1]) - 1 if number else 0
    return _rounded(number, f".{_in_range(digits, 0)}e")


def _precise(number: float, digits: int | None) -> str:
    if digits is None:
        return text(number)
    places = _in_range(digits, 1) - 1
    scientific = _rounded(number, f".{places}e")
    exponent = int(scientific.partition("e")[2])
    return scientific if exponent < -6 or exponent > places else _rounded(number, f".{places - exponent}f")


def _in_range(digits: int, least: int) -> int:
    if not least <= digits <= 100:
        raise MakeError("RangeError", "invalid number of digits")
    return digits


def _rounded(number: float, form: str) -> str:
    """A number, exact as it is, in a format of Python's; halves are rounded away from zero."""
    with localcontext() as context:
        context.rounding = ROUND_HALF_UP
        return format(Decimal(number or 0), form)


def _to_string(this: Any, radix: Any) -> Any:
    number = _value(this, "toString")
    base_of = 10 if radix.is_undefined() else int(radix.to_int())
    if not 2 <= base_of <= 36:
        raise MakeError("RangeError", "radix must be between 2 and 36")
    if base_of == 10 or not math.isfinite(number):
        return Js(text(number))
    sign = "-" if number < 0 else ""
    whole = int(abs(number))
    return Js(sign + _whole(whole, base_of) + _fraction(abs(number) - whole, math.ulp(number) / 2, base_of))


def _whole(number: int, radix: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, radix)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _fraction(number: float, half_step: float, radix: int) -> str:
    """Return the digits after the point, as many as distinguish the number from its neighbours."""
    rest, step = Fraction(number), Fraction(half_step)
    digits = ""
    while rest and rest >= step:
        rest, step = rest * radix, step * radix
        digits += _DIGITS[int(rest)]
        rest -= int(rest)
    return "." + digits if digits else ""
