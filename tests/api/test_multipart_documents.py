"""Documents with their attachments in one body: multipart both ways, and the upload form of old."""

from __future__ import annotations

import json
from typing import Any

import pytest

BOUNDARY = "multipart/related; boundary=f"


@pytest.fixture
def db(party: Any) -> Any:
    party("PUT", "/db")
    return party


def upload(db: Any, path: str, *parts: bytes, headers: dict[str, str] | None = None) -> Any:
    body = b"--f\r\nContent-Type: application/json\r\n\r\n" + b"\r\n--f\r\n\r\n".join(parts) + b"\r\n--f--"
    return db("PUT", path, data=body, headers={"Content-Type": BOUNDARY, **(headers or {})})


def two_revisions(db: Any) -> tuple[str, str]:
    """A document whose second revision has brought a second attachment."""
    first = db("PUT", "/db/a/old", data=b"o", headers={"Content-Type": "image/x"}).json()["rev"]
    second = db("PUT", f"/db/a/new?rev={first}", data=b"n", headers={"Content-Type": "image/x"}).json()["rev"]
    return str(first), str(second)


def test_parts_follow_in_the_order_of_the_document(db: Any) -> None:
    follows: dict[str, object] = {"follows": True, "length": 3}
    attachments = {"a": follows, "b": {**follows, "length": 0, "content_type": "x"}}
    answer = upload(db, "/db/d", json.dumps({"_attachments": attachments}).encode(), b"abc", b"")
    assert answer.status_code == 201
    shown = db.json("GET", "/db/d?attachments=true", headers={"Accept": "application/json"})["_attachments"]
    assert (shown["a"]["data"], shown["b"]["data"], shown["b"]["content_type"]) == ("YWJj", "", "x")


@pytest.mark.parametrize("length", [2, 4])
def test_a_part_of_another_length_leaves_nothing_written(db: Any, length: int) -> None:
    answer = upload(db, "/db/d", b'{"_attachments": {"a": {"follows": true, "length": %d}}}' % length, b"abc")
    assert (answer.status_code, db("GET", "/db/d").status_code) == (400, 404)


def test_parts_that_the_document_does_not_name_are_ignored(db: Any) -> None:
    assert upload(db, "/db/none", b"{}", b"abc").status_code == 201
    assert (
        upload(db, "/db/d", b'{"_attachments": {"a": {"follows": true, "length": 3}}}', b"abc", b"x").status_code == 201
    )
    assert list(db.json("GET", "/db/d")["_attachments"]) == ["a"]
    assert "_attachments" not in db.json("GET", "/db/none")


def test_a_multipart_body_is_not_decompressed(db: Any) -> None:
    assert upload(db, "/db/d", b"{}", headers={"Content-Encoding": "gzip"}).status_code == 201


def test_a_document_comes_with_its_attachments_to_who_takes_that(db: Any) -> None:
    _, rev = two_revisions(db)
    answer = db("GET", "/db/a?attachments=true", headers={"Accept": "multipart/related"})
    kind, _, boundary = answer.headers["Content-Type"].partition("; boundary=")
    parts = answer.content.split(b"\r\n--" + boundary.strip('"').encode())
    assert (kind, answer.headers["ETag"], parts[-1]) == ("multipart/related", f'"{rev}"', b"--")
    assert [part.rpartition(b"\r\n\r\n")[2] for part in parts[1:3]] == [b"n", b"o"]
    assert b'"follows":true' in parts[0]


def test_attachments_that_are_known_are_omitted(db: Any) -> None:
    first, _ = two_revisions(db)
    shown = db.json("GET", f'/db/a?atts_since=["{first}"]', headers={"Accept": "application/json"})["_attachments"]
    assert ("data" in shown["new"], "stub" in shown["old"]) == (True, True)


def test_open_revs_sends_only_attachments_that_are_newer_than_atts_since(db: Any) -> None:
    first, second = two_revisions(db)
    path = f'/db/a?open_revs=["{second}"]&atts_since=["{first}"]'
    [plain] = db.json("GET", path, headers={"Accept": "application/json"})
    shown = plain["ok"]["_attachments"]
    assert {name: "data" in attachment for name, attachment in shown.items()} == {"new": True, "old": False}
    assert db("GET", path, headers={"Accept": "multipart/mixed"}).content.count(b'"follows":true') == 1


