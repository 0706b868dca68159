"""The requests behind the client's methods, and what becomes of the answers."""

from __future__ import annotations

import json
from http.cookiejar import CookieJar
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from couchdb_client import Database, Document, ResourceConflict, ResourceNotFound, Server, ServerError, Unauthorized
from couchdb_client.client import PermanentView, Row, TemporaryView, View

SAVED = b'{"ok":true,"id":"x","rev":"2-b"}'
MAP = "function (doc) { emit(doc._id, null); }"


def test_saving_updates_the_document_in_place(wire: Any, db: Database) -> None:
    doc: dict[str, Any] = {"n": 1}
    wire.says(SAVED, 201)
    assert db.save(doc) == ("x", "2-b")
    assert doc == {"n": 1, "_id": "x", "_rev": "2-b"}
    wire.says(b'{"ok":true,"id":"x"}', 202)
    assert db.save(doc, batch="ok") == ("x", None)
    assert doc["_rev"] == "2-b"
    assert wire.lines == ["POST /people", "PUT /people/x?batch=ok"]


def test_create_still_warns_of_its_deprecation(wire: Any, db: Database) -> None:
    wire.says(SAVED, 201)
    with pytest.warns(DeprecationWarning, match="use Database.save instead"):
        assert db.create({"n": 1}) == "x"


def test_deleting_by_id_deletes_the_current_revision(wire: Any, db: Database) -> None:
    wire.says(headers=[("ETag", 'W/"3-c"')])
    del db["x"]
    db.delete({"_id": "x", "_rev": "2-b"})
    assert wire.lines == ["HEAD /people/x", "DELETE /people/x?rev=3-c", "DELETE /people/x?rev=2-b"]


def test_lists_among_the_options_of_get_travel_as_json(wire: Any, db: Database) -> None:
    wire.says(b'[{"ok":{"_id":"x"}},{"missing":"2-b"}]')
    assert db.get("x", open_revs=["1-a", "2-b"], revs=True) == [{"ok": {"_id": "x"}}, {"missing": "2-b"}]
    wire.says(b"{}", 404)
    assert db.get("x", "none", rev="9-z") == "none"
    assert wire.lines == [
        "GET /people/x?open_revs=%5B%221-a%22%2C%222-b%22%5D&revs=true",
        "GET /people/x?rev=9-z",
    ]


def test_revisions_end_where_the_server_has_no_more(wire: Any, db: Database) -> None:
    wire.says(b'{"_id":"x","_revisions":{"start":3,"ids":["c","b","a"]}}')
    wire.says(b'{"_id":"x","_rev":"3-c"}')
    wire.says(b'{"_id":"x","_rev":"2-b"}')
    wire.says(b"{}", 404)
    assert [doc.rev for doc in db.revisions("x", conflicts=True)] == ["3-c", "2-b"]
    assert wire.lines[1] == "GET /people/x?conflicts=true&rev=3-c"
    wire.says(b"{}", 404)
    assert list(db.revisions("missing")) == []


def test_copies_name_their_destination_escaped(wire: Any, db: Database) -> None:
    for dest in ("b", "ü b", "_design/b", {"_id": "b", "_rev": "1-a"}, {"_id": "a+b"}):
        wire.says(SAVED, 201)
        assert db.copy("_design/a", dest) == "2-b"
    wire.says(SAVED, 201)
    db.copy({"_id": "x/y"}, "b")
    assert [request.headers["Destination"] for request in wire.requests[:5]] == [
        "b",
        "%C3%BC%20b",
        "_design/b",
        "b?rev=1-a",
        "a%2Bb",
    ]
    assert wire.lines[0] == "COPY /people/_design/a"
    assert wire.lines[5] == "COPY /people/x%2Fy"
    with pytest.raises(TypeError):
        db.copy(object(), "b")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        db.copy("a", object())  # type: ignore[arg-type]


class Mapped:
    """What couchdb-python's mapping has for documents: no dictionary, but with items()."""

    def __init__(self, **members: Any) -> None:
        self.members = members

    def items(self) -> Any:
        return self.members.items()


