"""Query parameters, from URLs and from bodies."""

from __future__ import annotations

from typing import Any

import pytest

from couchfake.errors import CouchError
from couchfake.views.keys import MISSING
from couchfake.views.options import (
    ViewOptions,
    bounded,
    check,
    check_all_docs,
    group_level,
    of_body,
    of_one_query,
    of_query,
)


def refusal(ask: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(CouchError) as caught:
        ask(*arguments, **named)
    assert caught.value.status == 400
    return f"{caught.value.error}: {caught.value.reason}"


def test_without_options_everything_comes_in_order() -> None:
    assert of_query([]) == of_body({}) == ViewOptions()
    assert ViewOptions().start_key is MISSING


def test_all_parameters_and_their_other_names() -> None:
    asked = of_query(
        [
            ("startkey", "[1]"), ("end_key", '"z"'), ("startkey_docid", "a"), ("end_key_doc_id", "b"), ("limit", "+3"),
            ("skip", "2"), ("descending", "TRUE"), ("inclusive_end", "false"), ("reduce", "false"), ("group", "true"),
            ("group_level", "2"), ("include_docs", "true"), ("conflicts", "false"), ("attachments", "true"),
            ("att_encoding_info", "true"), ("update", "lazy"), ("stable", "true"), ("update_seq", "true"),
            ("sorted", "false"), ("partition", "p"), ("unknown", "1"), ("", "2"),
        ]
    )  # fmt: skip
    assert asked == ViewOptions(
        [1], "z", "a", "b", None, None, 3, 2, True, False, False, True, 2, True, False, True, True, "lazy", True, True,
        False, "p",
    )  # fmt: skip


def test_the_same_from_a_body() -> None:
    members = {"start_key": [1], "endkey": "z", "limit": 3, "descending": "true", "update": True, "stable": False}
    assert of_body(members) == ViewOptions([1], "z", limit=3, descending=True)
    assert of_body({"update": "false", "startkey_docid": 5}) == ViewOptions(update=False, start_key_docid="5")


def test_later_parameters_win_whatever_their_spelling() -> None:
    assert of_query([("startkey", "1"), ("start_key", "2")]).start_key == 2
    asked = of_query([("key", "7"), ("endkey", "9")])
    assert (asked.start_key, asked.end_key) == (7, 9)
    assert of_query([("limit", "1")], of_body({"limit": 5, "skip": 1})) == ViewOptions(limit=1, skip=1)
    assert of_query([("attachments", "true"), ("attachments", "false")]).attachments


def test_the_old_words_for_staleness() -> None:
    assert of_query([("stale", "ok")]) == ViewOptions(update=False, stable=True)
    assert of_query([("stale", "update_after")]) == ViewOptions(update="lazy", stable=True)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("limit", "x", 'Invalid value for integer: "x"'),
        ("limit", "", "Invalid value for integer: []"),
        ("limit", " 1", 'Invalid value for integer: " 1"'),
        ("limit", "1_0", 'Invalid value for integer: "1_0"'),
        ("limit", '"1"', 'Invalid value for integer: "\\"1\\""'),
        ("limit", "é", 'Invalid value for integer: "é"'),
        ("limit", "€", "Invalid value for integer: [226,130,172]"),
        ("limit", "9" * 5000, f'Invalid value for integer: "{"9" * 5000}"'),
        ("skip", "-1", 'Invalid value for positive integer: "-1"'),
        ("group_level", "1.5", 'Invalid value for integer: "1.5"'),
        ("descending", "maybe", 'Invalid boolean parameter: "maybe"'),
        ("descending", "", "Invalid boolean parameter: []"),
        ("stale", "true", "Invalid value for `stale`."),
        ("stable", "TRUE", "Invalid value for `stable`."),
        ("update", "maybe", "Invalid value for `update`."),
    ],
)
def test_values_of_the_wrong_kind_in_a_query_string(name: str, value: str, reason: str) -> None:
    assert refusal(of_query, [(name, value)]) == f"query_parse_error: {reason}"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("limit", "3", 'Invalid value for integer: <<"3">>'),
        ("limit", 3.0, "Invalid value for integer: 3.0"),
        ("limit", True, "Invalid value for integer: true"),
        ("skip", -1, "Invalid value for positive integer: -1"),
        ("descending", "maybe", 'Invalid boolean parameter: "maybe"'),
        ("descending", 1, "Invalid boolean parameter: 1"),
        ("update", 1, "Invalid value for `update`."),
    ],
)
def test_values_of_the_wrong_kind_in_a_body(name: str, value: Any, reason: str) -> None:
    assert refusal(of_body, {name: value}) == f"query_parse_error: {reason}"


