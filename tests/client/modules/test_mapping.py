"""Documents mapped to Python objects."""

# ruff: noqa: DTZ001 - a DateTimeField holds UTC, in objects without a time zone

from __future__ import annotations

import copy
import json
import pickle
import time as clock
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from couchdb_client import Database, ResourceConflict
from couchdb_client.design import ViewDefinition
from couchdb_client.mapping import (
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    DictField,
    Document,
    Field,
    FloatField,
    IntegerField,
    ListField,
    LongField,
    Mapping,
    TextField,
    TimeField,
    ViewField,
)

BY_NAME = "function (doc) { if (doc.name) { emit(doc.name, doc); } }"
BY_NAME_ALONE = "function (doc) { if (doc.name) { emit(doc.name, null); } }"


class Address(Mapping):
    street = TextField()
    city = TextField(default="Gotham")


class Person(Document):
    name = TextField()
    age = IntegerField("years")
    tags = ListField(TextField())
    home = DictField(Address)
    extra = DictField()
    by_name = ViewField("people", BY_NAME)
    by_name_alone = ViewField("people", BY_NAME_ALONE, name="alone", include_docs=True)
    names = ViewField("people", BY_NAME, "_count", wrapper=lambda row: row["key"], reduce=False)


# Fields


def shown(value: Any) -> str:
    return type(value).__name__ if isinstance(value, Field) else repr(value)


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        (TextField(), "a", "a"),
        (TextField(), 1, "1"),
        (Field(), 1.5, "1.5"),
        (FloatField(), "1.5", 1.5),
        (FloatField(), Decimal("0.25"), 0.25),
        (IntegerField(), "5", 5),
        (IntegerField(), 1.9, 1),
        (LongField(), 2**70, 2**70),
        (BooleanField(), 1, True),
        (BooleanField(), "", False),
        (DecimalField(), Decimal("1.10"), "1.10"),
        (DecimalField(), 0.1, "0.1"),
        (DateField(), date(2024, 2, 29), "2024-02-29"),
        (DateField(), datetime(2024, 2, 29, 12, 30), "2024-02-29"),
        (DateTimeField(), datetime(2024, 2, 29, 12, 30), "2024-02-29T12:30:00Z"),
        (DateTimeField(), datetime(2024, 2, 29, 12, 30, 0, 9876), "2024-02-29T12:30:00.009876Z"),
        (DateTimeField(), date(2024, 2, 29), "2024-02-29T00:00:00Z"),
        (DateTimeField(), datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc), "2024-02-29T12:30:00Z"),
        (DateTimeField(), datetime(2024, 2, 29, 1, tzinfo=timezone(timedelta(hours=2))), "2024-02-28T23:00:00Z"),
        (DateTimeField(), clock.gmtime(0), "1970-01-01T00:00:00Z"),
        (DateTimeField(), datetime(1880, 1, 1), "1880-01-01T00:00:00Z"),
        (TimeField(), time(12, 30, 5, 9876), "12:30:05"),
        (TimeField(), datetime(2024, 2, 29, 12, 30), "12:30:00"),
    ],
    ids=shown,
)
def test_a_value_is_stored_as_json(field: Field[Any, Any], value: Any, stored: Any) -> None:
    result = field._to_json(value)
    assert result == stored
    assert type(result) is type(stored)


@pytest.mark.parametrize(
    ("field", "stored", "value"),
    [
        (TextField(), 5, "5"),
        (FloatField(), 1, 1.0),
        (IntegerField(), "5", 5),
        (BooleanField(), 0, False),
        (DecimalField(), "1.10", Decimal("1.10")),
        (DateField(), "2024-02-29", date(2024, 2, 29)),
        (DateTimeField(), "2024-02-29T12:30:00Z", datetime(2024, 2, 29, 12, 30)),
        (DateTimeField(), "2024-02-29T12:30:00", datetime(2024, 2, 29, 12, 30)),
        (DateTimeField(), "2024-02-29T12:30:00.25Z", datetime(2024, 2, 29, 12, 30, 0, 250000)),
        (DateTimeField(), "2024-02-29T01:00:00+02:00", datetime(2024, 2, 28, 23)),
        (DateTimeField(), "2024-02-29T01:00:00-02:30Z", datetime(2024, 2, 29, 3, 30)),
        (DateTimeField(), "1880-01-01T00:00:00Z", datetime(1880, 1, 1)),
        (TimeField(), "12:30:05", time(12, 30, 5)),
        (TimeField(), "12:30:05.5", time(12, 30, 5)),
    ],
    ids=shown,
)
def test_json_is_read_as_a_value(field: Field[Any, Any], stored: Any, value: Any) -> None:
    assert field._to_python(stored) == value


