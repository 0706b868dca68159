from __future__ import annotations

from typing import Any

import pytest

from couchfake.errors import CouchError
from couchfake.mango.index import NewIndex, indexes_in, new_index, with_index, without_index
from couchfake.mango.options import parse_index


def make(index: Any, **options: Any) -> NewIndex:
    return new_index(parse_index({"index": index, **options}))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"index": {"fields": ["foo"]}}, "a138cce43c361000dcca40cb1fbb8c6776e04ba0"),
        ({"index": {"fields": ["foo"]}, "type": "json"}, "a138cce43c361000dcca40cb1fbb8c6776e04ba0"),
        ({"index": {"fields": [{"a": "desc"}]}}, "664c20c75b0977128129743277f75c9ff14b7d77"),
        ({"index": {"fields": ["año"]}}, "261b84f62331e3c29bf5a01f72b75a051b648f21"),
    ],
)
def test_an_index_without_names_is_called_by_the_hash_of_its_definition(body: dict, name: str) -> None:
    index = new_index(parse_index(body))
    assert (index.ddoc, index.name) == (f"_design/{name}", name)


def test_a_given_name_goes_into_the_hash_of_the_one_that_is_not() -> None:
    index = make({"fields": ["foo"]}, name="named")
    assert index.ddoc == "_design/00ab8e44f0385ebe8fa43b074cdd93fd1fbf5a2e"


def test_what_is_stored_spells_the_definition_out_and_keeps_what_was_sent() -> None:
    index = make({"fields": ["a", {"b": "asc"}], "partial_filter_selector": {"x": 1}}, ddoc="d", name="n")
    assert with_index(None, index) == {
        "language": "query",
        "views": {
            "n": {
                "map": {"fields": {"a": "asc", "b": "asc"}, "partial_filter_selector": {"x": {"$eq": 1}}},
                "reduce": "_count",
                "options": {"def": {"fields": ["a", {"b": "asc"}], "partial_filter_selector": {"x": 1}}},
            }
        },
    }


def test_the_same_index_again_changes_nothing() -> None:
    index = make({"fields": ["a"]}, ddoc="d", name="n")
    assert with_index(with_index(None, index), index) is None


def test_the_last_index_takes_its_design_document_along_and_other_members_keep_it() -> None:
    index = make({"fields": ["a"]}, ddoc="d", name="n")
    body = with_index(None, index)
    assert body is not None
    assert without_index(body, "n") is None
    assert without_index({**body, "note": "mine"}, "n") == {"language": "query", "note": "mine"}


def test_other_indexes_of_a_design_document_stay_when_one_is_deleted() -> None:
    first = with_index(None, make({"fields": ["a"]}, ddoc="d", name="n"))
    both = with_index(first, make({"fields": ["b"]}, ddoc="d", name="m"))
    assert both is not None
    assert without_index(both, "m") == first


def test_a_design_document_of_another_language_takes_no_index() -> None:
    with pytest.raises(CouchError) as caught:
        with_index({"language": "javascript"}, make({"fields": ["a"]}))
    assert caught.value.error == "invalid_ddoc_lang"
    assert "has an invalid language: {<<108,97," in caught.value.reason
    with pytest.raises(CouchError, match="has an invalid language: false"):
        with_index({"views": {}}, make({"fields": ["a"]}))


def test_a_design_document_is_partitioned_or_not_for_all_of_its_indexes() -> None:
    body = with_index(None, make({"fields": ["a"]}, ddoc="d", name="n", partitioned=False))
    assert body is not None
    assert body["options"] == {"partitioned": False}
    with pytest.raises(CouchError, match="does not match existing value on design document _design/d"):
        with_index(body, make({"fields": ["a"]}, ddoc="d", name="m"))


@pytest.mark.parametrize("type_", ["text", "nouveau"])
def test_text_indexes_need_a_service_that_is_not_there(type_: str) -> None:
    with pytest.raises(CouchError) as caught:
        make({}, type=type_)
    assert (caught.value.status, caught.value.error, caught.value.reason) == (
        503,
        "required index service unavailable",
        type_,
    )


def test_views_by_hand_are_indexes_where_they_hold_a_definition() -> None:
    views = {
        "good": {"map": {"fields": {"a": "asc"}}, "options": {}},
        "no_fields": {"map": {}, "options": {}},
        "no_options": {"map": {"fields": {"a": "asc"}}},
        "a_list": {"map": {"fields": ["a"]}, "options": {}},
        "a_function": {"map": "function(doc) {}", "options": {}},
    }
    found = indexes_in("_design/d", {"language": "query", "views": views}, partitioned_db=False)
    assert [index.name for index in found] == ["good", "no_fields"]
    assert indexes_in("_design/d", {"views": views}, partitioned_db=False) == []
    assert found[1].to_json()["def"] == {}
