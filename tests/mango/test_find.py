from __future__ import annotations

import threading

import pytest

from tests.mango.conftest import Couch

PEOPLE = [
    {"_id": f"p{n:02}", "age": 20 + n % 10, "team": ["core", "web", "ops"][n % 3], "name": {"first": f"N{n}"}}
    for n in range(30)
]
NO_INDEX = "No matching index found, create an index to optimize query time."


def test_an_index_gives_the_same_documents_as_a_scan_in_its_own_order(couch: Couch) -> None:
    couch.save(*PEOPLE)
    selector = {"age": {"$gt": 22, "$lt": 26}}
    scanned = couch.find(selector, limit=100)
    assert scanned["warning"] == NO_INDEX
    couch.index("age")
    found = couch.find(selector, limit=100)
    assert "warning" not in found
    assert sorted(doc["_id"] for doc in found["docs"]) == [doc["_id"] for doc in scanned["docs"]]
    assert [doc["age"] for doc in found["docs"]] == sorted(doc["age"] for doc in found["docs"])


def test_pages_by_bookmark_hold_every_document_once(couch: Couch) -> None:
    couch.save(*PEOPLE)
    couch.index("age")
    for options in ({}, {"sort": ["age"]}, {"sort": [{"age": "desc"}]}, {"fields": ["_id", "age"], "use_index": "age"}):
        seen: list[str] = []
        bookmark = None
        while True:
            page = couch.find({"age": {"$gt": 21}}, limit=4, bookmark=bookmark, **options)
            if not page["docs"]:
                break
            seen += [doc["_id"] for doc in page["docs"]]
            bookmark = page["bookmark"]
        assert len(seen) == len(set(seen)) == 24
        assert page["bookmark"] == bookmark


def test_statistics_count_what_was_looked_at(couch: Couch) -> None:
    couch.save(*PEOPLE)
    couch.index("age")

    def looked_at(selector: dict, **options: object) -> list[int]:
        stats = couch.find(selector, execution_stats=True, **options)["execution_stats"]
        assert stats.pop("execution_time_ms") >= 0
        return list(stats.values())

    assert looked_at({"age": {"$gte": 28}}) == [6, 6, 0, 6]
    assert looked_at({"age": {"$gte": 28}}, fields=["_id", "age"]) == [6, 0, 0, 6]
    assert looked_at({"age": {"$gte": 28}}, r=2) == [6, 0, 6, 6]
    assert looked_at({"age": {"$gt": 20}}, limit=3) == [7, 7, 0, 3]
    assert looked_at({"team": "core"}, limit=100) == [31, 31, 0, 10]
    assert looked_at({}, limit=100) == [30, 30, 0, 30]  # without the design document, which would match


def test_few_hits_among_many_documents_are_warned_of(couch: Couch) -> None:
    couch.save(*PEOPLE)
    found = couch.find({"_id": "p03"})
    assert found["warning"] == NO_INDEX
    found = couch.find({"name.first": "N3"})
    assert found["warning"].startswith(NO_INDEX + "\nThe number of documents examined is high")


def test_as_many_documents_as_the_threshold_are_not_too_many(couch: Couch) -> None:
    couch.save(*PEOPLE[:10])
    assert couch.find({"name.first": "N3"})["warning"] == NO_INDEX
    couch.save({"_id": "eleventh"})
    assert couch.find({"name.first": "N3"})["warning"] != NO_INDEX


def test_an_index_follows_its_documents_unless_switched_off(couch: Couch) -> None:
    couch.save(*PEOPLE)
    couch.index("age")
    assert couch.ids({"age": {"$gt": 50}}) == []
    couch.save({"_id": "new", "age": 99})
    assert couch.ids({"age": {"$gt": 50}}, update=False) == []
    assert couch.ids({"age": {"$gt": 50}}) == ["new"]
    assert couch.ids({"age": {"$gt": 50}}, stale="ok") == ["new"]
    rev = couch.session.get(f"{couch.url}/new").json()["_rev"]
    couch.session.delete(f"{couch.url}/new", params={"rev": rev})
    assert couch.ids({"age": {"$gt": 50}}) == []


