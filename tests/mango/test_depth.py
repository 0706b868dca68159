"""Selectors, fields, keys and bookmarks of any depth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from couchfake.errors import CouchError
from couchfake.mango import matcher
from couchfake.mango.cursor import Bookmark, pack, unpack
from couchfake.mango.matcher import DeepMatcher, Matcher
from couchfake.mango.operators import Comparing
from couchfake.mango.selector import normalise
from couchfake.values.erlang import format_term, write_term
from tests.mango.conftest import Couch
from tests.mango.test_selector_properties import COLLATOR, DOCUMENTS, SELECTORS

LEVELS = 5000


def nested(opening: str, closing: str, core: str, levels: int = LEVELS) -> str:
    return opening * levels + core + closing * levels


def found(couch: Couch, selector: str, more: str = "") -> list[str]:
    body = f'{{"selector":{selector},"fields":["_id"]{more}}}'
    response = couch.session.post(f"{couch.url}/_find", data=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text
    return [doc["_id"] for doc in response.json()["docs"]]


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        (nested('{"$and":[', "]}", '{"x":1}'), ["a"]),
        (nested('{"$or":[', "]}", '{"x":1}'), ["a"]),
        (nested('{"$nor":[', "]}", '{"x":1}'), ["a"]),
        (nested('{"$not":', "}", '{"x":1}'), ["a"]),
        (nested('{"$not":', "}", '{"x":1}', LEVELS + 1), ["b", "deep"]),
        (nested('{"$and":[{"x":1},{"$or":[{"y":1},', "]}]}", '{"x":1}', 1000), ["a"]),
        ('{"x":' + nested('{"$elemMatch":', "}", '{"$size":0}', LEVELS - 1) + "}", ["deep"]),
        ('{"x":' + nested('{"$allMatch":', "}", '{"$size":0}', LEVELS - 1) + "}", ["deep"]),
        ('{"x":' + nested('{"$allMatch":', "}", '{"$size":1}', LEVELS - 1) + "}", []),
        ('{"x":{"$eq":' + nested("[", "]", "") + "}}", ["deep"]),
        ('{"x":{"$in":[1,' + nested('{"a":', "}", "1") + "]}}", ["a"]),
        ('{"x.' + ".".join(["0"] * (LEVELS - 1)) + '":{"$size":0}}', ["deep"]),
    ],
)
def test_selectors_may_nest_as_deeply_as_they_like(couch: Couch, selector: str, ids: list[str]) -> None:
    couch.save({"_id": "a", "x": 1}, {"_id": "b", "x": 2})
    document = '{"_id":"deep","x":' + nested("[", "]", "") + "}"
    couch.session.post(couch.url, data=document, headers={"Content-Type": "application/json"})
    assert found(couch, selector) == ids
    body = f'{{"selector":{selector}}}'
    explained = couch.session.post(f"{couch.url}/_explain", data=body, headers={"Content-Type": "application/json"})
    assert explained.status_code == 200


def test_an_index_and_its_bookmarks_hold_deep_keys(couch: Couch) -> None:
    couch.index("x")
    document = '{"_id":"deep","x":' + nested("[", "]", "") + "}"
    couch.session.post(couch.url, data=document, headers={"Content-Type": "application/json"})
    couch.save({"_id": "z", "x": {"a": 1}})
    first = couch.find({"x": {"$gt": None}}, fields=["_id"], limit=1)
    assert first["docs"] == [{"_id": "deep"}]
    following = couch.find({"x": {"$gt": None}}, fields=["_id"], limit=1, bookmark=first["bookmark"])
    assert following["docs"] == [{"_id": "z"}]


def test_a_partial_filter_may_be_deep(couch: Couch) -> None:
    couch.save({"_id": "a", "x": 1}, {"_id": "b", "x": 2})
    body = '{"index":{"fields":["x"],"partial_filter_selector":' + nested('{"$or":[', "]}", '{"x":1}') + '},"ddoc":"d"}'
    couch.session.post(f"{couch.url}/_index", data=body, headers={"Content-Type": "application/json"})
    assert found(couch, '{"x":{"$gt":0}}', ',"use_index":"d"') == ["a"]


def test_a_deep_value_is_quoted_whole() -> None:
    value: list = []
    for _ in range(LEVELS):
        value = [{"a": value}]
    assert format_term(value) == '[{[{<<"a">>,' * LEVELS + "[]" + "}]}]" * LEVELS
    assert write_term(value) == "[{[{<<97>>," * LEVELS + "[]" + "}]}]" * LEVELS
    assert str(unpack(pack(Bookmark("a", [1, "x", {"b": [1.5, None, True]}])))) == (
        "Bookmark(docid='a', key=[1, 'x', {'b': [1.5, None, True]}])"
    )


@given(SELECTORS, DOCUMENTS)
def test_an_interpreted_selector_agrees_with_a_compiled_one(selector: dict, document: dict) -> None:
    normal = normalise(selector)
    if normal:
        assert matcher.DEEPEST > 0
        assert DeepMatcher(normal, Comparing(COLLATOR)).matches(document) is Matcher(normal, COLLATOR).match(document)


@pytest.mark.parametrize(
    ("selector", "value", "expected"),
    [
        ({}, 1, True),
        ({"$or": []}, 1, True),
        ({"$text": "x"}, 1, True),
        ({"x": {"$elemMatch": {"$or": []}}}, [1], True),
        ({"x": {"$elemMatch": {"$or": [{"b": 1}, {"b": 2}]}}}, [{"b": 2}], True),
        ({"x": {"$elemMatch": {"$or": [{"b": 1}, {"b": 2}]}}}, [{"b": 3}], False),
        ({"x": {"$elemMatch": {"$nor": [{"b": 1}, {"b": 2}]}}}, [{"b": 3}], True),
        ({"x": {"$elemMatch": {"$nor": [{"b": 1}, {"b": 2}]}}}, [{"b": 1}, {"b": 2}], False),
        ({"x": {"$elemMatch": {"$and": [{"b": 1}, {"c": 1}]}}}, [{"b": 1}, {"c": 1}], False),
        ({"x": {"$elemMatch": {"$and": [{"b": 1}, {"c": 1}]}}}, [{"b": 1, "c": 1}], True),
        ({"x": {"$elemMatch": {"$text": "x"}}}, [1], True),
        ({"x": {"$elemMatch": {"$text": "x"}}}, [], False),
        ({"x": {"$elemMatch": {"b": {"$exists": False}}}}, [{}], True),
        ({"x": {"$elemMatch": {"b": {"$exists": False}}}}, [{"b": 1}], False),
        ({"x": {"$elemMatch": {"b": {"$exists": False}}}}, [5], False),
        ({"x": {"$elemMatch": {"b.c": 1}}}, [{"b": {"c": 1}}], True),
        ({"x": {"$elemMatch": {"_id": {"$gt": "a"}}}}, [{"_id": "B"}], False),  # raw, by bytes
        ({"x": {"$elemMatch": {"b": {"$gt": "a"}}}}, [{"b": "B"}], True),
        ({"x": {"$elemMatch": {"b.": 1}}}, [{"b": 1}], False),  # a broken condition is one that no element matches
        ({"x": {"$elemMatch": {"$mod": [0, 1]}}}, [1], False),
        ({"x": {"$allMatch": {"$mod": [0, 1]}}}, [1], False),
        ({"x": {"$allMatch": {"$gt": 1}}}, [2, 3], True),
        ({"x": {"$allMatch": {"$gt": 1}}}, [2, 1], False),
        ({"x": {"$allMatch": {"$gt": 1}}}, [], False),
        ({"x": {"$allMatch": {"$gt": 1}}}, {"a": 2}, False),
        ({"x": {"$keyMapMatch": {"$eq": "a"}}}, {"a": 2}, True),
        ({"x": {"$keyMapMatch": {"$eq": "b"}}}, {"a": 2}, False),
        ({"x": {"$keyMapMatch": {"$eq": "a"}}}, ["a"], False),
        ({"$nor": [{"$eq": 1}]}, 1, True),  # conditions on the document itself
        ({"$or": [{"$eq": 1}]}, 1, False),
        ({"$and": [{"$type": "object"}, {"x": 1}]}, 1, True),
        ({"y.z": 1}, 1, False),
        ({"x.z": 1}, 1, False),
    ],
)
def test_both_ways_of_matching_agree(
    monkeypatch: pytest.MonkeyPatch, selector: dict, value: Any, expected: bool
) -> None:
    document = {"_id": "a", "x": value}
    assert Matcher(normalise(selector), COLLATOR).match(document) is expected
    monkeypatch.setattr(matcher, "DEEPEST", 0)
    assert Matcher(normalise(selector), COLLATOR).match(document) is expected


@pytest.mark.parametrize(
    ("selector", "status", "error"),
    [
        ({"x.": 1}, 400, "invalid_field_name"),
        ({"$and": [{"x.": 1}, {"x": 2}]}, 400, "invalid_field_name"),
        ({"$or": [{"x.": 1}, {"x": 1}]}, 400, "invalid_field_name"),
        ({"x": {"$mod": [0, 1]}}, 500, "unknown_error"),
        ({"x": {"$not": {"$mod": [0, 1]}}}, 500, "unknown_error"),
    ],
)
@pytest.mark.parametrize("deepest", [0, 60], ids=["interpreted", "compiled"])
def test_a_condition_that_breaks_breaks_the_query(
    monkeypatch: pytest.MonkeyPatch, selector: dict, status: int, error: str, deepest: int
) -> None:
    monkeypatch.setattr(matcher, "DEEPEST", deepest)
    with pytest.raises(CouchError) as broken:
        Matcher(normalise(selector), COLLATOR).match({"_id": "a", "x": 1})
    assert (broken.value.status, broken.value.error) == (status, error)
