"""Documents as Python objects with typed attributes.

>>> from datetime import datetime
>>> class Person(Document):
...     name = TextField()
...     age = IntegerField()
...     added = DateTimeField(default=datetime.now)
>>> person = Person(id='john', name='John Doe', age=42, added=datetime(2024, 2, 29))
>>> person.age += 1
>>> person
<Person 'john'@None {'name': 'John Doe', 'age': 43, 'added': '2024-02-29T00:00:00Z'}>

``person.store(db)`` saves the document, ``Person.load(db, 'john')`` reads it, and views of the class give its objects.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from collections.abc import Mapping as AbstractMapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from couchdb_client.design import ViewDefinition
from couchdb_client.fields import (
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    Field,
    FloatField,
    IntegerField,
    LongField,
    TextField,
    TimeField,
)
from couchdb_client.list_proxy import ListProxy

if TYPE_CHECKING:
    from typing_extensions import Self

    from couchdb_client.database import Database
    from couchdb_client.results import Results

__all__ = [
    "Mapping", "Document", "Field", "TextField", "FloatField", "IntegerField", "LongField", "BooleanField",
    "DecimalField", "DateField", "DateTimeField", "TimeField", "DictField", "ListField", "ViewField",
]  # fmt: skip

Got = TypeVar("Got")
Given = TypeVar("Given")
AnyMapping = TypeVar("AnyMapping", bound="Mapping")

#: The wrapper of a `ViewField` that was given none: the class that it belongs to.
DEFAULT: Any = object()


class Mapping(MutableMapping[str, Any]):
    """A JSON object with typed attributes: one for each `Field` of the class.

    ``values`` are values of attributes; fields that they lack get their defaults, and names that are no field's are
    ignored. Items (``mapping['name']``) are the members of the JSON object, under their names there and not converted.
    """

    _fields: dict[str, Field[Any, Any]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        inherited = {name: field for base in reversed(cls.__mro__) for name, field in _own_fields(base).items()}
        cls._fields = {**inherited, **_own_fields(cls)}

    def __init__(self, **values: Any) -> None:
        self._data: dict[str, Any] = {}
        for name in self._fields:
            setattr(self, name, values[name] if name in values else getattr(self, name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._data!r}>"

    __eq__ = object.__eq__  # two documents with the same content are two documents

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def __getitem__(self, name: str) -> Any:
        return self._data[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._data[name] = value

    def __delitem__(self, name: str) -> None:
        del self._data[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self._data.get(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        return self._data.setdefault(name, default)

    def unwrap(self) -> dict[str, Any]:
        """Return the JSON object: the dictionary itself, not a copy."""
        return self._data

    @classmethod
    def build(cls, **fields: Any) -> Any:
        """Return a new class with these fields, for a `DictField`."""
        metaclass: Any = type(cls)
        return metaclass("AnonymousStruct", (cls,), {"__module__": cls.__module__, **fields})

    @classmethod
    def wrap(cls, data: dict[str, Any]) -> Self:
        """Return an object over a JSON object, which is not copied."""
        # A class with a constructor of its own may set more than fields there.
        instance = cls.__new__(cls) if cls.__init__ in (Mapping.__init__, Document.__init__) else cls()
        instance._data = data
        return instance

    @classmethod
    def _to_python(cls, value: dict[str, Any]) -> Self:
        return cls.wrap(value)

    @classmethod
    def _to_json(cls, value: Any) -> dict[str, Any]:
        return value.unwrap() if isinstance(value, Mapping) else cls(**value).unwrap()


def _own_fields(cls: type) -> dict[str, Field[Any, Any]]:
    return {name: value for name, value in vars(cls).items() if isinstance(value, Field)}


#: The metaclass of `Mapping` and `Document`, for metaclasses that derive from theirs.
MappingMeta = DocumentMeta = ABCMeta


class _ContainerField(Field[Got, Given]):
    """A field whose values are changed in place.

    Reading it where the document lacks the member puts the default into the document, so that what is then added to the
    value is saved.
    """

    def _missing(self, instance: Any) -> Any:
        default = self.default() if callable(self.default) else deepcopy(self.default)
        instance._data[self.name] = self._to_json(self._empty() if default is None else default)
        return self._to_python(instance._data[self.name])

    def _empty(self) -> Any:
        raise NotImplementedError


class DictField(_ContainerField[Got, AbstractMapping[str, Any]]):
    """A JSON object: a dictionary, or an object of a `Mapping` class if there is one.

    >>> class Post(Document):
    ...     title = TextField()
    ...     author = DictField(Mapping.build(name=TextField(), email=TextField()))
    ...     extra = DictField()
    >>> post = Post(author={'name': 'John Doe', 'email': 'john@doe.com'})
    >>> post.author.name
    'John Doe'
    >>> post.extra['stars'] = 3
    >>> post.unwrap()['extra']
    {'stars': 3}
    """

    takes_members = True

    @overload
    def __init__(
        self: DictField[dict[str, Any]], mapping: None = None, name: str | None = None, default: Any = None
    ) -> None: ...
    @overload
    def __init__(
        self: DictField[AnyMapping], mapping: type[AnyMapping], name: str | None = None, default: Any = None
    ) -> None: ...
    def __init__(self, mapping: Any = None, name: str | None = None, default: Any = None) -> None:
        super().__init__(name, default)
        self.mapping = mapping

    def _empty(self) -> dict[str, Any]:
        return {}

    def _to_python(self, value: Any) -> Any:
        return value if self.mapping is None else self.mapping.wrap(value)

    def _to_json(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value.unwrap()
        return value if self.mapping is None else self.mapping(**value).unwrap()


class ListField(_ContainerField[ListProxy[Got], Iterable[Given]], Generic[Got, Given]):
    """A JSON array of values of ``field``: a field, a class of fields, or a `Mapping` class.

    >>> class Post(Document):
    ...     tags = ListField(TextField())
    ...     comments = ListField(DictField(Mapping.build(author=TextField(), content=TextField())))
    >>> post = Post(tags=['python'])
    >>> post.comments.append(author='Joe', content='Nice')
    >>> post.comments[0].author
    'Joe'
    >>> post.unwrap()
    {'tags': ['python'], 'comments': [{'author': 'Joe', 'content': 'Nice'}]}
    """

    Proxy = ListProxy

    @overload
    def __init__(
        self, field: Field[Got, Given] | type[Field[Got, Given]], name: str | None = None, default: Any = None
    ) -> None: ...
    @overload
    def __init__(
        self: ListField[AnyMapping, AbstractMapping[str, Any]],
        field: type[AnyMapping],
        name: str | None = None,
        default: Any = None,
    ) -> None: ...
    def __init__(self, field: Any, name: str | None = None, default: Any = None) -> None:
        super().__init__(name, default)
        if isinstance(field, type):
            field = DictField(field) if issubclass(field, Mapping) else field()
        if not isinstance(field, Field):
            raise TypeError(f"expected a field, got {field!r}")
        self.field = field

    def _empty(self) -> list[Any]:
        return []

    def _to_python(self, value: Any) -> ListProxy[Got]:
        return self.Proxy(value, self.field)

    def _to_json(self, value: Any) -> list[Any]:
        return [None if item is None else self.field._to_json(item) for item in value]


class Document(Mapping):
    """A document with typed attributes: one for each `Field` of the class, and its `id` and `rev`.

    ``id`` is the document's ID; without one, the server chooses it when the document is stored.
    """

    def __init__(self, id: str | None = None, **values: Any) -> None:
        super().__init__(**values)
        if id is not None:
            self.id = id

    def __repr__(self) -> str:
        members = {name: value for name, value in self._data.items() if name not in ("_id", "_rev")}
        return f"<{type(self).__name__} {self.id!r}@{self.rev!r} {members!r}>"

    @property
    def id(self) -> str | Any:
        """The document's ID, None if it has none yet. Setting it raises `AttributeError` if it has one."""
        return self._data.get("_id")

    @id.setter
    def id(self, value: str) -> None:
        if self.id is not None:
            raise AttributeError("id can only be set on new documents")
        self._data["_id"] = value

    @property
    def rev(self) -> str | Any:
        """The document's revision, None if it was never stored."""
        return self._data.get("_rev")

    def items(self) -> list[tuple[str, Any]]:  # type: ignore[override]  # a list, as in couchdb-python
        """Return the members of the document as ``(name, value)`` pairs, ``_id`` and ``_rev`` first.

        >>> class Post(Document):
        ...     title = TextField()
        >>> Post(id='first', title='Hello').items()
        [('_id', 'first'), ('title', 'Hello')]
        """
        special = [(name, self._data[name]) for name in ("_id", "_rev") if self._data.get(name) is not None]
        return special + [(name, value) for name, value in self._data.items() if name not in ("_id", "_rev")]

    @classmethod
    def load(cls, db: Database, id: str) -> Self | None:
        """Return the document with this ID, or None if the database does not have it."""
        doc = db.get(id)
        return None if doc is None else cls.wrap(doc)

    def store(self, db: Database) -> Self:
        """Create or update the document in the database. Return the object itself.

        Raise `ResourceConflict` if the document was updated since it was loaded.
        """
        db.save(self._data)
        return self

    @classmethod
    def query(
        cls, db: Database, map_fun: Any, reduce_fun: Any = None, language: str = "javascript", **options: Any
    ) -> Results[Self]:
        """Return objects of this class for the rows of an ad-hoc query; see `view` and `Database.query`."""
        wrapper: Any = cls._wrap_row
        results: Results[Self] = db.query(
            map_fun, reduce_fun=reduce_fun, language=language, wrapper=wrapper, **options
        )  # fmt: skip
        return results

    @classmethod
    def view(cls, db: Database, viewname: str, **options: Any) -> Results[Self]:
        """Return objects of this class for the rows of the view ``viewname``, queried with ``options``.

        With ``include_docs=True`` an object is the row's document, else it is made of the row's value, which must be a
        JSON object.
        """
        wrapper: Any = cls._wrap_row
        results: Results[Self] = db.view(viewname, wrapper=wrapper, **options)
        return results

    @classmethod
    def _wrap_row(cls, row: dict[str, Any]) -> Self | None:
        """Return the object for a row. It is None for a key that was not found.

        Raise `TypeError` if the row has neither a document nor an object as its value.
        """
        if row.get("doc") is not None:
            return cls.wrap(row["doc"])
        if "error" in row:
            return None
        data = row.get("value")
        if not isinstance(data, dict):
            raise TypeError(f"cannot make a {cls.__name__} of the row's value {data!r}: query with include_docs=True")
        data["_id"] = row["id"]
        if "rev" in data:  # the value of _all_docs
            data["_rev"] = data["rev"]
        return cls.wrap(data)