def test_a_partial_index_serves_only_who_names_it(couch: Couch) -> None:
    couch.save(*PEOPLE)
    couch.index("age", name="webbers", partial_filter_selector={"team": "web"})
    assert couch.find({"age": 21})["warning"].startswith(NO_INDEX)
    assert {doc["team"] for doc in couch.find({"age": {"$gt": 0}}, use_index="webbers")["docs"]} == {"web"}


def test_conflicts_are_shown_on_request(couch: Couch) -> None:
    couch.save({"_id": "c", "v": 1})
    body = {"docs": [{"_id": "c", "_rev": "1-0000000000000000000000000000000a", "v": 2}], "new_edits": False}
    couch.post("_bulk_docs", body)
    [plain] = couch.find({"v": {"$gt": 0}})["docs"]
    assert "_conflicts" not in plain
    [shown] = couch.find({"v": {"$gt": 0}}, conflicts=True)["docs"]
    assert shown["_conflicts"] == ["1-0000000000000000000000000000000a"]
    [projected] = couch.find({"_conflicts": {"$exists": True}}, conflicts=True, fields=["_conflicts"])["docs"]
    assert projected == {"_conflicts": ["1-0000000000000000000000000000000a"]}


def test_an_index_may_hold_the_revisions_that_lost(couch: Couch) -> None:
    couch.save({"_id": "c", "v": 1}, {"_id": "d", "v": 1})
    losers = [
        {"_id": "c", "_rev": "1-0000000000000000000000000000000a", "v": 2},
        {"_id": "d", "_rev": "1-0000000000000000000000000000000b", "_deleted": True},
    ]
    couch.post("_bulk_docs", {"docs": losers, "new_edits": False})
    couch.index("_conflicts")
    found = couch.find({"_conflicts": {"$exists": True}}, conflicts=True)
    assert "warning" not in found
    assert [(doc["_id"], doc["_conflicts"]) for doc in found["docs"]] == [("c", [losers[0]["_rev"]])]
    couch.index("v", name="lost", partial_filter_selector={"_deleted_conflicts": {"$exists": True}})
    assert couch.ids({"v": 1}, use_index="lost") == ["d"]


def test_a_query_over_nothing_looks_at_nothing(couch: Couch) -> None:
    couch.save(*PEOPLE)
    assert couch.find({"$and": []}) == {"docs": []}
    assert couch.find({"$nor": []}) == {"docs": []}
    assert couch.find({"_id": {"$gt": "x", "$lt": "a"}}) == {"docs": []}


def test_design_documents_are_looked_at_but_never_found(couch: Couch) -> None:
    couch.save(*PEOPLE[:3], {"_id": "_design/d", "age": 20})
    found = couch.find({"age": {"$gt": 0}}, execution_stats=True)
    assert len(found["docs"]) == 3
    assert found["execution_stats"]["total_docs_examined"] == 3
    other = couch.find({"age": {"$gt": 30}}, execution_stats=True)["execution_stats"]
    assert (other["total_keys_examined"], other["total_docs_examined"]) == (4, 4)


def test_projections_build_the_objects_on_the_way(couch: Couch) -> None:
    couch.save({"_id": "a", "x": {"y": {"z": 1}, "w": 2}, "l": [{"q": 1}], "s.t": 3})

    def projected(*fields: str) -> dict:
        [doc] = couch.find({"_id": "a"}, fields=fields)["docs"]
        return doc

    assert projected("x.y.z", "x.w") == {"x": {"y": {"z": 1}, "w": 2}}
    assert projected("x.y", "x") == {"x": {"y": {"z": 1}, "w": 2}}
    assert projected("l.0.q") == {"l": {"0": {"q": 1}}}
    assert projected("l", "l.0") == {"l": [{"q": 1}]}
    assert projected("s\\.t", "nope", "x.nope") == {"s.t": 3}
    assert couch.session.get(f"{couch.url}/a").json()["x"] == {"y": {"z": 1}, "w": 2}


def test_one_index_by_hand_without_fields_breaks_every_query(couch: Couch) -> None:
    couch.save({"_id": "_design/d", "language": "query", "views": {"v": {"map": {}, "options": {}}}})
    assert couch.find({"a": 1})["error"] == "badmatch"


def test_values_inside_of_conditions_break_queries_once_there_is_an_index(couch: Couch) -> None:
    couch.save(*PEOPLE)
    assert couch.ids({"team": {"$in": ["core", None]}}) == [f"p{n:02}" for n in range(0, 30, 3)]
    couch.index("age")
    assert couch.find({"team": {"$in": ["core", None]}})["reason"] == "function_clause"


