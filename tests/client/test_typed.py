"""Documents as objects of dataclasses and of models like pydantic's."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import gc
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from couchdb_client import Database, ResourceConflict, ResourceNotFound


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Address:
    street: str
    number: int | None = None


@dataclass
class Person:
    id: str
    name: str
    born: datetime.date | None = None
    seen: datetime.datetime | None = None
    balance: Decimal = Decimal(0)
    colour: Colour = Colour.RED
    key: uuid.UUID | None = None
    addresses: list[Address] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    limits: dict[str, Decimal] = field(default_factory=dict)
    span: tuple[int, int] = (0, 0)
    rev: str | None = None


JOHN = Person(
    "john",
    "John",
    datetime.date(1970, 1, 2),
    datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),
    Decimal("1.10"),
    Colour.RED,
    uuid.UUID(int=7),
    [Address("Main Street", 5)],
    {"a", "b"},
    {"day": Decimal("2.50")},
    (1, 2),
)


def test_an_object_comes_back_as_it_was_saved(people: Database) -> None:
    persons = people.typed(Person)
    john = dataclasses.replace(JOHN)
    assert persons.save(john) is john
    assert john.rev == people["john"].rev
    assert persons["john"] == persons.get("john") == john
    assert people["john"]["balance"] == "1.10"
    assert people["john"]["addresses"] == [{"street": "Main Street", "number": 5}]
    with pytest.raises(ResourceConflict):
        persons.save(dataclasses.replace(JOHN))
    john.name = "Johnny"
    persons.save(john)
    assert people["john"].rev.startswith("2-")


def test_a_missing_document_is_none_or_an_error(people: Database) -> None:
    persons = people.typed(Person)
    assert persons.get("john") is None
    with pytest.raises(ResourceNotFound) as caught:
        persons["john"]
    assert caught.value.docid == "john"


def test_members_without_an_attribute_are_saved_again(people: Database) -> None:
    people.save_with_attachments({"_id": "john", "name": "John", "extra": {"n": 1}}, {"a.txt": b"text"})
    persons = people.typed(Person)
    john = persons["john"]
    john.name = "Johnny"
    persons.save(john)
    doc = people["john"]
    assert (doc["name"], doc["extra"], list(doc["_attachments"])) == ("Johnny", {"n": 1}, ["a.txt"])


def test_what_is_remembered_of_an_object_goes_with_it(people: Database) -> None:
    people["john"] = {"name": "John", "extra": 1}
    persons = people.typed(Person)
    john = persons["john"]
    assert len(persons._beside._members) == 1
    del john
    gc.collect()
    assert len(persons._beside._members) == 0


@dataclass(frozen=True)
class Frozen:
    id: str
    n: int = 0


def test_revisions_are_remembered_of_classes_without_one(people: Database) -> None:
    frozen = people.typed(Frozen)
    saved = frozen.save(Frozen("a", 1))
    assert saved == Frozen("a", 1)
    again = frozen.save(saved)
    assert (again, people["a"].rev[:2]) == (saved, "2-")
    with pytest.raises(ResourceConflict):
        frozen.save(Frozen("a", 1))


def test_many_objects_are_saved_by_one_request(people: Database) -> None:
    persons = people.typed(Person)
    persons.save(Person("a", "A"))
    (refused, conflict), (saved, nothing) = persons.save_many([Person("a", "again"), Person("b", "B")])
    assert isinstance(conflict, ResourceConflict)
    assert (refused.rev, nothing, saved.rev) == (None, None, people["b"].rev)


def test_queries_and_views_give_objects(people: Database) -> None:
    persons = people.typed(Person)
    persons.save_many([Person("a", "A"), Person("b", "B")])
    people["_design/app"] = {"views": {"by_name": {"map": "function (doc) { emit(doc.name, null); }"}}}
    assert [person.name for person in persons.find({"selector": {"name": {"$gt": "A"}}})] == ["B"]
    (row,) = persons.view("app/by_name", key="A", include_docs=True)
    assert row.object == persons["a"]
    assert persons.view("app/by_name").rows[0].object is None
    assert [person.id for person in persons.all()] == ["a", "b"]


def test_a_value_that_does_not_fit_is_an_error(people: Database) -> None:
    people["john"] = {"name": "John", "born": "yesterday"}
    with pytest.raises(ValueError, match="yesterday"):
        people.typed(Person)["john"]
    people["jane"] = {"n": 1}
    with pytest.raises(TypeError, match="name"):
        people.typed(Person)["jane"]


def test_a_class_that_cannot_be_a_document_is_refused(people: Database) -> None:
    @dataclass
    class Nameless:
        n: int

    for kind in (Nameless, int):
        with pytest.raises(TypeError, match=r"no field 'id'|expected a dataclass"):
            people.typed(kind)


def test_models_are_documents_too(people: Database) -> None:
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        id: str | None = pydantic.Field(None, alias="_id")
        rev: str | None = pydantic.Field(None, alias="_rev")
        born: datetime.date
        n: int = 0

    models = people.typed(Model)
    saved = models.save(Model(born=datetime.date(2026, 1, 2)))
    assert saved.id and saved.rev == people[saved.id].rev
    assert people[saved.id]["born"] == "2026-01-02"
    assert models[saved.id] == saved
    people["other"] = {"born": "2026-01-02", "extra": 1}
    other: Any = models["other"]
    other.n = 5
    models.save(other)
    assert (people["other"]["n"], people["other"]["extra"]) == (5, 1)
    people["wrong"] = {"born": "never"}
    with pytest.raises(ValueError, match="born"):
        models["wrong"]


def test_models_may_call_their_members_id_and_rev(people: Database) -> None:
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        model_config = {"frozen": True}
        id: str
        rev: str | None = None

    saved = people.typed(Model).save(Model(id="a"))
    assert saved.rev == people["a"].rev
    assert "id" not in people["a"]
