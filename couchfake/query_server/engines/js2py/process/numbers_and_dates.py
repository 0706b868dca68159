"""Numbers and dates for js2py.

js2py writes numbers as Python does, and its remainder changes numbers that others hold. It reads few forms of dates,
writes milliseconds wrongly, and has ``Date.parse`` give an object.
"""

from __future__ import annotations

import calendar
import math
import operator
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from time import time as clock
from typing import Any

from js2py import base
from js2py.base import Js, MakeError
from js2py.constructors import jsdate

from couchfake.query_server.engines.js2py.process.native import define

# ---- numbers
#
# Source: ECMAScript 5.1, 9.8.1, 11.5.3, 15.7.4, 15.8.2.15.

_EXACT = 2**53
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def install_numbers(number: Any, script_math: Any) -> None:
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


# ---- dates

_ISO = re.compile(
    r"([+-]?\d{4,6})(?:-(\d\d)(?:-(\d\d))?)?"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?)?"
)
_NUMERIC = re.compile(r"(\d{1,4})/(\d{1,2})/(\d{1,4})")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?(?:\.(\d+))?\s*(am|pm)?", re.IGNORECASE)
_ZONE = re.compile(r"(?:\b(?:GMT|UTC?|Z)\b)?\s*([+-]\d\d):?(\d\d)\b|\b(?:GMT|UTC?|Z)\b", re.IGNORECASE)
_MOST = 8.64e15
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = "{weekday} {month} {day:02d} {year:04d}"
_TIME = "{hour:02d}:{minute:02d}:{second:02d} GMT+0000"
_LOCAL_DAY, _LOCAL_TIME = "{number:02d}/{day:02d}/{year:04d}", "{hour12:02d}:{minute:02d}:{second:02d} {half}"
_FORMS = {
    "toString": f"{_DAY} {_TIME}",
    "toDateString": _DAY,
    "toTimeString": _TIME,
    "toUTCString": "{weekday}, {day:02d} {month} {year:04d} {hour:02d}:{minute:02d}:{second:02d} GMT",
    "toLocaleString": f"{_LOCAL_DAY}, {_LOCAL_TIME}",
    "toLocaleDateString": _LOCAL_DAY,
    "toLocaleTimeString": _LOCAL_TIME,
}
"""The texts of dates as QuickJS writes them, in UTC."""


def install_dates(date: Any) -> None:
    """Patch ``Date``."""
    jsdate.date_constructor1 = _made
    prototype = date.own["prototype"]["value"]
    get_time = prototype.get("getTime")

    def time_of(this: Any) -> Any:
        return get_time.call(this, ())

    def written(form: str) -> Callable[[Any], Any]:
        def text(this: Any) -> Any:
            moment = time_of(this)
            return Js("Invalid Date" if moment.is_nan() else _written(int(moment.value), form))

        return text

    define(date, "now", lambda: Js(int(clock() * 1000)))
    define(date, "parse", lambda text: _js(parse(text.to_string().value)))
    define(prototype, "toISOString", lambda this: Js(iso_text(time_of(this))), method=True)
    for name, form in _FORMS.items():
        define(prototype, name, written(form), method=True)


def _written(time: int, form: str) -> str:
    days, milliseconds = divmod(time, 86_400_000)
    year, month, day = _civil(days)
    seconds = milliseconds // 1000
    return form.format(
        weekday=_WEEKDAYS[(days + 4) % 7].title(), month=_MONTHS[month - 1].title(), number=month, day=day, year=year,
        hour=seconds // 3600, minute=seconds // 60 % 60, second=seconds % 60,
        hour12=(seconds // 3600 + 11) % 12 + 1, half="PM" if seconds >= 43_200 else "AM",
    )  # fmt: skip


def iso_text(time: Any) -> str:
    """Return ``toISOString`` of a time in milliseconds. Raise RangeError for an invalid date."""
    if time.is_nan():
        raise MakeError("RangeError", "Date value is NaN")
    seconds, milliseconds = divmod(int(time.value), 1000)
    days, rest = divmod(seconds, 86400)
    year, month, day = _civil(days)
    shown = f"{year:04d}" if 0 <= year <= 9999 else f"{'-' if year < 0 else '+'}{abs(year):06d}"
    return f"{shown}-{month:02d}-{day:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}.{milliseconds:03d}Z"


def parse(text: str) -> float | None:
    """Return a date's milliseconds since 1970, in UTC unless the text names a zone; None if the text is not a date."""
    match = _ISO.fullmatch(text.strip())
    if match is not None:
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        clock = (int(hour or 0), int(minute or 0), int(second or 0), int((fraction or "0").ljust(3, "0")[:3]))
        return _time(int(year), int(month or 1), int(day or 1), clock, _offset(zone))
    return _parse_words(text)


def _parse_words(text: str) -> float | None:
    offset = 0
    clock = (0, 0, 0, 0)
    numeric = _NUMERIC.search(text)
    found = _CLOCK.search(text)
    if found is not None:
        hour, minute, second, fraction, half = found.groups()
        hours = int(hour) % 12 + (12 if half.lower() == "pm" else 0) if half else int(hour)
        clock = (hours, int(minute), int(second or 0), int((fraction or "0").ljust(3, "0")[:3]))
        zone = _ZONE.search(text, found.end())
        if zone is not None and zone[1] is not None:
            offset = _offset(zone[1] + zone[2])
        text = text[: found.start()] + " " + (text[found.end() :] if zone is None else text[zone.end() :])
    if numeric is not None:
        first, second_part, third = (int(part) for part in numeric.groups())
        year, month, day = (first, second_part, third) if first > 31 else (third, first, second_part)
        return _time(year, month, day, clock, offset)
    words = re.findall(r"[A-Za-z]+|\d+", text)
    months = [_MONTHS.index(word[:3].lower()) + 1 for word in words if word[:3].lower() in _MONTHS]
    numbers = [int(word) for word in words if word.isdigit()]
    if len(months) != 1 or len(numbers) != 2:
        return None
    day, year = sorted(numbers)
    return _time(year, months[0], day, clock, offset)


def _time(year: int, month: int, day: int, clock: tuple[int, int, int, int], offset: int) -> float | None:
    hour, minute, second, milliseconds = clock
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 24 and minute < 60 and second < 60):
        return None
    days = calendar.timegm((1970 + (year - 1970) % 400, month, 1, 0, 0, 0)) // 86400 + (year - 1970) // 400 * 146097
    seconds = ((days + day - 1) * 24 + hour) * 3600 + minute * 60 + second
    return (seconds - offset * 60) * 1000 + milliseconds


def _offset(zone: str | None) -> int:
    """Minutes of ``+0200``, ``-01:30``, ``Z``."""
    if zone in (None, "Z"):
        return 0
    digits = zone[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if zone[0] == "-" else minutes


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day counted from 1970, in the calendar of today."""
    era, day_of_era = divmod(days + 719468, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = year_of_era + era * 400 + (month <= 2)
    return year, month, day_of_year - (153 * month_from_march + 2) // 5 + 1


def _made(value: Any) -> Any:
    """``new Date(value)``"""
    if value.Class == "Date":
        value = value.get("getTime").call(value, ())
    value = value.to_primitive()
    time = parse(value.value) if value.TYPE == "String" else float(value.to_number().value)
    if time is None or not abs(time) <= _MOST:
        return jsdate.PyJsDate(base.NaN, prototype=jsdate.DatePrototype)
    return jsdate.PyJsDate(int(time), prototype=jsdate.DatePrototype)


def _js(time: float | None) -> Any:
    return base.NaN if time is None else Js(time)