def test_a_bulk_update_says_of_each_document_what_became_of_it(wire: Any, db: Database) -> None:
    wire.says(
        b'[{"ok":true,"id":"a","rev":"1-a"},{"id":"b","error":"conflict","reason":"Document update conflict."},'
        b'{"id":"c","error":"forbidden","reason":"no"},{"ok":true,"id":"d","rev":"1-d"}]',
        201,
    )
    docs = (Document(_id="a"), {"_id": "b"}, {"_id": "c"}, Mapped(_id="d"))
    results = db.update(docs, all_or_nothing=True)
    assert wire.json() == {"all_or_nothing": True, "docs": [{"_id": docid} for docid in "abcd"]}
    assert results[0] == (True, "a", "1-a")
    assert docs[0] == {"_id": "a", "_rev": "1-a"}
    assert results[3] == (True, "d", "1-d")
    (_, _, conflict), (_, _, refused) = results[1:3]
    assert isinstance(conflict, ResourceConflict)
    assert conflict.args == ("Document update conflict.",)
    assert isinstance(refused, ServerError)
    assert refused.args == ("no",)
    assert (refused.status, refused.error, refused.reason, refused.docid) == (None, "forbidden", "no", "c")
    assert str(refused) == "POST /people/_bulk_docs: forbidden: no"


def test_a_bulk_update_of_given_revisions_answers_for_refused_ones_only(wire: Any, db: Database) -> None:
    wire.says(b'[{"id":"b","rev":"1-b","error":"forbidden","reason":"no"}]', 201)
    docs = iter([{"_id": "a", "_rev": "1-a"}, {"_id": "b", "_rev": "1-b"}])
    ((ok, docid, _),) = db.update(docs, new_edits=False)
    assert (ok, docid) == (False, "b")
    assert wire.json()["new_edits"] is False
    with pytest.raises(TypeError):
        db.update([object()])


def test_purging_takes_several_revisions_of_a_document(wire: Any, db: Database) -> None:
    db.purge([{"_id": "a", "_rev": "1-a"}, Mapped(_id="a", _rev="2-b"), {"_id": "b", "_rev": "1-b"}])
    assert wire.json() == {"a": ["1-a", "2-b"], "b": ["1-b"]}


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("text é", "text é".encode()),
        (b"\0bytes", b"\0bytes"),
        ("", b""),
        (BytesIO(b"file"), b"file"),
        (StringIO("ü"), b"\xc3\xbc"),
    ],
)
def test_attachments_are_text_bytes_or_files(wire: Any, db: Database, content: Any, sent: bytes) -> None:
    doc = {"_id": "x", "_rev": "1-a"}
    wire.says(SAVED, 201)
    db.put_attachment(doc, content, "a b/c.txt")
    assert wire.bodies == [sent]
    assert wire.lines == ["PUT /people/x/a%20b%2Fc.txt?rev=1-a"]
    assert wire.requests[0].headers["Content-Type"] == "text/plain"
    assert doc["_rev"] == "2-b"


def test_the_name_of_an_attachment_defaults_to_the_files(wire: Any, db: Database, tmp_path: Path) -> None:
    path = tmp_path / "readme.html"
    path.write_text("<p>é", encoding="utf-8")
    doc = {"_id": "x", "_rev": "1-a"}
    for mode in ("r", "rb"):
        wire.says(SAVED, 201)
        with path.open(mode, encoding=None if "b" in mode else "utf-8") as file:
            db.put_attachment(doc, file)
        assert wire.lines[-1].startswith("PUT /people/x/readme.html?rev=")
        assert wire.bodies[-1].decode() == "<p>é"
        assert wire.requests[-1].headers["Content-Type"] == "text/html"
    wire.says(SAVED, 201)
    db.put_attachment(doc, b"", "file.unheard-of")
    assert wire.requests[-1].headers["Content-Type"] == "application/octet-stream"
    with pytest.raises(ValueError, match="no filename"):
        db.put_attachment(doc, b"content")


def test_a_text_file_of_any_kind_is_sent_as_utf_8(wire: Any, db: Database) -> None:
    with NamedTemporaryFile("w+", encoding="utf-16") as file:
        file.write("<p>é")
        file.seek(0)
        wire.says(SAVED, 201)
        db.put_attachment({"_id": "x", "_rev": "1-a"}, file, "a.html")
    assert wire.bodies[0].decode() == "<p>é"
    assert "Content-Length" not in wire.requests[0].headers


