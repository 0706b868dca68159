"""Dates for js2py, which reads few forms of them, writes milliseconds wrongly, and has Date.parse give an object."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from time import time as clock
from typing import Any

from js2py import base
from js2py.base import Js, MakeError
from js2py.constructors import jsdate

from couchfake.query_server.engines.js2py.process.native import define

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


def install(date: Any) -> None:
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