class TestBulkGet:
    def ask(self, db: Any, *entries: Any, query: str = "", accept: str = "application/json") -> Any:
        return db("POST", "/db/_bulk_get" + query, json={"docs": entries}, headers={"Accept": accept})

    def test_an_entry_may_leave_out_the_attachments_that_are_known(self, db: Any) -> None:
        first, second = two_revisions(db)
        answer = self.ask(db, {"id": "a", "rev": second, "atts_since": [first]}).json()
        shown = answer["results"][0]["docs"][0]["ok"]["_attachments"]
        assert ("data" in shown["new"], "stub" in shown["old"]) == (True, True)

    def test_conflicts_come_from_the_last_root_to_the_first_and_rising_below_each_root(self, db: Any) -> None:
        docs = [
            {"_id": "c", "_revisions": {"start": len(ids), "ids": ids}} for ids in (["aa"], ["dd", "bb"], ["cc", "bb"])
        ]
        db.json("POST", "/db/_bulk_docs", {"docs": docs, "new_edits": False}, 201)
        answer = self.ask(db, {"id": "c"}).json()
        assert [one["ok"]["_rev"] for one in answer["results"][0]["docs"]] == ["2-cc", "2-dd", "1-aa"]

    def test_members_about_other_revisions_are_not_shown(self, db: Any) -> None:
        db.json("PUT", "/db/x", {})
        query = "?meta=true&revs_info=true&conflicts=true&deleted_conflicts=true&local_seq=true"
        [result] = self.ask(db, {"id": "x"}, query=query).json()["results"]
        assert sorted(result["docs"][0]["ok"]) == ["_id", "_rev"]

    def test_parameters_are_checked_before_the_list_of_documents(self, db: Any) -> None:
        answer = db("POST", "/db/_bulk_get?open_revs=all", json={"docs": {}})
        assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")

    def test_parameters_of_single_documents_are_refused(self, db: Any) -> None:
        for name in ("rev", "open_revs", "atts_since", "new_edits", "w"):
            answer = self.ask(db, query=f"?revs=true&{name}=x")
            assert answer.json()["reason"] == f'"{name}" query parameter is not acceptable'

    def test_the_revision_of_an_entry_is_looked_at_before_its_atts_since(self, db: Any) -> None:
        answer = self.ask(db, {"id": "a", "rev": "bad", "atts_since": "worse"}).json()
        assert answer["results"][0]["docs"][0]["error"]["rev"] == "bad"

    @pytest.mark.parametrize(
        ("accept", "kind"),
        [
            ("multipart/mixed", "multipart/mixed"),
            ("multipart/related", "multipart/related"),
            ("multipart/*", "multipart/mixed"),
            ("multipart/mixed, application/json;q=0.1", "application/json"),
            ("*/*", "application/json"),
            ("text/html", "application/json"),
        ],
    )
    def test_multipart_is_for_who_takes_no_json(self, db: Any, accept: str, kind: str) -> None:
        two_revisions(db)
        assert self.ask(db, {"id": "a"}, accept=accept).headers["Content-Type"].partition(";")[0] == kind

    def test_as_multipart_each_entry_is_a_part(self, db: Any) -> None:
        _, rev = two_revisions(db)
        entries = [{"id": "a"}, {"id": "none"}, {"id": "a", "rev": "9-aa"}, {"id": "a", "rev": "bad"}]
        answer = self.ask(db, *entries, accept="multipart/mixed")
        outer = answer.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
        document, missing, no_rev, wrong, end = answer.content.split(b"\r\n--" + outer)[1:]
        assert document.startswith(b"\r\nX-Doc-Id: a\r\nX-Rev-Id: %b\r\nContent-Type: multipart/related" % rev.encode())
        head = b'\r\nContent-Type: application/json; error="true"\r\n\r\n'
        assert missing == head + b'{"rev":"undefined","reason":"missing","id":"none","error":"not_found"}'
        assert no_rev == head + b'{"rev":"9-aa","error":"not_found","reason":"missing"}'
        assert wrong == head + b'{"rev":"bad","reason":"Invalid rev format","id":"a","error":"bad_request"}'
        assert end == b"--\r\n"


