"""Documents as objects of a class: a dataclass, or a model with pydantic's interface."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import re
import types
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from couchdb_client import bulk, mango
from couchdb_client.document import Document, get, save
from couchdb_client.errors import ResourceNotFound, in_request
from couchdb_client.resource import Resource
from couchdb_client.views import PermanentView, Row, ViewResults, path_from_name

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from couchdb_client.options import ViewOptions

__all__ = ["TypedDatabase", "TypedRow"]

T = TypeVar("T")

#: Members of a document, and the attributes that may hold them.
_SPECIAL = {"_id": ("_id", "id"), "_rev": ("_rev", "rev")}


class TypedRow(Row[Any, Any], Generic[T]):
    """A row of a view whose document, with ``include_docs=True``, is an object."""

    read: Callable[[dict[str, Any]], T]

    @property
    def object(self) -> T | None:
        """The document as an object; None if the row has no document."""
        doc = self.get("doc")
        return self.read(doc) if doc else None


class TypedDatabase(Generic[T]):
    """A database whose documents are objects of the class ``kind``.

    ``kind`` is a dataclass, or has ``model_validate`` and ``model_dump`` as pydantic's models have. Its attribute
    ``id`` (or an alias ``_id``) is the document's ID, ``rev`` its revision; a class without ``rev`` is fine, the
    revisions of objects that were read or saved here are remembered then. So are all members of a document that the
    class does not have, among them its attachments: they are saved again with the object.

    Annotations of a dataclass are honoured for nested dataclasses, lists, tuples, sets, dictionaries, optional values,
    enumerations, ``datetime``, ``date``, ``time``, ``Decimal`` and ``UUID`` (saved as text).
    """

    def __init__(self, resource: Resource, kind: type[T]) -> None:
        self.resource = resource
        self.kind = kind
        self._codec: _Codec[T] = _Model(kind) if hasattr(kind, "model_validate") else _Dataclass(kind)
        self._beside = _Beside()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.kind.__name__}>"

    def __getitem__(self, docid: str) -> T:
        """Return the document as an object. Raise `ResourceNotFound` if it does not exist."""
        found = self.get(docid)
        if found is None:
            missing = ResourceNotFound(("not_found", "missing"))
            in_request(missing, "GET", self.resource.of_document(docid).url)
            missing.docid = docid
            raise missing
        return found

    def get(self, docid: str) -> T | None:
        """Return the document as an object, None if it does not exist."""
        doc = get(self.resource, docid, None, {})
        return None if doc is None else self.read(doc)

    def read(self, doc: Mapping[str, Any]) -> T:
        """Return a document's object. Raise `ValueError` or `TypeError` if it does not fit the class."""
        found = self._codec.read(doc)
        self._beside.put(found, {name: doc[name] for name in doc if name not in self._codec.names})
        return found

    def write(self, obj: T) -> Document:
        """Return an object's document, with what is remembered of it."""
        return Document({**self._beside.get(obj), **self._codec.write(obj)})

    def save(self, obj: T) -> T:
        """Save an object; it gets its new revision, and its ID if it had none.

        Return the object, or, of a class that does not let its attributes be set, a copy with them. Raise
        `ResourceConflict` if the document was updated since.
        """
        doc = self.write(obj)
        save(self.resource, doc, {})
        return self._saved(obj, doc)

    def save_many(self, objects: Iterable[T]) -> list[tuple[T, Exception | None]]:
        """Save objects by one request. Return each with None, or with the exception for why it was refused."""
        objects = list(objects)
        docs = [self.write(obj) for obj in objects]
        results = bulk.update(self.resource, docs, {})
        return [
            (self._saved(obj, doc), None) if ok else (obj, cast(Exception, outcome))
            for obj, doc, (ok, _, outcome) in zip(objects, docs, results, strict=True)
        ]

    def find(self, mango_query: Mapping[str, Any]) -> mango.FindResults[T]:
        """Return the documents that a Mango query selects, as objects; see `Database.find`."""
        return mango.find(self.resource, mango_query, self.read)

    def view(self, name: str, **options: Unpack[ViewOptions]) -> ViewResults[TypedRow[T]]:
        """Return the rows of a view; with ``include_docs=True`` the property ``object`` of each is its document."""
        path = path_from_name(name, "_view")
        return PermanentView(self.resource(*path), "/".join(path), wrapper=self._row)(**options)

    def all(self) -> Iterator[T]:
        """Yield all documents but design documents, as objects."""
        for row in self.view("_all_docs", include_docs=True):
            if not row["id"].startswith("_design/"):
                yield self.read(row["doc"])

    def _row(self, members: dict[str, Any]) -> TypedRow[T]:
        row: TypedRow[T] = TypedRow(members)
        row.read = self.read
        return row

    def _saved(self, obj: T, doc: Mapping[str, Any]) -> T:
        saved = self._codec.with_identity(obj, doc["_id"], doc["_rev"])
        self._beside.put(saved, {name: doc[name] for name in doc if name not in self._codec.names})
        return saved


