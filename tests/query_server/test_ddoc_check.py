from __future__ import annotations

from typing import Any

import pytest

from couchfake.errors import CouchError
from couchfake.query_server import QueryServer, validate_ddoc

MAP = "function (doc) { emit(doc._id, null); }"


class Compiles:
    """Takes every source, and remembers it."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    def try_compile(self, source: str) -> None:
        self.sources.append(source)


def refusal(ddoc: dict[str, Any], compiler: Any = None, **options: Any) -> tuple[int, str, Any]:
    with pytest.raises(CouchError) as caught:
        validate_ddoc(ddoc, compiler or Compiles(), **options)
    return caught.value.status, caught.value.error, caught.value.reason


@pytest.mark.parametrize(
    "ddoc",
    [
        {},
        {"language": "javascript", "views": {}, "options": {"anything": 1}, "autoupdate": False, "more": [1]},
        {"views": {"lib": {"m": "exports.x = 1"}, "v": {"map": MAP, "reduce": "_sum"}}},
        {"rewrites": []},
        {"rewrites": "nonsense"},
        {"shows": {"s": "function("}, "lists": {"l": {}}, "updates": {}, "filters": {"f": "function("}},
        {"language": "query", "views": {"v": {"map": {"fields": {}}}}},
        {"language": "erlang", "views": {"v": {"map": "fun() -> ok end."}}},
    ],
)
def test_design_documents_that_may_be_saved(ddoc: dict[str, Any]) -> None:
    validate_ddoc(ddoc, Compiles())


@pytest.mark.parametrize(
    ("ddoc", "reason"),
    [
        ({"language": 5}, "`language` field must have string type"),
        ({"language": None}, "`language` field must have string type"),
        ({"views": []}, "`views` field must have object type"),
        ({"views": {"v": "text"}}, "`views.v` field must have object type"),
        ({"views": {"v": {}}}, "View `v` must contain map function"),
        ({"views": {"v": {"map": None}}}, "`views.v.map` field must have string type"),
        ({"views": {"v": {"map": MAP, "reduce": 5}}}, "`views.v.reduce` field must have string type"),
        ({"views": {"lib": "x"}}, "`views.lib` field must have object type"),
        ({"views": {"v": {"map": MAP}}, "language": "query"}, "`views.v.map` field must have object type"),
        ({"options": []}, "`options` field must have object type"),
        ({"options": {"local_seq": 1}}, "`options.local_seq` field must have boolean type"),
        ({"options": {"partitioned": None}}, "`options.partitioned` field must have boolean type"),
        ({"rewrites": {}}, "`rewrites` field must have array or string type"),
        ({"filters": {"f": 5}}, "`filters.f` field must have string or object type"),
        ({"validate_doc_update": {}}, "`validate_doc_update` field must have string type"),
        ({"options": {"partitioned": True}}, "partitioned option cannot be true in a non-partitioned database."),
        ({"views": {"v": {"map": MAP, "reduce": "_nope"}}}, "`_nope` is not a supported reduce function."),
        ({"views": {"v": {"map": MAP, "reduce": "_top_x"}}}, "invalid rank reducer"),
        ({"views": {"v": {"map": MAP, "reduce": "_bottom_101"}}}, "rank value must be between 1 and 100"),
        ({"views": {"v": {"map": MAP, "reduce": "_top"}}}, "`_top` is not a supported reduce function."),
    ],
)
def test_members_that_are_wrong(ddoc: dict[str, Any], reason: str) -> None:
    assert refusal(ddoc) == (400, "invalid_design_doc", reason)


def test_partitioned_databases_may_have_partitioned_views() -> None:
    validate_ddoc({"options": {"partitioned": True}}, Compiles(), partitioned=True)


@pytest.mark.parametrize(
    "reduce",
    ["_sum", "_count", "_stats", "_approx_count_distinct", "_first", "_last", "_top_1", "_bottom_100", "_sumer"],
)
def test_builtin_reducers_are_recognized_by_their_prefixes(reduce: str) -> None:
    validate_ddoc({"views": {"v": {"map": MAP, "reduce": reduce}}}, Compiles())


def test_functions_are_compiled_once_for_each_source() -> None:
    compiler = Compiles()
    views = {"b": {"map": "m2"}, "a": {"map": "m1", "reduce": "r"}, "c": {"map": "m1"}, "lib": {"m": "x"}}
    validate_ddoc({"views": views}, compiler)
    assert compiler.sources == ["m1", "r", "m2"]


def test_sources_that_are_not_functions_are_refused(server: QueryServer) -> None:
    start = "Compilation of the map function in the 'v' view failed: "
    for source in ("1 + 1", "null", "   ", "// only a comment", "function named(doc) {}"):
        assert refusal({"views": {"v": {"map": source}}}, server) == (
            400,
            "compilation_error",
            f"{start}Expression does not eval to a function. ({source})",
        )
    assert refusal({"views": {"v": {"map": ""}}}, server) == (404, "not_found", "missing function")
    assert refusal({"views": {"v": {"map": "function (doc) {"}}}, server)[2].startswith(start + "SyntaxError: ")
    reason = refusal({"views": {"v": {"map": MAP, "reduce": "5"}}}, server)[2]
    assert (
        reason
        == "Compilation of the reduce function in the 'v' view failed: Expression does not eval to a function. (5)"
    )


def test_the_engine_reports_syntax_errors_as_couchdb_does() -> None:
    server = QueryServer("quickjs")
    reason = refusal({"views": {"v": {"map": "function(doc) {"}}}, server)[2]
    server.close()
    assert reason == (
        "Compilation of the map function in the 'v' view failed: SyntaxError: unexpected token in expression: ''"
        " (function(doc) {)"
    )


def test_asynchronous_functions_are_refused_as_by_couchdbs_engine() -> None:
    server = QueryServer("quickjs")
    assert "Expression does not eval to a function" in refusal({"views": {"v": {"map": "async doc => 1"}}}, server)[2]
    server.close()