@pytest.mark.parametrize("text", ["", "x", "[1", "1e400", "\udcff"])
def test_keys_in_a_query_string_are_json(text: str) -> None:
    for name in ("key", "keys", "startkey", "end_key"):
        assert refusal(of_query, [(name, text)]) == "bad_request: invalid UTF-8 JSON"


@pytest.mark.parametrize(
    ("options", "level"),
    [
        (ViewOptions(), 0),
        (ViewOptions(group=False), 0),
        (ViewOptions(group=True), None),
        (ViewOptions(group_level=3), 3),
        (ViewOptions(group=True, group_level=0), 0),
        (ViewOptions(group=False, group_level=0), 0),
    ],
)
def test_group_and_group_level_together(options: ViewOptions, level: int | None) -> None:
    assert group_level(options) == level


@pytest.mark.parametrize(
    ("options", "reducing", "reason"),
    [
        (ViewOptions(group=False, group_level=1), True, "Can't specify group=false and group_level>0 at the same time"),
        (ViewOptions(reduce=True), False, "Reduce is invalid for map-only views."),
        (ViewOptions(keys=[1, 2]), True, "Multi-key fetches for reduce views must use `group=true`"),
        (ViewOptions(keys=[1, 2], group_level=1), True, "Multi-key fetches for reduce views must use `group=true`"),
        (ViewOptions(keys=[]), True, "Multi-key fetches for reduce views must use `group=true`"),
        (ViewOptions(keys="a"), False, "`keys` must be an array of strings."),
        (ViewOptions(keys=[1, 2], end_key=3), False, "`keys` is incompatible with `key`, `start_key` and `end_key`"),
        (ViewOptions(group=True), False, "Invalid use of grouping on a map view."),
        (ViewOptions(group_level=1), False, "Invalid use of grouping on a map view."),
        (ViewOptions(include_docs=True), True, "`include_docs` is invalid for reduce"),
        (ViewOptions(conflicts=False), True, "`conflicts` is invalid for reduce views."),
    ],
)
def test_what_does_not_go_together(options: ViewOptions, reducing: bool, reason: str) -> None:
    assert refusal(check, options, reducing) == f"query_parse_error: {reason}"


@pytest.mark.parametrize(
    "options",
    [
        ViewOptions(keys=[1, 2], group=True),
        ViewOptions(keys=[], group=True, start_key=1),
        ViewOptions(attachments=True),
    ],
)
def test_what_goes_together_on_a_reduce_view(options: ViewOptions) -> None:
    check(options, reducing=True)


def test_one_key_in_keys_is_a_key() -> None:
    asked = of_query([("keys", "[5]")])
    assert (asked.start_key, asked.end_key, asked.keys, asked.all_keys) == (5, 5, None, [5])
    check(asked, reducing=True)
    check(of_query([("keys", "[5]"), ("startkey", "4")]), reducing=False)


def test_null_for_keys_is_not_an_array() -> None:
    assert "must be an array" in refusal(check, of_query([("keys", "null")]), False)


def test_all_docs_keeps_one_key_apart_from_a_range() -> None:
    check_all_docs(of_query([("keys", '["a"]')]))
    check_all_docs(of_query([("key", '"b"'), ("keys", '["a"]')]))
    check_all_docs(of_query([("keys", '["a","b"]')]))
    for pairs in (
        [("keys", '["a"]'), ("startkey", '"b"')],
        [("startkey", '"b"'), ("keys", '["a","b"]')],
        [("key", '"a"'), ("keys", '["a","b"]')],  # of several keys none is the range's ends
    ):
        assert "`keys` is incompatible" in refusal(check_all_docs, of_query(pairs))
    assert "Reduce is invalid" in refusal(check_all_docs, of_query([("reduce", "true")]))


def test_a_partition_is_read_as_a_text_whatever_it_is() -> None:
    assert of_body({"partition": 1}).partition == "1"
    assert of_body({"partition": None}).partition == "null"
    assert refusal(of_body, {"partition": ""}) == "illegal_partition: Partition must not be empty"


def test_limits_have_a_bound() -> None:
    assert bounded(ViewOptions(limit=10), 10) == ViewOptions(limit=10)
    assert bounded(ViewOptions(), 10) == ViewOptions(limit=10)
    assert bounded(ViewOptions()) == ViewOptions()
    assert refusal(bounded, ViewOptions(limit=11), 10) == "query_parse_error: Limit is too large, must not exceed 10"


def test_each_of_several_queries_has_its_own_keys_and_groups_but_the_rest_of_the_url() -> None:
    base = of_query([("limit", "1"), ("group", "true"), ("keys", "[1,2]")])
    assert of_one_query({"skip": 3}, base) == ViewOptions(limit=1, skip=3)
    assert of_one_query({"limit": 2, "group_level": 1}, base) == ViewOptions(limit=2, group_level=1)
