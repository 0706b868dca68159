from __future__ import annotations

import pytest

from couchfake.errors import CouchError
from couchfake.mango.matcher import Matcher
from couchfake.mango.selector import normalise
from couchfake.values.collation import Collator


@pytest.mark.parametrize(
    ("selector", "normal"),
    [
        ({}, {}),
        ({"a": 1}, {"a": {"$eq": 1}}),
        ({"a": {}}, {"a": {"$eq": {}}}),
        ({"a": 1, "b": 2}, {"$and": [{"a": {"$eq": 1}}, {"b": {"$eq": 2}}]}),
        ({"a": {"b": {"c": 1}}}, {"a.b.c": {"$eq": 1}}),
        ({"a": {"$gt": 1, "b": 2}}, {"$and": [{"a": {"$gt": 1}}, {"a.b": {"$eq": 2}}]}),
        ({"$not": {"a": {"$gt": 1}}}, {"a": {"$lte": 1}}),
        ({"$not": {"$or": [{"a": 1}, {"b": {"$in": [1]}}]}}, {"$and": [{"a": {"$ne": 1}}, {"b": {"$nin": [1]}}]}),
        ({"$nor": [{"a": 1}, {"$not": {"b": 2}}]}, {"$and": [{"a": {"$ne": 1}}, {"b": {"$eq": 2}}]}),
        ({"a": {"$not": {"$regex": "x"}}}, {"a": {"$not": {"$regex": "x"}}}),
        ({"a": {"$not": {"$exists": True}}}, {"a": {"$exists": False}}),
        ({"a": {"$elemMatch": {"b": {"$not": {"$gt": 2}}}}}, {"a": {"$elemMatch": {"$not": {"b": {"$gt": 2}}}}}),
        ({"a": {"$elemMatch": {"$gt": 1}}}, {"a": {"$elemMatch": {"": {"$gt": 1}}}}),
        ({"$text": "x"}, {"$default": {"$text": "x"}}),
        ({"a": [1, {"b": 2}]}, {"a": {"$eq": [1, {"b": 2}]}}),
    ],
)
def test_a_selector_is_spelled_out(selector: dict, normal: dict) -> None:
    assert normalise(selector) == normal


@pytest.mark.parametrize(
    ("selector", "error", "reason"),
    [
        ({"a": {"$bogus": 1}}, "invalid_operator", "Invalid operator: $bogus"),
        ({"a": {"$GT": 1}}, "invalid_operator", "Invalid operator: $GT"),
        ({"a": {"$where": 1}}, "not_supported", "Unsupported operator: $where"),
        ({"a": {"$in": "x"}}, "bad_arg", "Bad argument for operator $in: <<120>>"),
        ({"a": {"$and": {}}}, "bad_arg", "Bad argument for operator $and: {[]}"),
        ({"a": {"$not": 5}}, "bad_arg", "Bad argument for operator $not: 5"),
        ({"a": {"$elemMatch": [5]}}, "bad_arg", "Bad argument for operator $elemMatch: [5]"),
        ({"a": {"$mod": [3.0, 1]}}, "bad_arg", "Bad argument for operator $mod: [3.0,1]"),
        ({"a": {"$mod": [True, 1]}}, "bad_arg", "Bad argument for operator $mod: [true,1]"),
        ({"a": {"$size": -1}}, "bad_arg", "Bad argument for operator $size: -1"),
        ({"a": {"$regex": "("}}, "bad_arg", "Bad argument for operator $regex: <<40>>"),
        ({"a": {"$regex": 5}}, "invalid_operator", "Invalid operator: $regex"),
        ({"a": {"$beginsWith": None}}, "invalid_operator", "Invalid operator: $beginsWith"),
        ({"$eq": 1}, "invalid_selector", "One or more conditions is missing a field name."),
        ({"$not": {}}, "invalid_selector", "One or more conditions is missing a field name."),
        ({"$all": [1]}, "invalid_selector", "One or more conditions is missing a field name."),
        (
            {"a": {"$text": "x"}},
            "bad_field",
            (
                "Invalid field normalization on selector:"
                " {[{<<36,100,101,102,97,117,108,116>>,{[{<<36,116,101,120,116>>,<<120>>}]}}]}"
            ),
        ),
    ],
)
def test_a_wrong_selector_is_refused_in_the_servers_words(selector: dict, error: str, reason: str) -> None:
    with pytest.raises(CouchError) as caught:
        normalise(selector)
    assert (caught.value.status, caught.value.error, caught.value.reason) == (400, error, reason)