def test_an_attachment_is_a_file_even_if_it_is_empty_or_json(wire: Any, db: Database) -> None:
    wire.says(b"")
    assert db.get_attachment({"_id": "x"}, "empty.json").read() == b""
    wire.says(b'{"a":1}\nsecond\n')
    with db.get_attachment("x", "a.json") as attachment:
        assert list(attachment) == [b'{"a":1}\n', b"second\n"]
    wire.says(b"{}", 404)
    assert db.get_attachment("x", "missing") is None
    wire.says(b"{}", 404)
    assert db.get_attachment("x", "missing", "default") == "default"


def test_view_options_are_json_except_for_text_that_is_not_a_key(wire: Any, db: Database) -> None:
    wire.says(b'{"rows":[]}')
    options: dict[str, Any] = {
        "startkey": "a",
        "endkey": ["a", {}],
        "key": 1,
        "group": True,
        "stale": "ok",
        "limit": 5,
        "skip": None,
    }
    db.view("app/by_name", **options).rows  # noqa: B018
    parts = urlsplit(wire.requests[0].url)
    assert parts.path == "/people/_design/app/_view/by_name"
    assert parse_qs(parts.query) == {
        "startkey": ['"a"'],
        "endkey": ['["a",{}]'],
        "key": ["1"],
        "group": ["true"],
        "stale": ["ok"],
        "limit": ["5"],
    }
    wire.says(b'{"rows":[]}')
    db.view("_all_docs", key=None, keys=None).rows  # noqa: B018
    assert wire.lines[1] == "GET /people/_all_docs?key=null"


def test_keys_of_a_view_travel_in_the_body(wire: Any, db: Database) -> None:
    wire.says(b'{"rows":[]}')
    assert len(db.view("_all_docs", keys=("a", 1), include_docs=True)) == 0
    assert (wire.lines, wire.json()) == (["POST /people/_all_docs?include_docs=true"], {"keys": ["a", 1]})


def test_a_view_is_asked_once_and_only_when_needed(wire: Any, db: Database) -> None:
    results = db.view("app/v", reduce=False)
    assert repr(results) == "<ViewResults <PermanentView '_design/app/_view/v'> {'reduce': False}>"
    assert wire.lines == []
    wire.says(b'{"total_rows":3,"offset":1,"update_seq":"5-x","rows":[{"id":"a","key":1,"value":null}]}')
    assert (len(results), results.total_rows, results.offset, results.update_seq) == (1, 3, 1, "5-x")
    (row,) = results
    assert (row.id, row.key, row.value, row.error, row.doc) == ("a", 1, None, None, None)
    assert repr(row) == "<Row id='a', key=1, value=None>"
    assert len(wire.lines) == 1


@pytest.mark.parametrize("count", [0, 1, 256, 257, 1000])
def test_each_row_is_wrapped_once_and_in_its_order(wire: Any, db: Database, count: int) -> None:
    rows = [{"key": number, "value": None} for number in range(count)]
    wire.says(json.dumps({"total_rows": count, "offset": 0, "rows": rows}).encode())
    wrapped = []

    def wrap(row: Any) -> int:
        wrapped.append(row["key"])
        return -int(row["key"])

    results = db.view("app/v", wrapper=wrap)
    assert list(results) == [-number for number in range(count)]
    assert list(results) == results.rows
    assert wrapped == list(range(count))


def test_a_view_of_ones_own_kind_keeps_its_answer(db: Database) -> None:
    answer = {"total_rows": 1, "offset": 0, "rows": [{"id": "a", "key": 1, "value": 2}]}

    class Canned(View[Row]):
        def _exec(self, options: Any) -> Any:
            return answer

    view = Canned(db.resource)
    assert [row.value for row in view] == [row.value for row in view(limit=1)] == [2]
    assert answer == {"total_rows": 1, "offset": 0, "rows": [{"id": "a", "key": 1, "value": 2}]}
    assert type(answer["rows"][0]) is dict  # type: ignore[index]  # it is a list


