"""The value of a `ListField`: a list of Python values over the list of JSON values in the document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

if TYPE_CHECKING:
    from couchdb_client.fields import Field

__all__ = ["ListProxy"]

Item = TypeVar("Item")


class ListProxy(list[Item]):
    """A list whose items live in the document, in ``list``, as JSON values that ``field`` converts.

    Reading an item converts it, and each change is a change of the document. (The storage that this class inherits
    stays empty: it is a list so that `isinstance` says so.) Slices, sums, products and copies are lists of their own.
    """

    __hash__ = None

    def __init__(self, values: list[Any], field: Field[Item, Any]) -> None:
        super().__init__()
        self.list = values
        self.field = field

    def _value(self, item: Any) -> Item:
        return None if item is None else self.field._to_python(item)  # type: ignore[return-value]  # null is None

    def _item(self, value: Any) -> Any:
        return None if value is None else self.field._to_json(value)

    def _matches(self, item: Any, value: object) -> bool:
        """Return whether ``value`` is an item; an object of a `Mapping` class is one if its content is."""
        unwrap = getattr(value, "unwrap", None)
        return bool(self._value(item) == value or (unwrap is not None and unwrap() == item))

    def _argument(self, args: tuple[Any, ...], members: dict[str, Any], method: str) -> Any:
        """Return the one value that is given, as it is or by the members of a dictionary."""
        if len(args) > 1 or (args and members):
            raise TypeError(f"{method}() takes one value")
        if args:
            return args[0]
        if not self.field.takes_members:
            raise TypeError(f"{method}() takes keyword arguments for lists of dictionaries only")
        return members

    # Reading

    def __len__(self) -> int:
        return len(self.list)

    def __iter__(self) -> Iterator[Item]:
        return map(self._value, self.list)

    def __reversed__(self) -> Iterator[Item]:
        return map(self._value, reversed(self.list))

    @overload
    def __getitem__(self, index: SupportsIndex) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> ListProxy[Item]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(self.list[index], self.field)
        return self._value(self.list[index])

    def __contains__(self, value: object) -> bool:
        return any(self._matches(item, value) for item in self.list)

    def count(self, value: Item) -> int:
        return sum(1 for item in self.list if self._matches(item, value))

    def index(self, value: Item, start: SupportsIndex = 0, stop: SupportsIndex | None = None) -> int:
        for position in range(len(self.list))[slice(start, stop)]:
            if self._matches(self.list[position], value):
                return position
        raise ValueError(f"{value!r} is not in list")

    def copy(self) -> list[Item]:
        return list(self)

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Item]:
        from copy import deepcopy

        return deepcopy(list(self), memo)

    def __repr__(self) -> str:
        return repr(self.list)

    def __eq__(self, other: object) -> bool:
        """Return whether ``other`` is a list of the same Python values, or of the same JSON values."""
        if isinstance(other, ListProxy):
            return self.list == other.list
        return self.list == other or list(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: list[Item]) -> bool:
        return list(self) < list(other)

    def __le__(self, other: list[Item]) -> bool:
        return list(self) <= list(other)

    def __gt__(self, other: list[Item]) -> bool:
        return list(self) > list(other)

    def __ge__(self, other: list[Item]) -> bool:
        return list(self) >= list(other)

    def __add__(self, other: list[Any]) -> list[Any]:
        return list(self) + list(other)

    def __radd__(self, other: list[Any]) -> list[Any]:
        return other + list(self)

    def __mul__(self, times: SupportsIndex) -> list[Item]:
        return list(self) * times

    __rmul__ = __mul__

    # Writing

    @overload
    def __setitem__(self, index: SupportsIndex, value: Item) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Item]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        self.list[index] = [self._item(item) for item in value] if isinstance(index, slice) else self._item(value)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        del self.list[index]

    def append(self, *value: Any, **members: Any) -> None:
        """Append a value; to a list of dictionaries also one of ``members``."""
        self.list.append(self._item(self._argument(value, members, "append")))

    def insert(self, index: SupportsIndex, *value: Any, **members: Any) -> None:
        """Insert a value before ``index``; into a list of dictionaries also one of ``members``."""
        self.list.insert(index, self._item(self._argument(value, members, "insert")))

    def extend(self, values: Iterable[Item]) -> None:
        self.list.extend([self._item(value) for value in values])

    def __iadd__(self, values: Iterable[Item]) -> ListProxy[Item]:  # type: ignore[override,misc]  # as typeshed has it for list
        self.extend(values)
        return self

    def __imul__(self, times: SupportsIndex) -> ListProxy[Item]:
        self.list *= times
        return self

    def pop(self, index: SupportsIndex = -1) -> Item:
        return self._value(self.list.pop(index))

    def remove(self, value: Item) -> None:
        self.list.remove(self._item(value))

    def clear(self) -> None:
        self.list.clear()

    def reverse(self) -> None:
        self.list.reverse()

    def sort(self, *, key: Callable[[Item], Any] | None = None, reverse: bool = False) -> None:
        """Sort by the Python values."""

        def by(item: Any) -> Any:
            value = self._value(item)
            return value if key is None else key(value)

        self.list.sort(key=by, reverse=reverse)