def matches(collator: Collator, selector: dict, document: dict) -> bool:
    return Matcher(normalise(selector), collator).match(document)


def test_members_of_an_object_count_in_their_order(collator: Collator) -> None:
    assert matches(collator, {"o": {"$eq": {"x": 1, "y": 2}}}, {"o": {"x": 1.0, "y": 2}})
    assert not matches(collator, {"o": {"$eq": {"x": 1, "y": 2}}}, {"o": {"y": 2, "x": 1}})


def test_a_negated_comparison_needs_the_field_too(collator: Collator) -> None:
    for selector in ({"x": {"$ne": 1}}, {"x": {"$nin": [1]}}, {"$not": {"x": 1}}, {"$nor": [{"x": 1}]}):
        assert matches(collator, selector, {"x": None})
        assert not matches(collator, selector, {})


def test_a_path_through_an_array_is_a_position(collator: Collator) -> None:
    document = {"x": [{"y": 1}, {"y": 2}], "a.b": {"c": 3}}
    assert matches(collator, {"x.1.y": 2}, document)
    assert matches(collator, {"x.+1.y": 2}, document)
    assert not matches(collator, {"x.-1.y": 2}, document)
    assert matches(collator, {"a\\.b.c": 3}, document)
    assert not matches(collator, {"a.b.c": 3}, document)


def test_a_path_that_leads_nowhere_is_not_the_same_as_a_member_that_is_not_there(collator: Collator) -> None:
    absent = {"x.y": {"$exists": False}}
    assert matches(collator, absent, {"x": {}})
    assert not matches(collator, absent, {"x": 5})
    assert not matches(collator, absent, {"x": [1]})


def test_ids_compare_by_bytes_and_other_fields_by_collation(collator: Collator) -> None:
    document = {"_id": "B", "k": "B"}
    assert not matches(collator, {"_id": {"$gt": "a"}}, document)
    assert matches(collator, {"k": {"$gt": "a"}}, document)


def test_all_tells_integers_from_floats_but_a_whole_array_does_not(collator: Collator) -> None:
    assert not matches(collator, {"x": {"$all": [1]}}, {"x": [1.0, 2.0]})
    assert matches(collator, {"x": {"$all": [[1, 2]]}}, {"x": [1.0, 2.0]})
    assert not matches(collator, {"x": {"$all": [[1, 0]]}}, {"x": [True, False]})
    assert not matches(collator, {"x": {"$all": []}}, {"x": []})


def test_all_looks_into_objects_and_arrays(collator: Collator) -> None:
    elements = [{"a": 1, "b": [2, "z"]}, [1, {"c": None}]]
    for element in elements:
        assert matches(collator, {"x": {"$all": [element]}}, {"x": elements})
    for other in ({"a": 1}, {"b": [2, "z"], "a": 1}, {"a": 1, "b": [2, "y"]}, [1], [1, {"c": False}], "z"):
        assert not matches(collator, {"x": {"$all": [other]}}, {"x": elements})


def test_each_value_has_a_type(collator: Collator) -> None:
    values: dict[str, object] = {"null": None, "boolean": True, "number": 1.5, "string": "", "array": [], "object": {}}
    for name in values:
        assert [each for each in values if matches(collator, {"x": {"$type": name}}, {"x": values[each]})] == [name]