def test_reduced_results_have_no_total_and_no_offset(wire: Any, db: Database) -> None:
    wire.says(b'{"rows":[{"key":null,"value":6}]}')
    results = db.view("app/v", wrapper=lambda row: row["value"])
    assert (results.rows, results.total_rows, results.offset, results.update_seq) == ([6], None, 0, None)


def test_slices_add_options_and_leave_the_results_alone(db: Database) -> None:
    results = db.view("app/v", descending=True)
    assert results["a" : ["b"]].options == {"descending": True, "startkey": "a", "endkey": ["b"]}
    assert results["a":].options == {"descending": True, "startkey": "a"}
    assert results[:0].options == {"descending": True, "endkey": 0}
    assert results[None].options == {"descending": True, "key": None}
    assert results.options == {"descending": True}


def test_a_name_without_a_slash_is_not_a_view(db: Database) -> None:
    with pytest.raises(ValueError, match="designdoc/name"):
        db.view("by_name")


def play_view(wire: Any, rows: list[dict[str, Any]]) -> None:
    """Have the wire answer as a view with these rows (which are in order) does."""
    send = wire.send

    def answer(request: requests.PreparedRequest, **settings: Any) -> Any:
        parameters = {name: value for name, (value,) in parse_qs(urlsplit(str(request.url)).query).items()}
        found = rows
        if "startkey" in parameters:
            start = (json.loads(parameters["startkey"]), parameters.get("startkey_docid", ""))
            found = [row for row in rows if (row["key"], row.get("id", "")) >= start]
        skip = int(parameters.get("skip", 0))
        wire.says(json.dumps({"rows": found[skip : skip + int(parameters["limit"])]}).encode())
        return send(request, **settings)

    wire.send = answer


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 5, 8, 100])
@pytest.mark.parametrize("limit", [None, 1, 4, 9, 10, 11, 50])
@pytest.mark.parametrize("skip", [0, 3])
def test_iterview_gives_every_row_once(wire: Any, db: Database, batch: int, limit: int | None, skip: int) -> None:
    """Also where a document emits one key more often than a batch has rows."""
    emitted = [("a", 1), ("a", 1), ("a", 1), ("a", 1), ("a", 1), ("b", 1), ("a", 2), ("a", 2), ("c", 2), ("d", 3)]
    rows = [
        {"id": docid, "key": key, "value": number}
        for number, (docid, key) in enumerate(sorted(emitted, key=lambda e: (e[1], e[0])))
    ]
    play_view(wire, rows)
    options: dict[str, Any] = {} if limit is None else {"limit": limit}
    found = [row.value for row in db.iterview("app/v", batch, skip=skip, **options)]
    assert found == list(range(10))[skip:][:limit]


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_iterview_pages_through_reduced_rows(wire: Any, db: Database, batch: int) -> None:
    play_view(wire, [{"key": [number], "value": number} for number in range(7)])
    assert list(db.iterview("app/v", batch, lambda row: row["value"], group=True)) == list(range(7))


@pytest.mark.parametrize(("batch", "limit"), [(0, None), (-1, None), (5, 0)])
def test_iterview_refuses_silly_sizes(db: Database, batch: int, limit: int | None) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        next(db.iterview("app/v", batch, limit=limit))


def test_a_query_runs_through_a_design_document_that_is_removed(wire: Any, db: Database) -> None:
    results = db.query("\n  " + MAP + "\n", "_count", group=True)
    assert wire.lines == []
    for answer in (SAVED, b'{"rows":[{"key":"a","value":1}]}', b"{}"):
        wire.says(answer)
    assert [row.value for row in results] == [1]
    put, get, delete = wire.lines
    path = put.removeprefix("PUT ")
    assert path.startswith("/people/_design/temporary-")
    assert get == f"GET {path}/_view/query?group=true"
    assert delete == f"DELETE {path}?rev=2-b"
    assert wire.json(0) == {
        "language": "javascript",
        "options": {"partitioned": False},
        "views": {"query": {"map": MAP + "\n", "reduce": "_count"}},
    }
    assert len(results) == 1
    assert len(wire.lines) == 3