class _Beside:
    """Members of documents that their objects have no attribute for, as long as the objects live."""

    def __init__(self) -> None:
        self._members: dict[int, tuple[weakref.ref[Any], dict[str, Any]]] = {}

    def put(self, obj: Any, members: dict[str, Any]) -> None:
        key = id(obj)
        if not members:
            self._members.pop(key, None)
            return
        everything = self._members
        try:
            reference = weakref.ref(obj, lambda _: everything.pop(key, None))
        except TypeError:
            raise TypeError(
                f"{type(obj).__name__} has no attributes for {', '.join(sorted(members))}, and its objects cannot be "
                "referenced weakly so that they could be kept elsewhere (weakref_slot=True allows it)"
            ) from None
        self._members[key] = reference, members

    def get(self, obj: Any) -> dict[str, Any]:
        reference, members = self._members.get(id(obj), (None, {}))
        return members if reference is not None and reference() is obj else {}


class _Codec(Generic[T]):
    """How objects of a class become documents. ``names`` are the members of a document that have an attribute."""

    names: frozenset[str]

    def read(self, doc: Mapping[str, Any]) -> T:
        raise NotImplementedError

    def write(self, obj: T) -> dict[str, Any]:
        raise NotImplementedError

    def with_identity(self, obj: T, docid: str, rev: str) -> T:
        """Return the object with the ID and the revision of its document."""
        for name, value in self._identity(docid, rev).items():
            setattr(obj, name, value)
        return obj

    def _identity(self, docid: str, rev: str) -> dict[str, str]:
        raise NotImplementedError


class _Dataclass(_Codec[T]):
    def __init__(self, kind: type[T]) -> None:
        if not dataclasses.is_dataclass(kind):
            raise TypeError(f"expected a dataclass or a class with model_validate and model_dump, got {kind!r}")
        self._kind = kind
        attributes = {field.name for field in dataclasses.fields(kind)}
        #: member of a document → attribute
        self._attributes = {name: name for name in attributes}
        for member, candidates in _SPECIAL.items():
            for attribute in candidates:
                if attribute in attributes:
                    del self._attributes[attribute]
                    self._attributes[member] = attribute
                    break
        if "_id" not in self._attributes:
            raise TypeError(f"{kind.__name__} has no field 'id'")
        self.names = frozenset(self._attributes)

    def read(self, doc: Mapping[str, Any]) -> T:
        hints = get_type_hints(self._kind)
        values = {
            attribute: _read(hints[attribute], doc[member])
            for member, attribute in self._attributes.items()
            if member in doc
        }
        return self._kind(**values)

    def write(self, obj: T) -> dict[str, Any]:
        doc = {member: _write(getattr(obj, attribute)) for member, attribute in self._attributes.items()}
        return {name: value for name, value in doc.items() if not (value is None and name in _SPECIAL)}

    def with_identity(self, obj: T, docid: str, rev: str) -> T:
        try:
            return super().with_identity(obj, docid, rev)
        except dataclasses.FrozenInstanceError:
            return cast(T, dataclasses.replace(cast(Any, obj), **self._identity(docid, rev)))

    def _identity(self, docid: str, rev: str) -> dict[str, str]:
        given = {"_id": docid, "_rev": rev}
        return {self._attributes[member]: value for member, value in given.items() if member in self._attributes}


