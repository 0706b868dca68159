"""Fields of mapped documents: how Python values become members of a JSON object, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from time import struct_time
from typing import TYPE_CHECKING, Any, Generic, SupportsFloat, SupportsIndex, SupportsInt, TypeVar, overload

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "BooleanField", "DateField", "DateTimeField", "DecimalField", "Field", "FloatField", "IntegerField", "LongField",
    "TextField", "TimeField",
]  # fmt: skip

Got = TypeVar("Got")
Given = TypeVar("Given")


class Field(Generic[Got, Given]):
    """An attribute of a `Mapping` class that is stored as a member of its JSON object, as text in this base class.

    ``name`` is the member's name, the attribute's by default. ``default`` is the value, or a function that returns the
    value, of new objects and of documents that lack the member.

    Reading the attribute gives None if the document lacks the member, or has null, and the field has no default. A
    field of your own overrides `_to_python` and `_to_json`.

    (Attributes are typed ``… | Any``, because whether they can be None depends on the documents.)
    """

    #: Whether a value may be given by its members, as keyword arguments of ``append`` and ``insert`` of a list.
    takes_members = False

    def __init__(self, name: str | None = None, default: Got | Callable[[], Got] | None = None) -> None:
        self.name = name
        self.default: Any = default

    def __set_name__(self, owner: type, name: str) -> None:
        if not self.name:
            self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Any, owner: type) -> Got | Any: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        value = instance._data.get(self.name)
        return self._missing(instance) if value is None else self._to_python(value)

    def __set__(self, instance: Any, value: Given | None) -> None:
        instance._data[self.name] = None if value is None else self._to_json(value)

    def _to_python(self, value: Any) -> Got:
        """Return the attribute's value for a member's value, which is not null."""
        return str(value)  # type: ignore[return-value]  # Got is str in the base class itself

    def _to_json(self, value: Any) -> Any:
        """Return the member's value for a value of the attribute, which is not None."""
        return self._to_python(value)

    def _missing(self, instance: Any) -> Any:
        """Return the attribute's value for an object that lacks the member."""
        return self.default() if callable(self.default) else self.default


class TextField(Field[str, object]):
    """Text."""


class FloatField(Field[float, SupportsFloat | SupportsIndex | str]):
    """A floating-point number."""

    def _to_python(self, value: Any) -> float:
        return float(value)


class IntegerField(Field[int, SupportsInt | SupportsIndex | str]):
    """An integer of any size."""

    def _to_python(self, value: Any) -> int:
        return int(value)


class LongField(IntegerField):
    """An integer of any size: the same as `IntegerField`."""


class BooleanField(Field[bool, object]):
    """True or False."""

    def _to_python(self, value: Any) -> bool:
        return bool(value)


class DecimalField(Field[Decimal, Decimal | float | str]):
    """A decimal number, stored as text so that no digit is lost.

    >>> DecimalField()._to_json(Decimal('9.90'))
    '9.90'
    >>> DecimalField()._to_python('9.90')
    Decimal('9.90')
    """

    def _to_python(self, value: Any) -> Decimal:
        return Decimal(value)

    def _to_json(self, value: Any) -> str:
        return str(value)


class DateField(Field[date, date]):
    """A date, stored as text in ISO 8601 form.

    >>> DateField()._to_json(datetime(2024, 2, 29, 12, 30))
    '2024-02-29'
    >>> DateField()._to_python('2024-02-29')
    datetime.date(2024, 2, 29)
    """

    def _to_python(self, value: Any) -> date:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # a document may hold something else, which passes unchanged
        parts = re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)", value)
        if parts is None:
            raise ValueError(f"Invalid ISO date {value!r}")
        return date(*map(int, parts.groups()))

    def _to_json(self, value: Any) -> str:
        day: date = value.date() if isinstance(value, datetime) else value
        return day.isoformat()


_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:([+-])(\d\d):(\d\d))?Z?", re.ASCII
)  # with an offset and Z both: couchdb-python stored times with an offset so


class DateTimeField(Field[datetime, date | struct_time]):
    """A date and time in UTC without a time zone, stored as text in ISO 8601 form.

    A time with a time zone is converted to UTC; one without is taken to be UTC.

    >>> DateTimeField()._to_json(datetime(2024, 2, 29, 12, 30))
    '2024-02-29T12:30:00Z'
    >>> DateTimeField()._to_python('2024-02-29T12:30:00.25Z')
    datetime.datetime(2024, 2, 29, 12, 30, 0, 250000)
    """

    def _to_python(self, value: Any) -> datetime:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # as in DateField
        match = _DATE_TIME.fullmatch(value)
        if match is None:
            raise ValueError(f"Invalid ISO date/time {value!r}")
        base, fraction, sign, hours, minutes = match.groups()
        moment = datetime.fromisoformat(base).replace(microsecond=int((fraction or "").ljust(6, "0")))
        if sign is None:
            return moment
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return moment + offset if sign == "-" else moment - offset

    def _to_json(self, value: Any) -> str:
        if isinstance(value, struct_time):
            value = datetime(*value[:6])  # noqa: DTZ001 - UTC without a time zone, as the class says
        elif not isinstance(value, datetime):
            value = datetime.combine(value, time(0))
        offset = value.utcoffset()
        if offset is not None:
            value = value.replace(tzinfo=None) - offset
        return f"{value.isoformat()}Z"


class TimeField(Field[time, time | datetime]):
    """A time of day in whole seconds, stored as text in ISO 8601 form.

    >>> TimeField()._to_json(datetime(2024, 2, 29, 12, 30))
    '12:30:00'
    >>> TimeField()._to_python('12:30:00')
    datetime.time(12, 30)
    """

    def _to_python(self, value: Any) -> time:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # as in DateField
        parts = re.fullmatch(r"(\d\d?):(\d\d?):(\d\d?)(?:\..*)?", value)
        if parts is None:
            raise ValueError(f"Invalid ISO time {value!r}")
        hour, minute, second = map(int, parts.groups())
        return time(hour, minute, second)

    def _to_json(self, value: Any) -> str:
        moment: time = value.time() if isinstance(value, datetime) else value
        return moment.replace(microsecond=0, tzinfo=None).isoformat()
