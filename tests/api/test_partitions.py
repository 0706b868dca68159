"""What can be asked inside one partition of a database."""

from __future__ import annotations

from typing import Any

import pytest

TEMPERATURES: dict[str, list[float]] = {"attic": [21.5, 23, 19], "cellar": [11, 12.25], "roof": [30]}
READINGS = [
    {"_id": f"{place}:{day}", "day": day, "temp": temp}
    for place, temps in TEMPERATURES.items()
    for day, temp in enumerate(temps, 1)
]
BY_TEMP = {"views": {"by_temp": {"map": "function (doc) { emit(doc.temp, doc.day); }", "reduce": "_sum"}}}


@pytest.fixture
def house(party: Any) -> Any:
    """A partitioned database of readings, and a plain one."""
    party.json("PUT", "/plain", status=201)
    party.json("PUT", "/house?partitioned=true", status=201)
    party.json("POST", "/house/_bulk_docs", {"docs": READINGS}, 201)
    return party


def test_a_partition_counts_its_own_documents(house: Any) -> None:
    rev = house.json("GET", "/house/attic:3")["_rev"]
    house.json("DELETE", f"/house/attic:3?rev={rev}", status=200)
    info = house.json("GET", "/house/_partition/attic", status=200)
    size = len('{"day":1,"temp":0.0}') + len('{"day":2,"temp":23}') + len("{}")
    assert info == {
        "db_name": "house",
        "sizes": {"active": info["sizes"]["active"], "external": size},
        "partition": "attic",
        "doc_count": 2,
        "doc_del_count": 1,
    }
    assert info["sizes"]["active"] > size
    assert house.json("GET", "/house/_partition/nowhere")["doc_count"] == 0


def test_a_partition_is_only_looked_at(house: Any) -> None:
    refused = house("PUT", "/house/_partition/attic")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET")
    assert house("GET", "/house/_partition/attic/_changes").status_code == 404


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/house/_partition", "400 bad_request: invalid_partition_req"),
        ("/house/_partition/_x", "400 illegal_partition: Partition must not start with an underscore"),
        ("/house/_partition/%FF", "400 illegal_partition: Partition must be valid UTF-8"),
        ("/house/_all_docs?partition=%FF", "400 illegal_partition: Partition must be valid UTF-8"),
        ("/house/_partition/a:b/_all_docs", "400 illegal_partition: Partition must not contain a colon"),
        ("/plain/_partition/a", "400 bad_request: database is not partitioned"),
        ("/plain/_partition/_x/_all_docs", "400 bad_request: database is not partitioned"),
        (
            "/house/_partition/attic/_design/d/_view/by_temp?partition=roof",
            "400 bad_request: Conflicting value for `partition` in query string",
        ),
    ],
)
def test_paths_that_name_no_partition_are_refused(house: Any, path: str, refusal: str) -> None:
    assert house.refusal("GET", path) == refusal


def test_find_sees_one_partition(house: Any) -> None:
    found = house.json("POST", "/house/_partition/attic/_find", {"selector": {"temp": {"$gt": 20}}})
    assert [doc["_id"] for doc in found["docs"]] == ["attic:1", "attic:2"]
    same = house.json("POST", "/house/_find", {"selector": {"temp": {"$gt": 20}}, "partition": "attic"})
    assert same["docs"] == found["docs"]
    everywhere = house.json("POST", "/house/_find", {"selector": {"temp": {"$gt": 20}}})
    assert [doc["_id"] for doc in everywhere["docs"]] == ["attic:1", "attic:2", "roof:1"]


def test_all_docs_lists_one_partition(house: Any) -> None:
    listed = house.json("GET", "/house/_partition/cellar/_all_docs", status=200)
    assert (listed["total_rows"], listed["offset"]) == (6, 3)
    assert [row["id"] for row in listed["rows"]] == ["cellar:1", "cellar:2"]
    queries = {"queries": [{"limit": 1}, {"descending": True, "limit": 1}]}
    results = house.json("POST", "/house/_partition/cellar/_all_docs/queries", queries)["results"]
    assert [row["id"] for result in results for row in result["rows"]] == ["cellar:1", "cellar:2"]


def test_an_index_serves_a_partition_in_its_order(house: Any) -> None:
    house.json("POST", "/house/_index", {"index": {"fields": ["temp"]}, "name": "temp"}, 200)
    query = {"selector": {"temp": {"$gt": 0}}, "sort": ["temp"], "fields": ["_id"]}
    assert house.json("POST", "/house/_partition/attic/_explain", query)["index"]["name"] == "temp"
    found = house.json("POST", "/house/_partition/attic/_find", query)
    assert [doc["_id"] for doc in found["docs"]] == ["attic:3", "attic:1", "attic:2"]
    pages, bookmark = [], None
    while page := (
        answer := house.json("POST", "/house/_partition/attic/_find", {**query, "limit": 1, "bookmark": bookmark})
    )["docs"]:
        pages += [doc["_id"] for doc in page]
        bookmark = answer["bookmark"]
    assert pages == ["attic:3", "attic:1", "attic:2"]


