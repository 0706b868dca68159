from __future__ import annotations

import pytest

from couchfake.errors import CouchError
from couchfake.mango.index import new_index
from couchfake.mango.options import parse_bulk_delete, parse_find, parse_index


def refusal(body: dict) -> tuple[int, str, str]:
    with pytest.raises(CouchError) as caught:
        parse_find({"selector": {}, **body})
    return caught.value.status, caught.value.error, caught.value.reason


def test_defaults_are_the_servers() -> None:
    options = parse_find({"selector": {"a": 1}})
    assert options.to_json() == {
        "use_index": [],
        "bookmark": "nil",
        "limit": 25,
        "skip": 0,
        "sort": {},
        "fields": [],
        "partition": "",
        "r": 1,
        "conflicts": False,
        "stale": False,
        "update": True,
        "stable": False,
        "execution_stats": False,
        "allow_fallback": True,
    }
    assert options.selector == {"a": {"$eq": 1}}


@pytest.mark.parametrize(
    ("body", "error", "reason"),
    [
        ({"selector": 5}, "invalid_selector_json", "Selector must be a JSON object, not: 5"),
        ({"limit": -1}, "invalid_non_neg_integer", "-1 is not an integer greater than or equal to zero"),
        ({"limit": True}, "invalid_non_neg_integer", "true is not an integer greater than or equal to zero"),
        ({"skip": 1e3}, "invalid_non_neg_integer", "1.0e3 is not an integer greater than or equal to zero"),
        ({"r": 0}, "invalid_pos_integer", "0 is not an integer greater than zero"),
        ({"conflicts": "yes"}, "invalid_boolean", "Invalid boolean value: <<121,101,115>>"),
        ({"fields": "a"}, "invalid_fields", "Fields must be an array of strings, not: <<97>>"),
        ({"fields": [1]}, "invalid_field", "Invalid JSON for field spec: 1"),
        ({"sort": "a"}, "invalid_sort_json", 'Sort must be an array of sort specs, not: <<"a">>'),
        ({"sort": [""]}, "invalid_sort_field", "Invalid sort field: <<>>"),
        ({"sort": [{"a": "up"}]}, "invalid_sort_field", 'Invalid sort field: {[{<<"a">>,<<"up">>}]}'),
        (
            {"sort": ["a", {"b": "desc"}]},
            "unsupported_mixed_sort",
            "Sorts currently only support a single direction for all fields.",
        ),
        ({"use_index": "a/b/c"}, "invalid_index_name", "Invalid index name: <<97,47,98,47,99>>"),
        ({"partition": "_x"}, "illegal_partition", "Partition must not start with an underscore"),
        ({"partition": 5}, "illegal_partition", "Partition must be a string"),
        ({"bogus": 1}, "invalid_key", "Invalid key bogus for this request."),
    ],
)
def test_a_wrong_option_is_refused_in_the_servers_words(body: dict, error: str, reason: str) -> None:
    assert refusal(body) == (400, error, reason)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"bookmark": 5}, "Unknown Error: mango_opts :: {invalid_bookmark,5}"),
        ({"stale": True}, "Unknown Error: mango_opts :: {invalid_ok_or_false_value,true}"),
    ],
)
def test_what_the_server_has_no_words_for_is_a_500(body: dict, reason: str) -> None:
    assert refusal(body) == (500, "unknown_error", reason)


def test_a_stale_answer_that_is_accepted_is_shown_as_ok() -> None:
    assert parse_find({"selector": {}, "stale": "ok"}).to_json()["stale"] == "ok"
    assert parse_find({"selector": {}, "stale": False}).to_json()["stale"] is False


@pytest.mark.parametrize(
    ("body", "error", "reason"),
    [
        ({"index": 5}, "invalid_index", "JSON indexes must be an object, not: 5"),
        ({"index": {"fields": ["a"]}, "type": 5}, "invalid_string", "Invalid string: 5"),
    ],
)
def test_a_wrong_index_is_refused_in_the_servers_words(body: dict, error: str, reason: str) -> None:
    with pytest.raises(CouchError) as caught:
        new_index(parse_index(body))
    assert (caught.value.status, caught.value.error, caught.value.reason) == (400, error, reason)


def test_an_index_that_is_neither_partitioned_nor_not_is_a_500() -> None:
    with pytest.raises(CouchError) as caught:
        parse_index({"index": {"fields": ["a"]}, "partitioned": 5})
    assert caught.value.status == 500
    assert caught.value.reason == "Unknown Error: mango_opts :: {invalid_partitioned_value,5}"


@pytest.mark.parametrize(
    ("use_index", "parts"),
    [
        ("d", ["d"]),
        ("_design/d", ["d"]),
        ("d/n", ["d", "n"]),
        ("_design/d/n", ["d", "n"]),
        (["_design/d", "n"], ["_design/d", "n"]),
        (None, []),
        ([], []),
        ("/", ["", ""]),
    ],
)
def test_an_index_is_named_in_several_ways(use_index: object, parts: list[str]) -> None:
    assert parse_find({"selector": {}, "use_index": use_index}).use_index == parts


def test_the_first_wrong_member_in_the_servers_order_is_reported() -> None:
    assert refusal({"bogus": 1, "skip": -1, "limit": -2})[2].startswith("-2")


def test_the_names_of_an_index_may_not_be_empty() -> None:
    with pytest.raises(CouchError, match="Index name or ddoc cannot be empty string"):
        parse_index({"index": {"fields": ["a"]}, "name": ""})


def test_bulk_delete_takes_names_of_design_documents() -> None:
    assert parse_bulk_delete({"docids": ["_design/a", "b"], "w": 3}) == ["_design/a", "b"]
    with pytest.raises(CouchError, match="Bulk Delete requires an array of non-null docids"):
        parse_bulk_delete({"docids": None})