def test_each_slice_of_a_query_has_a_design_document_of_its_own(wire: Any, db: Database) -> None:
    results = db.query(MAP, keys=["a"])
    for _ in range(2):
        for answer in (SAVED, b'{"rows":[]}', b"{}"):
            wire.says(answer)
    assert list(results[:]) == list(results["a"]) == []
    paths = {line.split()[1].partition("?")[0] for line in wire.lines if not line.startswith("POST")}
    assert len(paths) == 2
    assert [line.partition(" ")[0] for line in wire.lines] == ["PUT", "POST", "DELETE"] * 2


def test_a_query_that_fails_leaves_no_design_document(wire: Any, db: Database) -> None:
    wire.says(SAVED, 201)
    wire.says(b'{"error":"query_parse_error","reason":"no"}', 400)
    wire.says(headers=[("ETag", '"2-b"')])
    with pytest.raises(ServerError) as caught:
        list(db.query(MAP, limit="x"))  # type: ignore[call-overload]
    assert caught.value.args == ((400, ("query_parse_error", "no")),)
    assert [line.partition(" ")[0] for line in wire.lines] == ["PUT", "GET", "HEAD", "DELETE"]
    assert wire.lines[3].endswith("?rev=2-b")


def test_the_first_failure_of_a_query_is_the_one_to_be_raised(wire: Any, db: Database) -> None:
    wire.says(b'{"error":"unauthorized","reason":"no"}', 401)
    wire.says(b"{}", 404)
    with pytest.raises(Unauthorized):
        list(db.query(MAP))


def test_a_query_whose_design_document_was_made_by_a_lost_answer_goes_on(wire: Any, db: Database) -> None:
    wire.says(b'{"error":"conflict","reason":"Document update conflict."}', 409)
    wire.says(headers=[("ETag", '"1-a"')])
    wire.says(b'{"rows":[]}')
    assert list(db.query(MAP)) == []
    assert wire.lines[-1].endswith("?rev=1-a")


def test_a_temporary_view_of_old_names_its_functions(transport: requests.Session) -> None:
    def map_fun(doc: Any) -> Any:
        yield doc["a"], None

    view = TemporaryView("http://couch.example/people/_temp_view", map_fun, language="python", session=transport)
    assert view.map_fun.startswith("def map_fun(doc: Any)")
    assert repr(view) == f"<TemporaryView {view.map_fun!r} None>"
    with pytest.raises(TypeError):
        TemporaryView("http://couch.example/people", 5)  # type: ignore[arg-type]


def test_a_view_can_be_made_from_its_url(wire: Any, transport: requests.Session) -> None:
    view = PermanentView("http://couch.example/people/_all_docs", "_all_docs", session=transport)
    wire.says(b'{"rows":[{"id":"a","key":"a","value":{"rev":"1-a"}}]}')
    assert [row.id for row in view] == ["a"]
    wire.says(b'{"rows":[]}')
    assert view(limit=0).rows == []
    assert wire.lines == ["GET /people/_all_docs", "GET /people/_all_docs?limit=0"]