def test_a_bookmark_beyond_the_range_is_an_error(couch: Couch) -> None:
    couch.save(*PEOPLE)
    couch.index("age")
    bookmark = couch.find({"age": {"$gt": 27}}, limit=1)["bookmark"]
    answer = couch.find({"age": {"$lt": 22}}, bookmark=bookmark)
    assert (answer["error"], answer["reason"][:29]) == ("query_parse_error", "No rows can match your key ra")


def test_many_documents_are_gone_through_in_pieces(couch: Couch) -> None:
    couch.save(*({"_id": f"{n:05}", "n": n} for n in range(2500)))
    assert couch.ids({"n": {"$gte": 1990}}, skip=0)[:2] == ["01990", "01991"]
    descending = couch.find({"_id": {"$gt": None}}, sort=[{"_id": "desc"}], skip=2100, limit=2, fields=["_id"])["docs"]
    assert [doc["_id"] for doc in descending] == ["00399", "00398"]


def test_documents_that_change_meanwhile_are_answered_as_they_were_tested(couch: Couch) -> None:
    revs = dict.fromkeys(range(40))

    def write(on: bool) -> None:
        docs = [{"_id": f"d{n}", "on": on, **({"_rev": rev} if rev else {})} for n, rev in revs.items()]
        for n, result in enumerate(couch.post("_bulk_docs", {"docs": docs})):
            revs[n] = result["rev"]

    write(True)
    couch.index("on")
    done = threading.Event()

    def toggle() -> None:
        for n in range(20):
            write(n % 2 == 0)
        done.set()

    writer = threading.Thread(target=toggle)
    writer.start()
    try:
        while not done.is_set():
            for use_index in ("on", "_all_docs"):
                answer = couch.find({"on": True}, use_index=use_index, limit=1000)
                assert {doc["on"] for doc in answer["docs"]} <= {True}
    finally:
        writer.join()


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"selector": {"a..b": 1}}, "a..b"),
        ({"selector": {"a": {"": 1}}}, "a."),
        ({"selector": {"$or": [{"a": 1}, {".b": 1}]}}, ".b"),
        ({"selector": {"a": 1}, "fields": ["a..b"]}, "a..b"),
        ({"selector": {"a": 1}, "fields": [""]}, ""),
    ],
)
def test_a_name_with_an_empty_part_is_refused_before_anything_is_searched(couch: Couch, query: dict, name: str) -> None:
    response = couch.session.post(f"{couch.url}/_find", json=query)
    assert response.status_code == 400
    assert response.json() == {"error": "invalid_field_name", "reason": f"Invalid field name: {name}"}


def test_an_object_in_fields_breaks_a_query_that_finds_nothing(couch: Couch) -> None:
    response = couch.session.post(f"{couch.url}/_find", json={"selector": {"a": 1}, "fields": [{}]})
    assert (response.status_code, response.json()["reason"]) == (500, "function_clause")


def test_an_index_needs_a_possible_design_document_id(couch: Couch) -> None:
    response = couch.session.post(f"{couch.url}/_index", json={"index": {"fields": ["a"]}, "ddoc": "_design/"})
    assert response.status_code == 400
    assert response.json() == {"error": "illegal_docid", "reason": "Illegal document id `_design/`"}


def test_an_equality_followed_by_an_exclusion_of_the_same_value_breaks_on_an_index(couch: Couch) -> None:
    couch.index("age")
    assert couch.find({"age": {"$eq": 5, "$gt": 5}})["reason"] == "function_clause"
    assert couch.find({"age": {"$gt": 5, "$eq": 5}}) == {"docs": []}
    assert couch.find({"age": {"$eq": 5, "$gt": 7}}) == {"docs": []}


def test_an_answer_with_a_warning_has_a_line_of_its_own_behind_it(couch: Couch) -> None:
    couch.index("age")
    found = couch.session.post(f"{couch.url}/_find", json={"selector": {"a": 1}})
    assert found.content.endswith(b'query time."}\r\n\n')
    found = couch.session.post(f"{couch.url}/_find", json={"selector": {"age": 1}})
    assert found.content == b'{"docs":[\r\n],\r\n"bookmark": "nil"}\n'