def test_a_view_has_the_rows_of_a_partition(house: Any) -> None:
    house.json("PUT", "/house/_design/d", BY_TEMP, 201)
    view = "/_design/d/_view/by_temp"
    rows = house.json("GET", f"/house/_partition/cellar{view}?reduce=false", status=200)["rows"]
    assert [row["id"] for row in rows] == ["cellar:1", "cellar:2"]
    assert house.json("GET", f"/house/_partition/attic{view}")["rows"] == [{"key": None, "value": 6}]
    assert house.json("GET", f"/house{view}?partition=roof")["rows"] == [{"key": None, "value": 1}]
    assert house.refusal("GET", f"/house{view}") == (
        "400 query_parse_error: `partition` parameter is mandatory for queries to this view."
    )
    several = {"queries": [{"reduce": False, "limit": 1}, {"reduce": False, "key": 19}]}
    results = house.json("POST", f"/house/_partition/attic{view}/queries", several)["results"]
    assert [[row["key"] for row in result["rows"]] for result in results] == [[19], [19]]


def test_a_global_view_has_no_partitions(house: Any) -> None:
    house.json("PUT", "/house/_design/g", {**BY_TEMP, "options": {"partitioned": False}}, 201)
    assert house.json("GET", "/house/_design/g/_view/by_temp")["rows"] == [{"key": None, "value": 10}]
    assert house.refusal("GET", "/house/_partition/attic/_design/g/_view/by_temp") == (
        "400 query_parse_error: `partition` parameter is not supported in this design doc"
    )


def test_a_full_partition_takes_nothing_that_makes_it_larger(house: Any) -> None:
    house.set("couchdb", "max_partition_size", "50")
    refusal = "403 partition_overflow: Partition limit exceeded due to update on '{}'"
    assert house.refusal("PUT", "/house/attic:4", {"day": 4}) == refusal.format("attic:4")
    house.json("PUT", "/house/roof:2", {"day": 2}, 201)
    old = house.json("GET", "/house/attic:1")
    assert house.refusal("PUT", "/house/attic:1", {**old, "more": 1}) == refusal.format("attic:1")
    house.json("PUT", "/house/attic:1", {"_rev": old["_rev"]}, 201)


def test_a_partition_that_was_shrunk_has_room_again(house: Any) -> None:
    house.set("couchdb", "max_partition_size", "50")
    for number in (1, 2):
        rev = house.json("GET", f"/house/attic:{number}")["_rev"]
        house.json("DELETE", f"/house/attic:{number}?rev={rev}", status=200)
    house.json("PUT", "/house/attic:4", {"day": 4}, 201)


def test_without_a_limit_no_partition_is_full(house: Any) -> None:
    house.set("couchdb", "max_partition_size", "0")
    house.json("PUT", "/house/attic:4", {"day": 4}, 201)


def test_a_partition_ends_at_the_first_colon(house: Any) -> None:
    house.json("PUT", "/house/shed:left:shelf", {}, 201)
    rows = house.json("GET", "/house/_partition/shed/_all_docs")["rows"]
    assert [row["id"] for row in rows] == ["shed:left:shelf"]
    assert house.json("GET", "/house/_partition/shed")["doc_count"] == 1


def test_full_partitions_refuse_rows_of_a_request(house: Any) -> None:
    house.set("couchdb", "max_partition_size", "50")
    docs = [{"_id": "attic:5"}, {"_id": "attic:1"}, {"_id": "roof:9"}, {"_id": "_design/d", "views": {}}]
    rows = house.json("POST", "/house/_bulk_docs", {"docs": docs}, 201)
    assert [row.get("error") for row in rows] == ["partition_overflow", "conflict", None, None]
    assert rows[0]["reason"] == "Partition limit exceeded due to update on 'attic:5'"
    replicated = {"docs": [{"_id": "attic:5", "_rev": "1-a"}], "new_edits": False}
    assert house.json("POST", "/house/_bulk_docs", replicated, 201) == []


def test_a_purge_names_documents_of_partitions(house: Any) -> None:
    refused = house.refusal("POST", "/house/_purge", {"attic": ["1-a"]})
    assert refused == "400 illegal_docid: Doc id must be of form partition:id"
    house.json("POST", "/house/_purge", {"_design/d": ["1-a"]}, 201)


@pytest.mark.parametrize("name", ["_replicator", "_global_changes", "any%2F_users", "any%2F_replicator"])
def test_system_databases_have_no_partitions(house: Any, name: str) -> None:
    assert house.refusal("PUT", f"/{name}?partitioned=true") == "400 bad_request: Cannot partition a system database"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", '/house/_all_docs?keys=["attic:1","attic"]', None),
        ("POST", "/house/_all_docs", {"keys": ["attic"]}),
        ("GET", '/house/_partition/attic/_all_docs?keys=["attic"]', None),
        ("POST", "/house/_revs_diff", {"attic": ["1-a"]}),
        ("GET", "/house/attic?open_revs=all", None),
    ],
)
def test_an_id_without_a_partition_is_refused_wherever_documents_are_named(
    house: Any, method: str, path: str, body: Any
) -> None:
    assert house.refusal(method, path, body) == "400 illegal_docid: Doc id must be of form partition:id"


def test_document_ids_beside_keys_do_not_narrow_a_partition(house: Any) -> None:
    rows = house.json("GET", "/house/_partition/attic/_all_docs")["rows"]
    assert (
        house.json("GET", "/house/_partition/attic/_all_docs?startkey_docid=attic:2&end_key_doc_id=b")["rows"] == rows
    )


def test_design_functions_are_reached_through_a_partition(house: Any) -> None:
    house.json("PUT", "/house/_design/d", {"views": {}}, 201)
    assert house.json("GET", "/house/_partition/attic/_design/d/_info", status=200)["name"] == "d"
    for path, member in (("_show/s", "shows"), ("_list/l/v", "lists")):
        refused = house.refusal("GET", f"/house/_partition/attic/_design/d/{path}")
        assert refused == f"404 not_found: missing json key: {member}"