def test_find_fetches_all_pages_by_bookmark(wire: Any, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("couchdb_client.mango.PAGE_SIZE", 2)
    wire.says(b'{"docs":[{"_id":"a"},{"_id":"b"}],"bookmark":"one"}')
    wire.says(b'{"docs":[{"_id":"c"},{"_id":"d"}],"bookmark":"two"}')
    wire.says(b'{"docs":[],"bookmark":"two","warning":"slow"}')
    query = {"selector": {"type": "x"}}
    found = db.find(query)
    assert [doc.id for doc in found] == ["a", "b", "c", "d"]
    assert (found.bookmark, found.warning) == ("two", "slow")
    assert query == {"selector": {"type": "x"}}
    assert [wire.json(index) for index in range(3)] == [
        {"selector": {"type": "x"}, "limit": 2},
        {"selector": {"type": "x"}, "skip": 0, "limit": 2, "bookmark": "one"},
        {"selector": {"type": "x"}, "skip": 0, "limit": 2, "bookmark": "two"},
    ]


@pytest.mark.parametrize("member", [{"limit": 2}, {"bookmark": "b"}, {"skip": 25}])
def test_a_find_with_a_limit_bookmark_or_skip_is_one_request_as_it_is(wire: Any, db: Database, member: Any) -> None:
    wire.says(b'{"docs":[{"n":1},{"n":2}],"bookmark":"next"}')
    found = db.find({"selector": {}, **member}, wrapper=lambda doc: doc["n"])
    assert list(found) == [1, 2]
    assert found.bookmark == "next"
    assert wire.json() == {"selector": {}, **member}
    assert len(wire.lines) == 1


def test_iterfind_fetches_as_it_goes_and_ends_at_the_limit(wire: Any, db: Database) -> None:
    wire.says(b'{"docs":[{"_id":"a"},{"_id":"b"}],"bookmark":"one"}')
    wire.says(b'{"docs":[{"_id":"c"}],"bookmark":"two"}')
    found = db.iterfind({"selector": {}, "limit": 3}, 2)
    assert next(found).id == "a"
    assert len(wire.lines) == 1
    assert [doc.id for doc in found] == ["b", "c"]
    assert [wire.json(index)["limit"] for index in range(2)] == [2, 1]
    with pytest.raises(ValueError, match="batch"):
        next(db.iterfind({"selector": {}}, 0))


def test_indexes_are_made_listed_and_removed(wire: Any, db: Database) -> None:
    indexes = db.index()
    indexes["app", "by_name"] = [{"name": "asc"}]
    indexes[None, None] = {"fields": ["a"], "partial_filter_selector": {"b": 1}}
    del indexes["_design/app", "by_name"]
    wire.says(b'{"total_rows":1,"indexes":[{"ddoc":null,"name":"_all_docs"}]}')
    assert next(iter(indexes))["name"] == "_all_docs"
    assert wire.json(0) == {"index": {"fields": [{"name": "asc"}]}, "ddoc": "app", "name": "by_name"}
    assert wire.json(1) == {"index": {"fields": ["a"], "partial_filter_selector": {"b": 1}}}
    assert wire.lines[2:] == ["DELETE /people/_index/app/json/by_name", "GET /people/_index"]


def test_changes_by_ids_or_selector_are_posts(wire: Any, db: Database) -> None:
    db.changes(doc_ids=["a", "b"], since=3)
    db.changes(filter="_selector", _selector={"selector": {"a": 1}}, include_docs=True)
    db.changes(filter="_selector", selector={"a": 1})
    db.changes(filter="app/mine", since=[5, "opaque"], owner="me")
    db.changes(filter="_doc_ids", doc_ids='["a"]')
    assert wire.lines == [
        "POST /people/_changes?since=3&filter=_doc_ids",
        "POST /people/_changes?filter=_selector&include_docs=true",
        "POST /people/_changes?filter=_selector",
        "GET /people/_changes?filter=app%2Fmine&since=%5B5%2C%22opaque%22%5D&owner=me",
        "GET /people/_changes?filter=_doc_ids&doc_ids=%5B%22a%22%5D",
    ]
    assert [wire.json(index) for index in range(3)] == [
        {"doc_ids": ["a", "b"]},
        {"selector": {"a": 1}},
        {"selector": {"a": 1}},
    ]


def test_a_feed_is_opened_when_it_is_first_read(wire: Any, db: Database) -> None:
    feed = db.changes(feed="continuous")
    assert wire.lines == []
    wire.says(b'{"error":"not_found","reason":"Database does not exist."}', 404)
    with pytest.raises(ResourceNotFound):
        next(feed)


def test_maintenance_says_whether_it_was_started(wire: Any, db: Database) -> None:
    assert db.compact() is True
    assert db.compact("app") is True
    assert db.cleanup() is True
    assert db.commit() == {"ok": True}
    assert wire.lines == [
        "POST /people/_compact",
        "POST /people/_compact/app",
        "POST /people/_view_cleanup",
        "POST /people/_ensure_full_commit",
    ]
    assert all(request.headers["Content-Type"] == "application/json" for request in wire.requests)


def test_the_name_of_a_database_is_asked_for_once(wire: Any, transport: requests.Session) -> None:
    db = Database("http://couch.example/a%2Fb", session=transport)
    wire.says(b'{"db_name":"a/b","doc_count":3}')
    assert repr(db) == "<Database 'a/b'>"
    assert db.name == "a/b"
    assert len(wire.lines) == 1


def test_shows_and_lists_give_headers_and_a_file(wire: Any, db: Database) -> None:
    wire.says(b"<p>", headers=[("Content-Type", "text/html"), ("X-Once", "1")])
    headers, body = db.show("app/page", "a/b", q="x", headers={"Accept": "text/html"})
    assert (headers["content-type"], headers.get("X-ONCE"), "x-never" in headers) == ("text/html", "1", False)
    assert body.read() == b"<p>"
    assert wire.requests[0].headers["Accept"] == "text/html"
    wire.says(b"csv", headers=[("Content-Type", "text/csv")])
    assert db.list("app/csv", "other/by_name", keys=["a"], q=1)[1].read() == b"csv"
    wire.says(b"[]")
    assert db.list("app/json", "by_name", startkey="a")[1] == []
    assert wire.lines == [
        "GET /people/_design/app/_show/page/a%2Fb?q=x",
        "POST /people/_design/app/_list/csv/other/by_name?q=1",
        "GET /people/_design/app/_list/json/by_name?startkey=%22a%22",
    ]


@pytest.mark.parametrize("text", [b'{"a": [1]}', b'[1, {"a": 2}]', b"{}"])
def test_a_list_in_json_is_decoded_and_still_a_file(wire: Any, db: Database, text: bytes) -> None:
    wire.says(text)
    _, body = db.list("app/json", "by_name")
    assert body == json.loads(text)
    assert isinstance(body, (dict, list))
    assert (body.read(2), body.read()) == (text[:2], text[2:])  # type: ignore[union-attr]
    body.close()  # type: ignore[union-attr]


@pytest.mark.parametrize("text", [b"", b"not json", b"17", b"null"])
def test_a_list_called_json_that_is_not_an_object_or_array_is_a_file(wire: Any, db: Database, text: bytes) -> None:
    wire.says(text)
    assert db.list("app/json", "by_name")[1].read() == text


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3.5.0", (3, 5, 0)), ("1.7.2b", (1, 7, 2)), ("2.0.0-RC1", (2, 0, 0)), ("3.3.3-abc.4", (3, 3, 3, 4))],
)
def test_the_version_is_read_as_numbers_and_kept(wire: Any, server: Server, text: str, numbers: Any) -> None:
    wire.says(json.dumps({"version": text}).encode())
    assert server.version_info() == numbers
    assert server.version_info() == numbers
    assert len(wire.lines) == 1


