from __future__ import annotations

from tests.mango.conftest import Couch


def chosen(couch: Couch, selector: dict, **options: object) -> str | None:
    index = couch.explain(selector, **options)["index"]
    return index and index["name"]


def reasons(couch: Couch, selector: dict, **options: object) -> dict[str, tuple[str, int]]:
    candidates = couch.explain(selector, **options)["index_candidates"]
    return {
        each["index"]["name"]: (each["analysis"]["reasons"][0]["name"], each["analysis"]["ranking"])
        for each in candidates
    }


def test_the_index_with_most_narrowed_columns_is_taken(couch: Couch) -> None:
    couch.index("age")
    couch.index("team", "age", name="both")
    assert chosen(couch, {"age": 1}) == "age"
    assert chosen(couch, {"age": 1, "team": "core"}) == "both"
    assert chosen(couch, {"team": "core"}) == "_all_docs"
    others = reasons(couch, {"age": 1, "team": "core"})
    assert others == {"age": ("less_overlap", 1), "_all_docs": ("unfavored_type", 2)}


def test_among_equals_fewer_columns_count_and_then_the_alphabet(couch: Couch) -> None:
    couch.index("age", name="b")
    couch.index("age", name="a")
    couch.index("age", "team", name="0")
    selector = {"age": {"$gt": 1}, "team": {"$regex": "x"}}
    assert chosen(couch, selector) == "a"
    assert reasons(couch, selector) == {
        "b": ("alphabetically_comes_after", 1),
        "0": ("too_many_fields", 2),
        "_all_docs": ("unfavored_type", 3),
    }


def test_an_index_must_hold_every_document_that_could_match(couch: Couch) -> None:
    couch.index("age", "team", name="both")
    couch.index("age")
    assert chosen(couch, {"age": {"$exists": False}}) == "_all_docs"
    assert chosen(couch, {"$or": [{"age": 1}, {"team": 2}]}) == "_all_docs"
    assert chosen(couch, {"$or": [{"age": 1}, {"age": {"$gt": 5}, "team": 2}]}) == "age"


def test_every_document_has_an_id_and_a_revision(couch: Couch) -> None:
    couch.index("age", "_id", "_rev", name="all three")
    assert chosen(couch, {"age": 1}) == "all three"


def test_a_sort_needs_an_index_that_begins_with_it(couch: Couch) -> None:
    couch.index("team", "age", name="both")
    assert chosen(couch, {}, sort=["team", "age"]) == "both"
    assert chosen(couch, {"team": "core"}, sort=["age"]) == "both"
    assert chosen(couch, {"team": "core", "size": {"$gt": 1}}, sort=["age"]) == "both"
    assert chosen(couch, {"team": {"$gt": "a"}}, sort=["age"]) is None
    assert couch.find({"team": {"$gt": "a"}}, sort=["age"])["error"] == "no_usable_index"
    assert reasons(couch, {"team": {"$gt": "a"}}, sort=["age"])["both"] == ("sort_order_mismatch", 1)


def test_documents_sort_by_id_only_where_the_selector_says_something_of_it(couch: Couch) -> None:
    assert chosen(couch, {"_id": {"$gt": None}}, sort=["_id"]) == "_all_docs"
    assert chosen(couch, {"a": 1}, sort=["_id"]) is None
    assert chosen(couch, {"_id": {"$gt": None}}, sort=["_id", "a"]) is None


def test_a_requested_index_that_does_not_fit_is_replaced_or_refused(couch: Couch) -> None:
    couch.index("age")
    couch.index("team")
    found = couch.find({"age": 1}, use_index=["team", "team"])
    assert found["warning"] == "_design/team, team was not used because it is not a valid index for this query."
    refused = couch.find({"age": 1}, use_index="team", allow_fallback=False)
    assert refused["reason"] == "_design/team specified by `use_index` could not be found or it is not suitable."
    refused = couch.find({"age": 1}, use_index=["team", "team"], allow_fallback=False)
    assert refused["reason"] == "_design/team, team specified by `use_index` could not be found or it is not suitable."
    assert chosen(couch, {"age": 1}, use_index="age") == "age"