def test_more_copies_than_there_are_nodes_are_accepted_only(db: Any) -> None:
    answer = db("POST", "/db/_bulk_docs", json={"docs": [{"_id": "b"}], "w": 2})
    assert (answer.status_code, answer.json()[0]["accepted"]) == (202, True)
    assert db("POST", "/db/_bulk_docs?w=1", json={"docs": [{"_id": "c"}]}).status_code == 201
    for method, path in (("PUT", "/db/d?w=2"), ("POST", "/db?w=2")):
        assert db(method, path, json={}).status_code == 202
    assert db.refusal("PUT", "/db/e?w=many", {}) == "500 unknown_error: badarg"


class TestForm:
    def send(self, db: Any, path: str, fields: dict[str, str], *files: Any, referer: str | None = None) -> Any:
        parts = [(name, (None, value)) for name, value in fields.items()]
        parts += [("_attachments", file) for file in files]
        return db("POST", path, files=parts, headers={"Referer": referer or db.fake.url + "_utils"})

    def test_files_join_those_of_the_named_revision(self, db: Any) -> None:
        _, rev = two_revisions(db)
        files = ("new", b"newer", "text/plain; charset=utf-8"), ("ü", b"1", "X/Y")
        answer = self.send(db, "/db/a", {"_rev": rev}, *files)
        assert (answer.status_code, answer.headers["ETag"]) == (201, f'"{answer.json()["rev"]}"')
        shown = db.json("GET", "/db/a")["_attachments"]
        assert [(name, one["content_type"], one["revpos"]) for name, one in shown.items()] == [
            ("new", "text/plain", 3),
            ("ü", "x/y", 3),
            ("old", "image/x", 1),
        ]

    def test_files_join_those_of_a_document_that_is_sent_along(self, db: Any) -> None:
        _, rev = two_revisions(db)
        document = {"n": 1, "_rev": rev, "_attachments": {"old": {"stub": True}}}
        self.send(db, "/db/a", {"_doc": json.dumps(document)}, ("x", b"1", "text/plain"))
        shown = db.json("GET", "/db/a")
        assert (shown["n"], list(shown["_attachments"])) == (1, ["x", "old"])
        self.send(db, "/db/new", {"_doc": "{}"}, ("x", b"1", "text/plain"))
        assert db.json("GET", "/db/new")["_attachments"]["x"]["revpos"] == 1

    def test_a_stale_revision_conflicts(self, db: Any) -> None:
        first, _ = two_revisions(db)
        assert self.send(db, "/db/a", {"_rev": first}, ("x", b"1", "text/plain")).status_code == 409

    def test_where_the_server_breaks(self, db: Any) -> None:
        assert self.send(db, "/db/a", {"other": "1"}).json()["reason"] == "badarg"
        assert self.send(db, "/db/a", {"_rev": "1-aa"}).json()["error"] == "case_clause"

    @pytest.mark.parametrize(
        ("file", "reason"),
        [
            (("_x", b"1", "text/plain"), "Attachment name '_x' starts with prohibited character '_'"),
            (("x", b"1", "text/plain"), "Duplicate attachments"),
        ],
    )
    def test_files_that_are_refused(self, db: Any, file: Any, reason: str) -> None:
        assert self.send(db, "/db/a", {"_doc": "{}"}, file, file).json()["reason"] == reason

    def test_another_page_may_not_send_it(self, db: Any) -> None:
        answer = self.send(db, "/db/a", {"_doc": "{}"}, referer="http://elsewhere.example/x")
        assert answer.json()["reason"] == "Referer header must match host."
        assert db.refusal("POST", "/db/a", {}) == "400 bad_request: Referer header required."
        wrong = db.refusal("POST", "/db/a", {}, headers={"Referer": db.fake.url})
        assert wrong == "415 bad_content_type: Content-Type must be multipart/form-data"
