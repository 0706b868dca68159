"""The views of design documents, and which of them share an index."""

from __future__ import annotations

from typing import Any

import pytest

from couchfake.views.database_indexes import view_group


def ddoc(views: Any = None, **members: Any) -> dict[str, Any]:
    return {"views": {"v": {"map": "m", "reduce": "_sum"}} if views is None else views, **members}


def signature(document: dict[str, Any]) -> str:
    return view_group(document, partitioned=False).signature


def test_views_with_the_same_map_share_a_tree_with_a_reducer_each() -> None:
    views = {
        "rows": {"map": "m"},
        "sum": {"map": "m", "reduce": "_sum"},
        "count": {"map": "m", "reduce": "_count"},
        "other": {"map": "n"},
        "raw": {"map": "m", "options": {"collation": "raw"}},
    }
    group = view_group(ddoc(views), partitioned=False)
    assert len(group.trees) == 3
    found = {name: group.find(name) for name in views}
    assert found["rows"] is not None
    tree = found["rows"][0]
    assert (found["rows"], found["sum"], found["count"]) == ((tree, None), (tree, 0), (tree, 1))
    assert len({place[0] for place in found.values() if place is not None}) == 3
    assert [each.raw for each in group.trees].count(True) == 1
    assert group.find("none") is None


def test_lib_is_not_a_view_and_odd_members_are_ignored() -> None:
    group = view_group(ddoc({"lib": {"a": "x"}, "v": {"map": "m"}, "odd": 5, "empty": {}}), partitioned=False)
    assert [tree.map_names for tree in group.trees] == [["v"]]
    assert group.lib == {"a": "x"}
    assert view_group({"views": [1], "options": "x"}, partitioned=False).trees == ()


def test_only_what_bears_on_the_rows_bears_on_the_signature() -> None:
    plain = signature(ddoc())
    assert len(plain) == 32
    assert signature(ddoc(_id="_design/other", _rev="1-x", filters={"f": "x"}, language="javascript")) == plain
    assert signature(ddoc({"lib": {"a": "1", "b": "2"}})) == signature(ddoc({"lib": {"b": "2", "a": "1"}}))
    different = [
        ddoc({"v": {"map": "m2", "reduce": "_sum"}}),
        ddoc({"v": {"map": "m", "reduce": "_count"}}),
        ddoc({"v": {"map": "m"}}),
        ddoc({"w": {"map": "m", "reduce": "_sum"}}),
        ddoc({"v": {"map": "m", "reduce": "_sum"}, "lib": {"a": "x"}}),
        ddoc(options={"local_seq": True}),
        ddoc(language="other"),
    ]
    assert len({plain, *map(signature, different)}) == len(different) + 1


@pytest.mark.parametrize(
    ("options", "database", "partitioned"),
    [({}, False, False), ({}, True, True), ({"partitioned": False}, True, False), ({"partitioned": True}, True, True)],
)
def test_views_are_partitioned_as_their_database_unless_they_say_otherwise(
    options: dict[str, Any], database: bool, partitioned: bool
) -> None:
    assert view_group(ddoc(options=options), partitioned=database).partitioned is partitioned


def test_options_count_only_when_they_are_true() -> None:
    group = view_group(ddoc(options={"local_seq": True, "include_design": "yes"}), partitioned=False)
    assert (group.local_seq, group.include_design) == (True, False)
