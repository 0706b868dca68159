from __future__ import annotations

from typing import Any

import pytest

from couchfake.api.rewrites import apply_rules, normalized
from couchfake.errors import CouchError


def lead(
    rule: dict[str, Any], path: str, *arguments: tuple[str, Any], method: str = "GET", secure: bool = True
) -> str | None:
    return apply_rules([rule], method, path.split("/") if path else [], list(arguments), secure)


@pytest.mark.parametrize(
    ("source", "path", "found"),
    [
        ("/a", "a", "x"),
        ("a/", "a", "x"),
        ("/a", "a/b", None),
        ("/a/b", "a", None),
        ("/a/*", "a", "x"),
        ("/a/*", "a/b/c", "x"),
        ("", "", "x"),
        ("/", "a", None),
        ("/a/:id", "a", None),
        ("/a/:id", "b/c", None),
    ],
)
def test_a_rule_fits_paths(source: str, path: str, found: str | None) -> None:
    assert lead({"from": source, "to": "x"}, path) == found


def test_without_from_every_path_fits() -> None:
    assert lead({"to": "x/*"}, "a/b") == "x/a/b"


def test_the_first_rule_that_fits_counts() -> None:
    rules = [{"from": "a", "to": "1", "method": "PUT"}, {"from": "a", "to": "2"}, {"from": "*", "to": "3"}, "no rule"]
    assert [apply_rules(rules, "GET", [part], []) for part in ("a", "b")] == ["2", "3"]
    assert apply_rules(rules, "PUT", ["a"], []) == "1"


def test_variables_stand_in_path_and_query() -> None:
    rule = {"from": "/by/:name/:n", "to": "_view/:name", "query": {"key": [":n", "rest"], "limit": ":n"}}
    assert lead(rule, "by/day/5") == "_view/day?key=%5B%225%22%2C%22rest%22%5D&limit=5&name=day&n=5"


def test_variables_that_nothing_says_are_undefined_in_paths_and_stay_in_queries() -> None:
    assert lead({"from": "a", "to": "_view/:b", "query": {"q": ":c"}}, "a") == "_view/undefined?q=%3Ac"


def test_arguments_of_the_request_are_passed_on_and_bind_variables() -> None:
    assert lead({"from": "a", "to": "_show/:who"}, "a", ("who", "me")) == "_show/me?who=me"


def test_the_rules_query_goes_before_the_requests() -> None:
    assert lead({"from": "a", "to": "x", "query": {"limit": "1"}}, "a", ("limit", "5")) == "x?limit=1"


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [("int", "12", "12"), ("int", "x", "%22x%22"), ("bool", "TRUE", "true"), ("", "1", "%221%22")],
)
def test_formats_turn_texts_into_values(kind: str, text: str, shown: str) -> None:
    rule = {"from": "/:k", "to": "v", "query": {"key": ":k"}, "formats": {"k": kind}}
    assert f"key={shown}" in str(lead(rule, text))


def test_more_than_two_steps_up_are_refused_unless_allowed() -> None:
    rule = {"from": "a", "to": "../../../_all_dbs"}
    with pytest.raises(CouchError) as caught:
        lead(rule, "a")
    assert caught.value.args == (500, "insecure_rewrite_rule", "too many ../.. segments")
    assert lead(rule, "a", secure=False) == "../../../_all_dbs"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"from": "a"}, "invalid_rewrite_target"),
        ({"from": 1, "to": "x"}, "badarg"),
        ({"from": "a", "to": "x", "query": []}, "case_clause"),
        ({"from": "a", "to": "x", "query": {"limit": 1}}, "badarg"),
    ],
)
def test_rules_that_make_no_sense_are_errors(rule: dict[str, Any], reason: str) -> None:
    with pytest.raises(CouchError) as caught:
        lead(rule, "a")
    assert (caught.value.status, caught.value.reason) == (500, reason)


@pytest.mark.parametrize(
    ("path", "shorter"),
    [
        ("/db/_design/d/_view/v", "/db/_design/d/_view/v"),
        ("/db/_design/d/../../doc", "/db/doc"),
        ("/db//a/./b", "/db/a/b"),
        ("/../a", "/../a"),
        ("/", "/"),
    ],
)
def test_paths_are_normalized(path: str, shorter: str) -> None:
    assert normalized(path) == shorter