def test_a_pattern_is_looked_for_in_strings_alone(collator: Collator) -> None:
    assert matches(collator, {"x": {"$regex": "^a.$"}}, {"x": "ab"})
    for value in ("ba", "abc", 5, None, ["ab"], {"ab": "ab"}):
        assert not matches(collator, {"x": {"$regex": "^a.$"}}, {"x": value})


def test_values_of_other_types_come_before_or_after_a_number(collator: Collator) -> None:
    for lower in (None, False, True):
        assert matches(collator, {"x": {"$lt": 5}}, {"x": lower})
        assert not matches(collator, {"x": {"$gte": 5}}, {"x": lower})
    for higher in ("", [1], {"a": 1}):
        assert matches(collator, {"x": {"$gt": 5}}, {"x": higher})
        assert not matches(collator, {"x": {"$lte": 5}}, {"x": higher})


def test_values_of_other_types_come_before_or_after_a_string(collator: Collator) -> None:
    for lower in (None, False, 7, 1.5):
        assert matches(collator, {"x": {"$lt": "a"}}, {"x": lower})
        assert not matches(collator, {"x": {"$gte": "a"}}, {"x": lower})
    for higher in (["a"], {"a": 1}):
        assert matches(collator, {"x": {"$gt": "a"}}, {"x": higher})
        assert not matches(collator, {"x": {"$lte": "a"}}, {"x": higher})


def test_booleans_are_not_numbers(collator: Collator) -> None:
    assert not matches(collator, {"x": {"$in": [1]}}, {"x": True})
    assert not matches(collator, {"x": {"$all": [1]}}, {"x": [True]})
    assert not matches(collator, {"x": 0}, {"x": False})
    assert matches(collator, {"x": {"$gt": True}}, {"x": 0})


def test_division_by_zero_fails_only_where_a_number_is_met(collator: Collator) -> None:
    selector = {"x": {"$mod": [0, 1]}}
    assert not matches(collator, selector, {"x": "text"})
    with pytest.raises(CouchError, match="badarith"):
        matches(collator, selector, {"x": 4})
    assert not matches(collator, {"x": {"$elemMatch": {"$mod": [0, 1]}}}, {"x": [4]})


def test_the_remainder_has_the_sign_of_the_value(collator: Collator) -> None:
    assert matches(collator, {"x": {"$mod": [3, -1]}}, {"x": -7})
    assert matches(collator, {"x": {"$mod": [-3, 1]}}, {"x": 7})
    assert matches(collator, {"x": {"$mod": [3, 1]}}, {"x": 10**30})


def test_a_prefix_ends_where_a_grapheme_ends(collator: Collator) -> None:
    assert matches(collator, {"x": {"$beginsWith": "a"}}, {"x": "apple"})
    assert not matches(collator, {"x": {"$beginsWith": "a"}}, {"x": "a\u0301pple"})
    assert matches(collator, {"x": {"$beginsWith": "a\u0301"}}, {"x": "a\u0301pple"})


def test_strings_that_collate_as_equal_are_equal(collator: Collator) -> None:
    assert matches(collator, {"x": "é"}, {"x": "e\u0301"})
    assert matches(collator, {"x": {"$in": ["é"]}}, {"x": "e\u0301"})
    assert not matches(collator, {"x": "e"}, {"x": "E"})


def test_an_empty_combination_beside_others_is_ignored(collator: Collator) -> None:
    assert matches(collator, {"x": 1, "$or": []}, {"x": 1})
    assert matches(collator, {"x": 1, "$nor": []}, {"x": 1})


def test_a_field_name_that_cannot_be_is_found_out_by_the_first_document(collator: Collator) -> None:
    matcher = Matcher(normalise({"a..b": 1}), collator)
    with pytest.raises(CouchError, match="invalid_field_name"):
        matcher.match({})


def test_deeply_nested_negations_normalise() -> None:
    selector: dict = {"a": 1}
    for _ in range(100):
        selector = {"$not": selector}
    assert normalise(selector) == {"a": {"$eq": 1}}