def test_configuration_and_statistics_are_where_the_servers_version_has_them(
    wire: Any, transport: requests.Session
) -> None:
    for version in (b'{"version":"1.7.2"}', b'{"version":"2.3.1"}'):
        server = Server("http://couch.example/", session=transport)
        wire.says(version)
        server.config()
        server.stats()
        server.stats("couchdb/request_time")
    assert [line.partition(" ")[2] for line in wire.lines] == [
        "/", "/_config", "/_stats", "/_stats/couchdb/request_time",
        "/", "/_node/_local/_config", "/_node/_local/_stats", "/_node/_local/_stats/couchdb/request_time",
    ]  # fmt: skip


def test_a_statistic_is_found_by_its_old_name_in_its_old_form(wire: Any, server: Server) -> None:
    for answer in (b'{"version":"3.5.0"}', b"null", b'{"value":7,"type":"counter"}'):
        wire.says(answer)
    assert server.stats("httpd/requests") == {"httpd": {"requests": {"value": 7, "type": "counter"}}}
    assert wire.lines[2] == "GET /_node/_local/_stats/couchdb/httpd/requests"
    wire.says(b"null")
    wire.says(b"null")
    assert server.stats("no/such") is None


def test_a_login_gives_the_cookies_token_and_keeps_nothing(
    wire: Any, server: Server, transport: requests.Session
) -> None:
    cookies = [("Set-Cookie", "lb=1; Path=/"), ("Set-Cookie", "AuthSession=am9l=; Version=1; Path=/; HttpOnly")]
    wire.says(headers=cookies)
    assert server.login("joe", "secret") == "am9l="
    assert wire.json() == {"name": "joe", "password": "secret"}
    server.tasks()
    assert "Cookie" not in wire.requests[-1].headers
    assert len(transport.cookies) == 0
    wire.says(b'{"error":"unauthorized","reason":"Name or password is incorrect."}', 401)
    with pytest.raises(Unauthorized):
        server.login("joe", "wrong")