class _Model(_Codec[T]):
    """A class with pydantic's interface: ``model_fields``, ``model_validate``, ``model_dump``, ``model_copy``."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        #: member of a document → attribute
        self._attributes = {field.alias or name: name for name, field in kind.model_fields.items()}
        for member, candidates in _SPECIAL.items():
            if member not in self._attributes and candidates[1] in self._attributes:
                self._attributes[member] = self._attributes.pop(candidates[1])
        if "_id" not in self._attributes:
            raise TypeError(f"{kind.__name__} has no field 'id', and none with the alias '_id'")
        self._aliases = {
            member: kind.model_fields[attribute].alias or attribute for member, attribute in self._attributes.items()
        }
        self.names = frozenset(self._attributes)

    def read(self, doc: Mapping[str, Any]) -> T:
        values = {alias: doc[member] for member, alias in self._aliases.items() if member in doc}
        return cast(T, self._kind.model_validate(values))

    def write(self, obj: T) -> dict[str, Any]:
        values = cast(Any, obj).model_dump(mode="json", by_alias=True)
        doc = {member: values[alias] for member, alias in self._aliases.items()}
        return {name: value for name, value in doc.items() if not (value is None and name in _SPECIAL)}

    def with_identity(self, obj: T, docid: str, rev: str) -> T:
        if getattr(self._kind, "model_config", {}).get("frozen"):
            return cast(T, cast(Any, obj).model_copy(update=self._identity(docid, rev)))
        return super().with_identity(obj, docid, rev)

    def _identity(self, docid: str, rev: str) -> dict[str, str]:
        given = {"_id": docid, "_rev": rev}
        return {self._attributes[member]: value for member, value in given.items() if member in self._attributes}


_FROM_TEXT: dict[Any, Callable[[str], Any]] = {
    datetime.datetime: lambda text: datetime.datetime.fromisoformat(re.sub("Z$", "+00:00", text)),
    datetime.date: datetime.date.fromisoformat,
    datetime.time: datetime.time.fromisoformat,
    decimal.Decimal: decimal.Decimal,
    uuid.UUID: uuid.UUID,
}


def _read(hint: Any, value: Any) -> Any:
    """Return the Python value of a member whose annotation is ``hint``. Raise `ValueError` if it has none."""
    if hint in _FROM_TEXT and isinstance(value, str):
        return _FROM_TEXT[hint](value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        hints = get_type_hints(hint)
        return hint(**{name: _read(hints.get(name, Any), member) for name, member in value.items()})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _read_union(arguments, value)
    if origin in (list, set, frozenset) and isinstance(value, list):
        return origin(_read(arguments[0], item) for item in value)
    if origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else arguments
        return tuple(_read(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is dict and isinstance(value, Mapping):
        return {name: _read(arguments[1], member) for name, member in value.items()}
    return value


def _read_union(kinds: tuple[Any, ...], value: Any) -> Any:
    """Return the value as the first of ``kinds`` that it fits."""
    if value is None and type(None) in kinds:
        return None
    failure: Exception | None = None
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            found = _read(kind, value)
        except (ValueError, TypeError, decimal.InvalidOperation) as exc:
            failure = exc
            continue
        if not isinstance(kind, type) or isinstance(found, kind):
            return found
    if failure is not None:
        raise failure
    return value


def _write(value: Any) -> Any:
    """Return what JSON can hold of an attribute's value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _write(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return _write(value.value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _write(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_write(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_write(item) for item in value)
    return value