def test_without_fallback_a_scan_over_all_documents_is_refused(couch: Couch) -> None:
    couch.index("age")
    assert "docs" in couch.find({"age": 1}, allow_fallback=False)
    assert "docs" in couch.find({"age": 1}, use_index=[], allow_fallback=False)
    options: dict
    for options in ({}, {"use_index": []}):
        refused = couch.find({"team": "core"}, allow_fallback=False, **options)
        assert refused["error"] == "invalid_index"
        assert refused["reason"] == "You must specify an index with the `use_index` parameter."


def test_without_fallback_a_sort_that_one_index_alone_can_do_needs_use_index(couch: Couch) -> None:
    couch.index("age")
    couch.index("age", "name", name="both")
    query: dict = {"sort": ["age", "name"], "allow_fallback": False}
    assert couch.find({"age": 1}, **query)["reason"] == "You must specify an index with the `use_index` parameter."
    assert "docs" in couch.find({"age": 1}, use_index="both", **query)
    assert "docs" in couch.find({"age": 1}, sort=["age"], use_index="age", allow_fallback=False)


def test_a_partial_index_that_is_named_and_does_not_fit_is_partial_first(couch: Couch) -> None:
    couch.index("team", name="partial", partial_filter_selector={"age": 1})
    assert reasons(couch, {"age": 1}, use_index="partial") == {"partial": ("is_partial", 3)}


def test_text_search_finds_no_json_index(couch: Couch) -> None:
    couch.index("age")
    assert reasons(couch, {"age": 1, "$text": "x"})["age"] == ("needs_text_search", 1)


def test_the_keys_of_a_composite_range(couch: Couch) -> None:
    couch.index("team", "age", "name", name="all")

    def keys(selector: dict, **options: object) -> tuple[list, list]:
        arguments = couch.explain({"name": {"$gt": None}, **selector}, **options)["mrargs"]
        return arguments["start_key"], arguments["end_key"]

    assert keys({"team": "core", "age": {"$gt": 3, "$lt": 9}}) == (["core", 3, None], ["core", 9, "<MAX>"])
    assert keys({"team": {"$lt": "d"}, "age": 3}) == ([], ["d", 3, "<MAX>"])
    assert keys({"team": {"$beginsWith": "c"}, "age": 3}) == (["c", 3, None], ["c\uffff", 3, "<MAX>"])
    assert keys({"team": "core", "age": 3}, sort=[{"team": "desc"}]) == (["core", 3, "<MAX>"], ["core", 3, None])


def test_a_covered_query_reads_no_documents(couch: Couch) -> None:
    couch.index("age")
    assert couch.explain({"age": 1}, fields=["_id", "age"])["covering"] is True
    assert couch.explain({"age": 1}, fields=["age", "team"])["covering"] is False
    assert couch.explain({"age": 1, "team": 2}, fields=["age"])["covering"] is False


def test_a_partition_has_its_own_indexes(partitioned: Couch) -> None:
    partitioned.index("age", name="part")
    partitioned.index("age", name="glob", partitioned=False)
    assert chosen(partitioned, {"age": 1}) == "glob"
    assert chosen(partitioned, {"age": 1}, partition="p") == "part"
    assert reasons(partitioned, {"age": 1}, partition="p")["glob"] == ("scope_mismatch", 2)
    answer = partitioned.find({"age": 1}, sort=["team"], partition="p")
    assert answer["reason"] == "No partitioned index exists for this sort, try indexing by the sort fields."
    answer = partitioned.find({"age": 1}, sort=["team"])
    assert answer["reason"] == "No global index exists for this sort, try indexing by the sort fields."
