"""Design documents kept up to date with view definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from couchdb_client import Database, ResourceConflict
from couchdb_client.design import ViewDefinition

BY_ID = "function (doc) { emit(doc._id, null); }"
BY_NAME = "function (doc) { emit(doc.name, null); }"


def marked(*marks: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that returns the function itself."""
    return lambda function: function


@marked()
@marked(
    "over several lines",
)
def map_in_python(
    doc: Any,
) -> Iterator[Any]:
    yield doc["name"], None  # a comment


def views_of(db: Database, design: str) -> dict[str, Any]:
    views: dict[str, Any] = db[f"_design/{design}"]["views"]
    return views


def test_a_view_is_stored_once_and_queried(couch_db: Database) -> None:
    couch_db["a"] = {"name": "Joe"}
    view = ViewDefinition("people", "by_name", BY_NAME, "_count", reduce=False)
    assert view.get_doc(couch_db) is None
    [(success, docid, rev)] = view.sync(couch_db)
    doc = view.get_doc(couch_db)
    assert doc is not None
    assert (success, docid, rev) == (True, "_design/people", doc.rev)
    assert doc["views"] == {"by_name": {"map": BY_NAME, "reduce": "_count"}}
    assert doc["language"] == "javascript"
    assert view.sync(couch_db) == []
    assert [row.key for row in view(couch_db, limit=1)] == ["Joe"]
    assert [row.value for row in view(couch_db, reduce=True)] == [1]


def test_a_view_shows_its_path() -> None:
    view = ViewDefinition("_design/people", "by_name", BY_NAME)
    assert repr(view) == "<ViewDefinition '_design/people/_view/by_name'>"


def test_common_indentation_of_functions_is_removed() -> None:
    view = ViewDefinition("d", "v", "\n    function (doc) {\n      emit(1);\n    }\n", "\n\n  _sum\n")
    assert view.map_fun == "function (doc) {\n  emit(1);\n}\n"
    assert view.reduce_fun == "_sum\n"


def test_a_python_function_is_stored_without_its_decorators() -> None:
    expected = 'def map_in_python(\n    doc: Any,\n) -> Iterator[Any]:\n    yield doc["name"], None  # a comment'
    assert ViewDefinition("d", "v", map_in_python, language="python").map_fun == expected

    @marked()
    def nested(keys: Any, values: Any) -> Any:
        return sum(values)

    view = ViewDefinition("d", "v", map_in_python, nested, language="python")
    assert view.reduce_fun == "def nested(keys: Any, values: Any) -> Any:\n    return sum(values)"


def test_a_function_of_another_kind_is_refused() -> None:
    function: Any = 5
    with pytest.raises(TypeError, match="expected a function or its source text"):
        ViewDefinition("d", "v", function)


def test_options_of_a_view_are_stored(couch_db: Database) -> None:
    ViewDefinition("d", "v", BY_ID, options={"collation": "raw"}).sync(couch_db)
    assert views_of(couch_db, "d")["v"]["options"] == {"collation": "raw"}


def test_a_wrapper_makes_the_rows(couch_db: Database) -> None:
    view = ViewDefinition("d", "v", BY_ID, wrapper=lambda row: row["key"])
    view.sync(couch_db)
    couch_db["a"] = {}
    assert list(view(couch_db)) == ["a"]


def test_other_views_and_members_stay(couch_db: Database) -> None:
    couch_db["_design/d"] = {"filters": {"f": "function () { return true; }"}, "views": {"old": {"map": BY_ID}}}
    ViewDefinition("d", "new", BY_NAME).sync(couch_db)
    doc = couch_db["_design/d"]
    assert doc["views"] == {"old": {"map": BY_ID}, "new": {"map": BY_NAME}}
    assert "f" in doc["filters"]


def test_a_reduce_function_that_is_gone_is_removed(couch_db: Database) -> None:
    ViewDefinition("d", "v", BY_ID, "_count").sync(couch_db)
    ViewDefinition("d", "v", BY_ID).sync(couch_db)
    assert views_of(couch_db, "d") == {"v": {"map": BY_ID}}


def test_many_views_are_stored_a_design_document_at_a_time(couch_db: Database) -> None:
    views = (ViewDefinition("b", "one", BY_ID), ViewDefinition("a", "one", BY_ID), ViewDefinition("b", "two", BY_NAME))
    rows = ViewDefinition.sync_many(couch_db, (view for view in views))
    assert [row[:2] for row in rows] == [(True, "_design/a"), (True, "_design/b")]
    assert sorted(views_of(couch_db, "b")) == ["one", "two"]
    assert ViewDefinition.sync_many(couch_db, views) == []
    assert ViewDefinition.sync_many(couch_db, []) == []


def test_missing_views_are_removed_on_request_and_shared_code_stays(couch_db: Database) -> None:
    couch_db["_design/d"] = {
        "language": "erlang",
        "views": {"old": {"map": "fun({Doc}) -> Emit(1, 2) end."}, "lib": {"x": "exports.y = 1;"}},
    }
    couch_db["_design/other"] = {"views": {"v": {"map": BY_ID}}}
    ViewDefinition.sync_many(couch_db, [ViewDefinition("d", "new", BY_ID)], remove_missing=True)
    assert views_of(couch_db, "d") == {"lib": {"x": "exports.y = 1;"}, "new": {"map": BY_ID}}
    assert couch_db["_design/d"]["language"] == "javascript"
    assert views_of(couch_db, "other") == {"v": {"map": BY_ID}}


def test_the_callback_may_change_what_is_about_to_be_saved(couch_db: Database) -> None:
    called: list[str] = []

    def callback(doc: dict[str, Any]) -> None:
        called.append(doc["_id"])
        doc["description"] = "from the program"

    definition = ViewDefinition("d", "v", BY_ID)
    ViewDefinition.sync_many(couch_db, [definition], callback=callback)
    assert couch_db["_design/d"]["description"] == "from the program"
    ViewDefinition.sync_many(couch_db, [definition], callback=callback)
    assert called == ["_design/d"]


def test_a_design_document_has_one_language(couch_db: Database) -> None:
    couch_db["_design/d"] = {"views": {"old": {"map": BY_ID}}}
    with pytest.raises(ValueError, match="views of different languages in _design/d: javascript, python"):
        ViewDefinition("d", "new", map_in_python, language="python").sync(couch_db)
    with pytest.raises(ValueError, match="views of different languages in _design/e: erlang, javascript"):
        ViewDefinition.sync_many(
            couch_db, [ViewDefinition("e", "a", BY_ID), ViewDefinition("e", "b", BY_ID, language="erlang")]
        )


def test_a_conflict_is_in_the_answer(couch_db: Database) -> None:
    rows = ViewDefinition.sync_many(
        couch_db, [ViewDefinition("d", "v", BY_ID)], callback=lambda doc: doc.update(_rev="1-abc")
    )
    assert rows[0][:2] == (False, "_design/d")
    assert isinstance(rows[0][2], ResourceConflict)