@pytest.mark.parametrize(
    ("field", "stored", "text"),
    [
        (DateField(), "29.2.2024", "Invalid ISO date '29.2.2024'"),
        (DateField(), "2024-02-29T12:30:00Z", "Invalid ISO date"),
        (DateField(), "2023-02-29", "day (is out of|29 must be in) range"),
        (DateTimeField(), "2024-02-29", "Invalid ISO date/time '2024-02-29'"),
        (TimeField(), "12:30", "Invalid ISO time '12:30'"),
        (IntegerField(), "five", "invalid literal"),
    ],
)
def test_text_of_another_form_is_an_error(field: Field[Any, Any], stored: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        field._to_python(stored)


@pytest.mark.parametrize("field", [DateField(), DateTimeField(), TimeField()])
def test_what_is_not_text_passes_the_date_fields_unchanged(field: Field[Any, Any]) -> None:
    assert field._to_python(5) == 5


# Objects


def test_a_member_may_have_another_name_than_its_attribute() -> None:
    person = Person(age=42)
    assert person.age == person["years"] == 42
    assert Person.age.name == "years"
    with pytest.raises(KeyError):
        person["age"]


def test_new_objects_have_every_field() -> None:
    assert Person(name="Joe", unknown=1).unwrap() == {
        "name": "Joe",
        "years": None,
        "tags": [],
        "home": {"street": None, "city": "Gotham"},
        "extra": {},
    }


def test_none_is_stored_as_null() -> None:
    person = Person(age=42)
    person.age = None
    assert person.age is None
    assert person["years"] is None


def test_wrong_values_are_refused() -> None:
    with pytest.raises(ValueError):
        Person(age="old")
    with pytest.raises(TypeError):
        Person(home=5)


def test_defaults_may_be_functions() -> None:
    numbers = iter(range(10))

    class Ticket(Document):
        number = IntegerField(default=lambda: next(numbers))
        at = DateTimeField(default=datetime(2024, 2, 29))
        seats = ListField(IntegerField(), default=lambda: [1, 2])
        place = DictField(Address, default=lambda: {"street": "Elm"})

    assert (Ticket().number, Ticket().number) == (0, 1)
    assert Ticket().unwrap() == {
        "number": 2, "at": "2024-02-29T00:00:00Z", "seats": [1, 2], "place": {"street": "Elm", "city": "Gotham"},
    }  # fmt: skip


def test_objects_do_not_share_a_default() -> None:
    class Shared(Document):
        numbers = ListField(IntegerField(), default=[1])
        records = ListField(DictField(), default=[{"x": 1}])
        extra = DictField(default={"list": []})

    first, second = Shared(), Shared()
    first.numbers.append(2)
    first.records[0]["x"] = 2
    first.extra["list"].append(1)
    assert second.unwrap() == Shared().unwrap() == {"numbers": [1], "records": [{"x": 1}], "extra": {"list": []}}


def test_a_document_that_lacks_a_member_reads_as_the_default() -> None:
    person = Person.wrap({"_id": "a"})
    assert (person.name, person.age) == (None, None)
    assert person.home.city == "Gotham"
    assert person.tags == []


def test_additions_to_a_member_that_the_document_lacked_are_saved(couch_db: Database) -> None:
    couch_db["a"] = {"name": "Joe", "tags": None}
    person = Person.load(couch_db, "a")
    assert person is not None
    person.tags.append("new")
    person.extra["x"] = 1
    person.home.street = "Elm"
    person.store(couch_db)
    assert couch_db["a"].items() >= {"tags": ["new"], "extra": {"x": 1}}.items()
    assert couch_db["a"]["home"]["street"] == "Elm"


def test_fields_are_inherited_and_overridden() -> None:
    class Employee(Person):
        name = IntegerField()
        salary = DecimalField()

    class Both(Employee, Address):
        pass

    assert Employee(name=7, salary=1).unwrap()["name"] == 7
    assert isinstance(Person._fields["name"], TextField)
    assert set(Both._fields) == {*Person._fields, "salary", "street", "city"}


def test_an_object_is_a_dictionary_of_its_json_members() -> None:
    person = Person(id="a", name="Joe")
    del person["extra"], person["home"], person["tags"]
    person["other"] = [1]
    assert list(person) == ["name", "years", "_id", "other"]
    assert len(person) == 4
    assert "other" in person
    assert "age" not in person
    assert person.get("other") == [1]
    assert person.get("missing") is None
    assert person.get("missing", 5) == 5
    assert person.setdefault("more", 1) == person.setdefault("more", 2) == 1
    assert dict(person) == person.unwrap()
    with pytest.raises(KeyError):
        del person["missing"]


def test_two_objects_with_the_same_content_are_two_objects() -> None:
    assert Person(id="a") != Person(id="a")
    assert len({Person(id="a"), Person(id="a")}) == 2


def test_objects_can_be_copied_and_pickled() -> None:
    person = Person(id="a", tags=["x"])
    deep = copy.deepcopy(person)
    deep.tags.append("y")
    assert person.tags == ["x"]
    assert pickle.loads(pickle.dumps(person)).unwrap() == person.unwrap()


def test_a_class_with_a_constructor_of_its_own_keeps_what_that_sets() -> None:
    class Counted(Document):
        def __init__(self, *args: Any, **values: Any) -> None:
            super().__init__(*args, **values)
            self.count = 0

    assert Counted.wrap({"_id": "a"}).count == 0


# Dictionaries


def test_a_nested_object_writes_through() -> None:
    person = Person(home={"street": "Elm", "unknown": 1})
    person.home.city = "Metropolis"
    assert person.unwrap()["home"] == {"street": "Elm", "city": "Metropolis"}


def test_a_nested_object_may_be_given_as_one() -> None:
    person = Person()
    person.home = Address(street="Elm")
    assert person.unwrap()["home"] == {"street": "Elm", "city": "Gotham"}


def test_a_mapping_may_be_built_without_a_class_statement() -> None:
    class Post(Document):
        author = DictField(Mapping.build(name=TextField(), age=IntegerField(default=3)))

    post = Post(author={"name": "Joe"})
    assert (post.author.name, post.author.age) == ("Joe", 3)
    assert repr(post.author) == "<AnonymousStruct {'name': 'Joe', 'age': 3}>"


# Lists


class Numbers(Document):
    decimals = ListField(DecimalField)
    nested = ListField(ListField(IntegerField))
    places = ListField(Address)
    dicts = ListField(DictField())


@pytest.fixture
def numbers() -> Numbers:
    return Numbers(decimals=[Decimal("1.0"), Decimal("2.0"), Decimal("3.0")])


def test_a_list_converts_its_items(numbers: Numbers) -> None:
    assert numbers.unwrap()["decimals"] == ["1.0", "2.0", "3.0"]
    assert list(numbers.decimals) == [Decimal(1), Decimal(2), Decimal(3)]
    assert list(reversed(numbers.decimals)) == [Decimal(3), Decimal(2), Decimal(1)]
    assert isinstance(numbers.decimals, list)
    assert isinstance(numbers.decimals, ListField.Proxy)
    assert len(numbers.decimals) == 3
    assert numbers.decimals[0] == Decimal(1)
    assert numbers.decimals[1:] == [Decimal(2), Decimal(3)]


def test_a_list_finds_python_values(numbers: Numbers) -> None:
    decimals: Any = numbers.decimals
    assert Decimal("1.0") in decimals
    assert "1.0" not in decimals
    assert decimals.count(Decimal(1)) == 1
    assert decimals.count("1.0") == 0
    assert decimals.index(Decimal(2)) == 1
    with pytest.raises(ValueError, match="not in list"):
        decimals.index(Decimal(1), 1)


def test_a_list_writes_through(numbers: Numbers) -> None:
    decimals = numbers.decimals
    decimals.append(Decimal("4.0"))
    decimals.extend([Decimal("5.0")])
    decimals.insert(0, Decimal("0.0"))
    decimals[1] = Decimal("1.5")
    del decimals[2]
    decimals.remove(Decimal("3.0"))
    assert decimals.pop() == Decimal(5)
    assert decimals.pop(0) == Decimal(0)
    assert numbers.unwrap()["decimals"] == ["1.5", "4.0"]
    decimals[0:1] = [Decimal(9), Decimal(8)]
    assert numbers.unwrap()["decimals"] == ["9", "8", "4.0"]
    decimals.sort()
    assert numbers.unwrap()["decimals"] == ["4.0", "8", "9"]
    decimals.sort(key=lambda value: -value)
    decimals.reverse()
    decimals *= 2
    assert numbers.unwrap()["decimals"] == ["4.0", "8", "9"] * 2
    decimals.clear()
    assert numbers.unwrap()["decimals"] == []


def test_augmented_assignment_changes_the_document(numbers: Numbers) -> None:
    numbers.decimals += [Decimal(4)]
    assert numbers.unwrap()["decimals"] == ["1.0", "2.0", "3.0", "4"]


def test_sums_products_and_copies_are_lists_of_their_own(numbers: Numbers) -> None:
    decimals = numbers.decimals
    values = [Decimal(1), Decimal(2), Decimal(3)]
    for result in (decimals + [Decimal(4)], [Decimal(0)] + decimals, decimals * 2, 2 * decimals, decimals.copy()):
        assert type(result) is list
    assert [Decimal(0)] + decimals == [Decimal(0), *values]
    assert copy.copy(decimals) == copy.deepcopy(decimals) == pickle.loads(pickle.dumps(decimals)) == values
    copy.copy(decimals).append(Decimal(4))
    assert len(decimals) == 3


def test_lists_compare_by_python_values_and_by_json_values(numbers: Numbers) -> None:
    decimals: Any = numbers.decimals
    assert decimals == [Decimal(1), Decimal(2), Decimal(3)]
    assert decimals == ["1.0", "2.0", "3.0"]
    assert decimals == numbers.decimals
    assert decimals != [Decimal(1)]
    assert [Decimal(1)] < decimals <= decimals
    assert not decimals > decimals >= decimals
    assert repr(decimals) == "['1.0', '2.0', '3.0']"


def test_a_list_can_be_encoded_as_json() -> None:
    assert json.dumps(Person(tags=["a", "b"]).tags) == '["a", "b"]'
    assert "+".join(Person(tags=["a", "b"]).tags) == "a+b"


def test_null_in_a_list_is_none(numbers: Numbers) -> None:
    numbers.unwrap()["decimals"].append(None)
    assert numbers.decimals[3] is None
    numbers.decimals = numbers.decimals
    assert numbers.unwrap()["decimals"] == ["1.0", "2.0", "3.0", None]


def test_items_of_a_list_of_dictionaries_may_be_given_by_their_members() -> None:
    numbers = Numbers()
    numbers.places.append(street="Elm")
    numbers.places.insert(0, {"street": "Oak"})
    numbers.dicts.append(x=1)
    assert numbers.unwrap()["places"] == [{"street": name, "city": "Gotham"} for name in ("Oak", "Elm")]
    assert numbers.unwrap()["dicts"] == [{"x": 1}]
    with pytest.raises(TypeError, match="takes one value"):
        numbers.places.append({}, {})
    with pytest.raises(TypeError, match="for lists of dictionaries only"):
        numbers.decimals.append(value=1)
    with pytest.raises(TypeError, match="for lists of dictionaries only"):
        numbers.decimals.insert(0, value=1)


def test_objects_in_a_list_write_through_and_are_found_by_their_content() -> None:
    numbers = Numbers(places=[{"street": "Elm"}, {"street": "Oak"}])
    numbers.places[0].city = "Metropolis"
    for place in numbers.places:
        place.street = place.street.upper()
    assert numbers.unwrap()["places"][0] == {"street": "ELM", "city": "Metropolis"}
    oak = numbers.places[1]
    assert oak in numbers.places
    assert numbers.places.index(oak) == 1
    numbers.places.remove(oak)
    assert len(numbers.places) == 1


def test_lists_nest() -> None:
    numbers = Numbers(nested=[["1"], (2, 3)])
    numbers.nested[0].append(4)
    assert numbers.unwrap()["nested"] == [[1, 4], [2, 3]]


def test_a_list_needs_a_field() -> None:
    field: Any = 5
    with pytest.raises(TypeError, match="expected a field, got 5"):
        ListField(field)


# Documents


def test_a_document_is_stored_loaded_and_stored_again(couch_db: Database) -> None:
    person = Person(name="Joe", age=42)
    assert Person().id is None
    assert person.store(couch_db) is person
    assert person.rev == couch_db[person.id].rev
    loaded = Person.load(couch_db, person.id)
    assert loaded is not None
    assert (loaded.name, loaded.age) == ("Joe", 42)
    loaded.age += 1
    loaded.store(couch_db)
    assert couch_db[person.id]["years"] == 43
    with pytest.raises(ResourceConflict):
        person.store(couch_db)


def test_a_missing_document_loads_as_none(couch_db: Database) -> None:
    assert Person.load(couch_db, "missing") is None


def test_only_a_new_document_can_get_an_id() -> None:
    person = Person()
    person.id = "a"
    with pytest.raises(AttributeError, match="id can only be set on new documents"):
        person.id = "b"
    with pytest.raises(AttributeError):
        person.rev = "1-x"  # type: ignore[misc]


def test_documents_show_their_id_revision_and_members() -> None:
    person = Person.wrap({"_id": "a", "_rev": "1-x", "name": "Joe"})
    assert repr(person) == "<Person 'a'@'1-x' {'name': 'Joe'}>"
    assert person.items() == [("_id", "a"), ("_rev", "1-x"), ("name", "Joe")]


def test_documents_can_be_saved_in_bulk_deleted_and_given_attachments(couch_db: Database) -> None:
    rows = couch_db.update([Person(id="a", name="Joe"), Person(id="b")])
    assert [row[:2] for row in rows] == [(True, "a"), (True, "b")]
    joe = Person.load(couch_db, "a")
    assert joe is not None
    couch_db.put_attachment(joe, b"hello", "a.txt")
    attachment: Any = couch_db.get_attachment(joe, "a.txt")
    assert attachment.read() == b"hello"
    couch_db.delete(joe)
    assert "a" not in couch_db


def test_the_calls_of_a_database_save_mapped_documents(couch_db: Database) -> None:
    joe = Person(name="Joe", tags=["a"])
    assert couch_db.save(joe) == (joe.id, joe.rev)
    stale = Person.load(couch_db, joe.id)
    assert stale is not None
    joe.home.street = "Elm Street"
    joe.tags.append("b")
    couch_db[joe.id] = joe
    assert couch_db[joe.id]["home"] == {"street": "Elm Street", "city": "Gotham"}
    assert (couch_db[joe.id].rev, couch_db[joe.id]["tags"]) == (joe.rev, ["a", "b"])
    with pytest.raises(ResourceConflict):
        couch_db.save(stale)
    ann = Person(name="Ann")
    couch_db["ann"] = ann
    assert (ann.id, ann.rev) == ("ann", couch_db["ann"].rev)
    couch_db.save(ann, batch="ok")
    assert ann.id == "ann"


def test_the_calls_of_a_database_copy_purge_and_strip_mapped_documents(couch_db: Database) -> None:
    joe = Person(id="joe", name="Joe").store(couch_db)
    couch_db.copy(joe, "twin")
    twin = Person.load(couch_db, "twin")
    assert twin is not None
    assert twin.name == "Joe"
    joe.name = "Joseph"
    joe.store(couch_db)
    couch_db.copy(joe, twin)
    assert couch_db["twin"]["name"] == "Joseph"
    couch_db.put_attachment(joe, b"hello", "a.txt")
    couch_db.delete_attachment(joe, "a.txt")
    assert joe.rev == couch_db["joe"].rev
    assert couch_db.purge([joe])["purged"] == {"joe": [joe.rev]}


# Views


@pytest.fixture
def people(couch_db: Database) -> Database:
    ViewDefinition.sync_many(couch_db, [Person.by_name, Person.by_name_alone, Person.names])
    for name in ("Joe", "Ann"):
        Person(id=name.lower(), name=name, age=30).store(couch_db)
    return couch_db


def test_a_view_field_gives_objects_of_its_class(people: Database) -> None:
    results = Person.by_name(people)
    assert [(type(person), person.id, person.name, person.age) for person in results] == [
        (Person, "ann", "Ann", 30), (Person, "joe", "Joe", 30),
    ]  # fmt: skip
    assert [person.name for person in Person.by_name(people, key="Joe")] == ["Joe"]
    assert [person.name for person in Person.by_name_alone(people)] == ["Ann", "Joe"]
    assert list(Person.names(people)) == ["Ann", "Joe"]


def test_a_view_field_is_a_view_definition() -> None:
    assert repr(Person.by_name) == repr(Person().by_name) == "<ViewDefinition '_design/people/_view/by_name'>"
    assert repr(Person.by_name_alone) == "<ViewDefinition '_design/people/_view/alone'>"
    assert Person.by_name_alone.defaults == {"include_docs": True}


def test_a_subclass_gets_objects_of_its_own(people: Database) -> None:
    class Friend(Person):
        pass

    assert {type(friend) for friend in Friend.by_name(people)} == {Friend}
    assert type(Friend.load(people, "joe")) is Friend


def test_any_view_can_give_objects(people: Database) -> None:
    assert [person.name for person in Person.view(people, "people/by_name")] == ["Ann", "Joe"]
    assert [person.id for person in Person.view(people, "_all_docs", startkey="a")] == ["ann", "joe"]
    wrapper: Any = Person._wrap_row
    people.delete(people.view("_all_docs", wrapper=wrapper, key="joe").rows[0])
    assert "joe" not in people


def test_ad_hoc_queries_give_objects(people: Database) -> None:
    assert [person.name for person in Person.query(people, BY_NAME)] == ["Ann", "Joe"]
    assert [person.name for person in Person.query(people, BY_NAME_ALONE, None, include_docs=True)] == ["Ann", "Joe"]


def test_a_key_that_is_not_found_is_none(people: Database) -> None:
    found = list(Person.view(people, "_all_docs", keys=["joe", "missing"], include_docs=True))
    assert found[0].name == "Joe"
    assert found[1] is None


def test_a_row_without_an_object_is_an_error(people: Database) -> None:
    with pytest.raises(TypeError, match="cannot make a Person of the row's value None: query with include_docs=True"):
        list(Person.view(people, "people/alone"))


def test_a_map_function_may_be_written_in_python() -> None:
    class Pet(Document):
        @ViewField.define("pets")
        def by_name(doc: Any) -> Any:
            yield doc["name"], doc

        @ViewField.define("pets", name="other", language="python3", include_docs=True)
        def by_age(doc: Any) -> Any:
            yield doc["age"], None

    view = Pet.by_name
    assert (view.design, view.name, view.language) == ("pets", "by_name", "python")
    assert view.map_fun == 'def by_name(doc: Any) -> Any:\n    yield doc["name"], doc'
    assert (Pet.by_age.name, Pet.by_age.language, Pet.by_age.defaults) == ("other", "python3", {"include_docs": True})