class ViewField:
    """A view as an attribute of a `Document` class: a `ViewDefinition` whose results are objects of the class.

    >>> class Person(Document):
    ...     name = TextField()
    ...     by_name = ViewField('people', '''
    ...         function (doc) {
    ...             emit(doc.name, doc);
    ...         }''')
    >>> Person.by_name
    <ViewDefinition '_design/people/_view/by_name'>

    ``Person.by_name.sync(db)`` stores the view, ``Person.by_name(db, key='Joe')`` queries it. See `Document.view` for
    what rows must look like. ``name`` is the view's name, the attribute's by default; ``wrapper`` replaces the class
    (None gives plain rows); ``defaults`` and all else are as in `ViewDefinition`.
    """

    def __init__(
        self,
        design: str,
        map_fun: str | Callable[..., Any],
        reduce_fun: str | Callable[..., Any] | None = None,
        name: str | None = None,
        language: str = "javascript",
        wrapper: Callable[[Any], Any] | None = DEFAULT,
        **defaults: Any,
    ) -> None:
        self.design = design
        self.name = name
        self.map_fun = map_fun
        self.reduce_fun = reduce_fun
        self.language = language
        self.wrapper = wrapper
        self.defaults = defaults

    @classmethod
    def define(
        cls,
        design: str,
        name: str | None = None,
        language: str = "python",
        wrapper: Callable[[Any], Any] | None = DEFAULT,
        **defaults: Any,
    ) -> Callable[[Callable[..., Any]], ViewField]:
        """Return a decorator that makes a field of a map function in Python.

        >>> class Person(Document):
        ...     @ViewField.define('people')
        ...     def by_name(doc):
        ...         yield doc['name'], doc
        >>> Person.by_name.language
        'python'
        """

        def view_field(function: Callable[..., Any]) -> ViewField:
            return cls(design, function, name=name, language=language, wrapper=wrapper, **defaults)

        return view_field

    def __set_name__(self, owner: type, name: str) -> None:
        if not self.name:
            self.name = name

    def __get__(self, instance: Any, cls: Any = None) -> ViewDefinition:
        wrapper = (cls or type(instance))._wrap_row if self.wrapper is DEFAULT else self.wrapper
        return ViewDefinition(
            self.design, self.name or "", self.map_fun, self.reduce_fun,
            language=self.language, wrapper=wrapper, **self.defaults,
        )  # fmt: skip
