"""What other rooms derive from a database and keep with it: view indexes, Mango's, validation functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from couchfake.storage.database import Database

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Place(Generic[_Key, _Value]):
    """Things of one kind among the ``indexes`` of a database. The room that makes them declares the place.

    They are gone when the database is. Hold its lock while changing them.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"Place({self._name!r})"

    def get(self, database: Database, key: _Key) -> _Value | None:
        found: _Value | None = database.indexes.get((self, key))
        return found

    def put(self, database: Database, key: _Key, value: _Value) -> _Value:
        database.indexes[self, key] = value
        return value

    def drop(self, database: Database, key: _Key) -> None:
        database.indexes.pop((self, key), None)

    def keys(self, database: Database) -> list[_Key]:
        """Return the keys in the order in which they were put."""
        names: list[Any] = list(database.indexes)
        return [name[1] for name in names if isinstance(name, tuple) and name[0] is self]