def test_cookies_of_the_session_are_its_owners_business(wire: Any, server: Server, transport: requests.Session) -> None:
    assert isinstance(transport.cookies, CookieJar)
    transport.cookies.set("AuthSession", "mine")
    server.tasks()
    assert wire.requests[-1].headers["Cookie"] == "AuthSession=mine"
    wire.says(b'{"userCtx":{"name":"joe"}}')
    assert server.verify_token("other")
    assert wire.requests[-1].headers["Cookie"] == "AuthSession=other"
    wire.says(headers=[("Set-Cookie", "AuthSession=; Path=/")])
    assert server.logout("other")
    server.tasks()
    assert wire.requests[-1].headers["Cookie"] == "AuthSession=mine"
    wire.says(headers=[("Set-Cookie", "AuthSession=renewed; Path=/")])
    server.tasks()
    server.tasks()
    assert "AuthSession=renewed" in wire.requests[-1].headers["Cookie"]


def test_a_session_of_the_clients_own_remembers_no_cookies(wire: Any) -> None:
    server = Server("http://couch.example/")
    server.resource.session.transport.mount("http://", wire)  # type: ignore[attr-defined]
    wire.says(headers=[("Set-Cookie", "AuthSession=x; Path=/")])
    server.tasks()
    server.tasks()
    assert "Cookie" not in wire.requests[-1].headers


@pytest.mark.parametrize(
    ("status", "body", "good"),
    [
        (200, b'{"ok":true,"userCtx":{"name":"joe","roles":[]}}', True),
        (200, b'{"ok":true,"userCtx":{"name":null,"roles":["_admin"]}}', False),
        (400, b'{"error":"bad_request","reason":"Malformed AuthSession cookie."}', False),
        (401, b'{"error":"unauthorized","reason":"no"}', False),
    ],
)
def test_a_token_is_good_if_it_says_who_the_user_is(
    wire: Any, transport: requests.Session, status: int, body: bytes, good: bool
) -> None:
    server = Server("http://admin:pw@couch.example/", session=transport)
    wire.says(body, status)
    assert server.verify_token("token") is good
    assert wire.requests[0].headers["Cookie"] == "AuthSession=token"
    assert "Authorization" not in wire.requests[0].headers


def test_users_are_documents_of_the_users_database(wire: Any, server: Server) -> None:
    wire.says()
    wire.says(b'{"ok":true,"id":"org.couchdb.user:j/e","rev":"1-a"}', 201)
    assert server.add_user("j/e", "pw", ["r"]) == ("org.couchdb.user:j/e", "1-a")
    assert wire.json() == {
        "_id": "org.couchdb.user:j/e",
        "name": "j/e",
        "password": "pw",
        "roles": ["r"],
        "type": "user",
    }
    wire.says()
    wire.says(headers=[("ETag", '"1-a"')])
    server.remove_user("j/e")
    path = "/_users/org.couchdb.user%3Aj%2Fe"
    assert wire.lines[1:] == [f"PUT {path}", "HEAD /_users", f"HEAD {path}", f"DELETE {path}?rev=1-a"]


def test_uuids_and_tasks_and_replications_are_passed_on(wire: Any, server: Server) -> None:
    wire.says(b'{"uuids":["a"]}')
    assert server.uuids() == ["a"]
    wire.says(b'{"uuids":["a","b"]}')
    assert server.uuids(2) == ["a", "b"]
    wire.says(b"[]")
    assert server.tasks() == []
    assert server.replicate("a", {"url": "http://b"}, continuous=True) == {"ok": True}
    assert wire.lines == ["GET /_uuids", "GET /_uuids?count=2", "GET /_active_tasks", "POST /_replicate"]
    assert wire.json() == {"source": "a", "target": {"url": "http://b"}, "continuous": True}


def test_a_database_is_true_if_it_exists(wire: Any, db: Database) -> None:
    assert db
    wire.says(b"", 404)
    assert not db


def test_only_what_has_members_can_be_saved(wire: Any, db: Database) -> None:
    with pytest.raises(TypeError, match="expected dict, got <class 'int'>"):
        db.save(5)  # type: ignore[arg-type]
    assert wire.lines == []
