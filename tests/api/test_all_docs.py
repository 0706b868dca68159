"""``_all_docs``, ``_design_docs`` and ``_local_docs`` over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Client


@pytest.fixture
def db(party: Client) -> Client:
    """A database ``/db``: documents a to d, c deleted, a design and a local document."""
    party.json("PUT", "/db", status=201)
    revs = {docid: party.json("PUT", f"/db/{docid}", {"n": docid}, 201)["rev"] for docid in "abcd"}
    party.json("DELETE", f"/db/c?rev={revs['c']}", status=200)
    party.json("PUT", "/db/_design/x", {}, 201)
    party.json("PUT", "/db/_local/l", {"n": 1}, 201)
    return party


def listed(client: Client, path: str, body: Any = None) -> tuple[list[Any], Any, Any]:
    """Keys of rows, offset, total_rows."""
    answer = client.json("GET" if body is None else "POST", f"/db/{path}", body, 200)
    return [row["key"] for row in answer["rows"]], answer["offset"], answer["total_rows"]


def test_live_documents_are_listed_by_id(db: Client) -> None:
    assert listed(db, "_all_docs") == (["_design/x", "a", "b", "d"], 0, 4)
    assert listed(db, "_all_docs?descending=true&limit=2") == (["d", "b"], 0, 4)


def test_ids_stand_in_the_order_of_their_bytes(party: Client) -> None:
    party.json("PUT", "/db")
    ids = ["~", "é", "B", "a", "10", "9", "\U0001f600", "\uffee", "_design/a"]
    party.json("POST", "/db/_bulk_docs", {"docs": [{"_id": docid} for docid in ids]})
    assert listed(party, "_all_docs")[0] == sorted(ids, key=str.encode)


def test_ranges_say_where_they_begin(db: Client) -> None:
    assert listed(db, '_all_docs?startkey="b"') == (["b", "d"], 2, 4)
    assert listed(db, '_all_docs?startkey="b"&endkey="d"&inclusive_end=false') == (["b"], 2, 4)
    assert listed(db, '_all_docs?startkey="c"&skip=1') == ([], 4, 4)
    assert listed(db, '_all_docs?startkey="z"&endkey="a"') == ([], 4, 4)
    assert listed(db, "_all_docs?skip=99") == ([], 4, 4)
    assert listed(db, "_all_docs?startkey_docid=b") == (["b", "d"], 2, 4)


def test_keys_that_are_not_strings_come_before_all_ids(db: Client) -> None:
    for key in ("null", "1", "true", "[]", "{}"):
        assert listed(db, f"_all_docs?startkey={key}")[0] == ["_design/x", "a", "b", "d"]
        assert listed(db, f"_all_docs?endkey={key}") == ([], 0, 4)
        assert listed(db, f"_all_docs?key={key}") == ([], 0, 4)


def test_keys_are_answered_in_their_order(db: Client) -> None:
    rows = db.json("POST", "/db/_all_docs", {"keys": ["d", "nope", "c", 1, "d"]}, 200)["rows"]
    assert [row["key"] for row in rows] == ["d", "nope", "c", 1, "d"]
    assert rows[1] == {"key": "nope", "error": "not_found"}
    assert rows[2]["value"]["deleted"] is True
    assert rows[3]["error"] == "not_found"
    assert listed(db, "_all_docs?descending=true&skip=1&limit=2", {"keys": ["a", "b", "d"]}) == (["b", "a"], None, 4)


def test_documents_are_included_on_request(db: Client) -> None:
    rows = db.json("POST", "/db/_all_docs?include_docs=true", {"keys": ["a", "c", "nope", "_local/l"]}, 200)["rows"]
    assert rows[0]["doc"]["n"] == "a"
    assert rows[1]["doc"] is None
    assert "doc" not in rows[2]
    assert rows[3]["doc"] == {"_id": "_local/l", "_rev": "0-1", "n": 1}


def test_documents_come_with_conflicts_and_attachments_on_request(db: Client) -> None:
    attachment = {"f": {"content_type": "text/x", "data": "YQ=="}}
    docs = [{"_id": "k", "_rev": "1-a"}, {"_id": "k", "_rev": "1-b", "_attachments": attachment}]
    db.json("POST", "/db/_bulk_docs", {"docs": docs, "new_edits": False}, 201)
    path = '/db/_all_docs?key="k"&include_docs=true'
    doc = db.json("GET", path)["rows"][0]["doc"]
    assert "_conflicts" not in doc
    assert doc["_attachments"]["f"]["stub"] is True
    doc = db.json("GET", path + "&conflicts=true&attachments=true")["rows"][0]["doc"]
    assert doc["_conflicts"] == ["1-a"]
    assert doc["_attachments"]["f"]["data"] == "YQ=="


def test_design_documents_are_listed_apart(db: Client) -> None:
    db.json("PUT", "/db/_design/y", {}, 201)
    assert listed(db, "_design_docs") == (["_design/x", "_design/y"], 0, 2)
    assert listed(db, '_design_docs?startkey="a"') == ([], 2, 2)
    assert listed(db, "_design_docs?descending=true&limit=1") == (["_design/y"], 2, 2)
    assert listed(db, "_design_docs", {"keys": ["_design/y", "a", "_design/no"]})[0] == ["_design/y", "_design/no"]


def test_local_documents_are_listed_without_counts(db: Client) -> None:
    db.json("PUT", "/db/_local/k", {}, 201)
    assert listed(db, "_local_docs") == (["_local/k", "_local/l"], None, None)
    assert listed(db, '_local_docs?startkey="_local/l"') == (["_local/l"], None, None)
    assert listed(db, "_local_docs", {"keys": ["_local/l", "a"]}) == (["_local/l"], None, None)
    assert db.json("GET", "/db/_local_docs?update_seq=true")["update_seq"] is None


def test_the_update_sequence_is_shown_on_request(db: Client) -> None:
    seq = db.json("GET", "/db/_all_docs?update_seq=true&limit=0")["update_seq"]
    assert db.json("GET", f"/db/_changes?since={seq}")["results"] == []
    assert db.json("GET", '/db/_all_docs?update_seq=true&keys=["a"]')["update_seq"] is None
    assert "update_seq" not in db.json("GET", "/db/_all_docs")


def test_parameters_of_the_body_give_way_to_those_of_the_url(db: Client) -> None:
    assert listed(db, "_all_docs?limit=1", {"limit": 3, "skip": 1}) == (["a"], 1, 4)


def test_several_queries_are_answered_in_one(db: Client) -> None:
    queries = {"queries": [{"keys": ["b", "a"]}, {"keys": ["b"]}, {"limit": 1}, {"startkey": "b", "limit": 5}]}
    results = db.json("POST", "/db/_all_docs/queries?limit=2", queries, 200)["results"]
    assert [[row["key"] for row in result["rows"]] for result in results] == [
        ["b", "a"],
        ["b"],
        ["_design/x"],
        ["b", "d"],
    ]
    assert [result["offset"] for result in results] == [None, 2, 0, 2]
    assert db.json("POST", "/db/_all_docs/queries", {"queries": []}, 200) == {"results": []}


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("_all_docs?keys={}", None, "400 bad_request: `keys` parameter must be an array."),
        ("_all_docs?keys=null", None, "400 bad_request: `keys` parameter must be an array."),
        ("_all_docs", {"keys": "a"}, "400 bad_request: `keys` body member must be an array."),
        ("_all_docs?limit=-1", None, '400 query_parse_error: Invalid value for positive integer: "-1"'),
        ("_all_docs?group=true", None, "400 query_parse_error: Invalid use of grouping on a map view."),
        ("_all_docs?partition=x", None, "400 query_parse_error: `partition` parameter is not supported on this db"),
        ("_all_docs/queries", {}, "400 bad_request: POST body must include `queries` parameter."),
        ("_all_docs/queries", {"queries": {}}, "400 bad_request: `queries` member must be an array."),
        (
            '_all_docs?keys=["a"]&startkey="b"',
            None,
            "400 query_parse_error: `keys` is incompatible with `key`, `start_key` and `end_key`",
        ),
    ],
)
def test_bad_parameters_are_refused(db: Client, path: str, body: Any, refusal: str) -> None:
    assert db.refusal("GET" if body is None else "POST", f"/db/{path}", body) == refusal


def test_a_partition_bounds_the_range(party: Client) -> None:
    party.json("PUT", "/db?partitioned=true", status=201)
    docs = [{"_id": docid} for docid in ("p:1", "p:2", "q:1")]
    party.json("POST", "/db/_bulk_docs", {"docs": docs}, 201)
    assert listed(party, "_all_docs?partition=p") == (["p:1", "p:2"], 0, 3)
    assert listed(party, "_partition/q/_all_docs") == (["q:1"], 2, 3)
    assert listed(party, '_partition/q/_all_docs?startkey="a"&endkey="z"') == (["q:1"], 2, 3)


def test_long_listings_are_sent_in_pieces(db: Client) -> None:
    docs = [{"_id": f"n{number:04}", "text": "x" * 100} for number in range(1000)]
    db.json("POST", "/db/_bulk_docs", {"docs": docs}, 201)
    answer = db("GET", "/db/_all_docs?include_docs=true")
    assert "Content-Length" not in answer.headers
    assert [row["doc"]["_id"] for row in answer.json()["rows"]][4:] == [doc["_id"] for doc in docs]
    assert "Content-Length" in db("GET", "/db/_all_docs?limit=5").headers


@pytest.mark.parametrize("listing", ["_all_docs", "_design_docs", "_local_docs"])
def test_several_queries_need_no_json_type(party: Any, listing: str) -> None:
    party("PUT", "/db")
    answer = party("POST", f"/db/{listing}/queries", data=b'{"queries":[{}]}', headers={"Content-Type": "text/plain"})
    assert (answer.status_code, len(answer.json()["results"])) == (200, 1)
    assert party("POST", f"/db/{listing}", data=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
