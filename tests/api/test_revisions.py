"""Which revisions are missing, purging, and copying: what the recordings leave open."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def db(admin: Any) -> Any:
    admin("PUT", "/db")
    return admin


@pytest.fixture
def house(admin: Any) -> Any:
    admin("PUT", "/house?partitioned=true")
    return admin


def replicate(db: Any, docid: str, start: int, *ids: str, **members: Any) -> None:
    document = {"_id": docid, "_revisions": {"start": start, "ids": list(ids)}, **members}
    assert db.json("POST", "/db/_bulk_docs", {"docs": [document], "new_edits": False}, 201) == []


class TestRevsDiff:
    def test_a_revision_that_is_named_twice_is_missing_once(self, db: Any) -> None:
        rev = db.json("PUT", "/db/a", {})["rev"]
        answer = db.json("POST", "/db/_revs_diff", {"a": [rev, rev, rev], "b": ["1-x", "1-x"]})
        assert answer == {"a": {"missing": [rev, rev]}, "b": {"missing": ["1-x", "1-x"]}}

    def test_a_revision_below_two_parents_accounts_for_two(self, db: Any) -> None:
        replicate(db, "a", 2, "xx", "aa")
        replicate(db, "a", 2, "xx", "bb")
        assert db.json("POST", "/db/_revs_diff", {"a": ["2-xx", "2-xx"]}) == {}
        assert db.json("POST", "/db/_revs_diff", {"a": ["2-xx"] * 3}) == {"a": {"missing": ["2-xx"]}}

    def test_ids_without_a_partition_are_refused(self, house: Any) -> None:
        refused = "400 illegal_docid: Doc id must be of form partition:id"
        assert house.refusal("POST", "/house/_revs_diff", {"a": ["1-x"]}) == refused
        assert house.refusal("GET", "/house/a?open_revs=all") == refused


class TestBranches:
    @pytest.mark.parametrize("validated", [False, True])
    def test_an_inner_revision_below_another_parent_becomes_a_second_branch(self, validated: bool, db: Any) -> None:
        if validated:
            db.json("PUT", "/db/_design/v", {"validate_doc_update": "function () {}"})
        replicate(db, "a", 3, "yy", "xx", "aa")
        replicate(db, "a", 2, "xx", "bb")
        leaves = db("GET", "/db/a?open_revs=all", headers={"Accept": "application/json"}).json()
        assert [leaf["ok"]["_rev"] for leaf in leaves] == ["2-xx", "3-yy"]

    def test_a_history_that_is_known_changes_nothing(self, db: Any) -> None:
        db.json("PUT", "/db/_design/v", {"validate_doc_update": "function () {}"})
        replicate(db, "a", 3, "yy", "xx", "aa")
        before = db.json("GET", "/db")["update_seq"]
        replicate(db, "a", 2, "xx", "aa")
        assert db.json("GET", "/db")["update_seq"] == before


class TestCopy:
    def copy(self, db: Any, source: str, destination: str) -> str:
        answer = db("COPY", f"/db/{source}", headers={"Destination": destination})
        body = answer.json()
        return f"{answer.status_code} {body.get('id')}" if body.get("ok") else f"{body['error']}: {body['reason']}"

    def test_the_destination_is_checked_before_the_source_is_looked_up(self, db: Any) -> None:
        assert self.copy(db, "missing", "_x").startswith("illegal_docid: Only reserved")
        assert self.copy(db, "missing", "?rev=1-a") == "illegal_docid: Document id must not be empty"
        assert self.copy(db, "missing", "b") == "not_found: missing"

    def test_a_parameter_of_any_name_is_taken_for_the_revision(self, db: Any) -> None:
        db.json("PUT", "/db/a", {})
        assert self.copy(db, "a", "b?foo=1") == "bad_request: Invalid rev format"
        assert self.copy(db, "a", "b?foo=1-a") == "201 b"
        assert db.json("GET", "/db/b")["_rev"].startswith("2-")

    def test_broken_escapes_are_part_of_the_id(self, db: Any) -> None:
        db.json("PUT", "/db/a", {})
        assert self.copy(db, "a", "b%zz%20c") == "201 b%zz c"


class TestPurge:
    def test_purging_nothing_takes_no_sequence_and_the_limit_takes_one(self, db: Any) -> None:
        db.json("PUT", "/db/a", {})
        assert db.json("POST", "/db/_purge", {}, 201) == {"purge_seq": None, "purged": {}}
        assert db.json("GET", "/db")["update_seq"].startswith("1-")
        db.json("PUT", "/db/_purged_infos_limit", 2)
        assert db.json("GET", "/db")["update_seq"].startswith("2-")

    def test_the_history_is_cut_to_its_limit_by_compaction(self, db: Any) -> None:
        for number in range(3):
            rev = db.json("PUT", f"/db/{number}", {})["rev"]
            db.json("POST", "/db/_purge", {str(number): [rev]})
        db.json("PUT", "/db/_purged_infos_limit", 2)
        assert len(db.json("GET", "/db/_purged_infos")["purged_infos"]) == 3
        db("POST", "/db/_compact", headers={"Content-Type": "application/json"})
        assert [info["id"] for info in db.json("GET", "/db/_purged_infos")["purged_infos"]] == ["1", "2"]


def test_sizes_follow_what_is_stored(db: Any) -> None:
    assert db.json("GET", "/db")["sizes"]["external"] == 0
    rev = db.json("PUT", "/db/a", {"x": 1.25, "text": 'a"b'})["rev"]
    assert db.json("GET", "/db")["sizes"]["external"] == len('{"x":1.2,"text":"a.b"}')
    db("PUT", f"/db/a/t?rev={rev}", data=b"a" * 1000, headers={"Content-Type": "text/plain"})
    sizes = db.json("GET", "/db")["sizes"]
    assert sizes["external"] < 100  # compressible types are stored, and counted, compressed
    assert sizes["external"] < sizes["active"] < sizes["file"]
    db("POST", "/db/_compact", headers={"Content-Type": "application/json"})
    assert db.json("GET", "/db")["sizes"]["file"] < sizes["file"]


def test_interactive_edits_may_keep_histories_beyond_the_limit(db: Any) -> None:
    db.set("couchdb", "stem_interactive_updates", "false")
    db.json("PUT", "/db/_revs_limit", 2)
    rev = None
    for number in range(4):
        rev = db.json("PUT", "/db/a", {"n": number, **({"_rev": rev} if rev else {})})["rev"]
    found = db.json("GET", "/db/a?revs=true&revs_info=true")
    assert (len(found["_revisions"]["ids"]), len(found["_revs_info"])) == (2, 4)
    db.set("couchdb", "stem_interactive_updates", "true")
    db.json("PUT", "/db/a", {"_rev": rev})
    assert len(db.json("GET", "/db/a?revs_info=true")["_revs_info"]) == 2


def test_an_access_list_is_stored_like_any_member(db: Any) -> None:
    db.json("PUT", "/db/a", {"_access": ["joe"]}, 201)
    assert db.json("GET", "/db/a")["_access"] == ["joe"]


class TestFollowingAttachments:
    MEMBER = {"a": {"follows": True, "length": 3}}

    def test_in_a_bulk_request_the_errors_of_documents_come_first(self, db: Any) -> None:
        rev = db.json("PUT", "/db/x", {})["rev"]
        good, bad = {"_id": "y", "_attachments": self.MEMBER}, {"_id": "x", "_attachments": self.MEMBER}
        [row] = db.json("POST", "/db/_bulk_docs", {"docs": [bad]}, 201)
        assert row["error"] == "conflict"
        assert "doc_validation" in db.refusal("POST", "/db/_bulk_docs", {"docs": [good, {"_nonsense": 1}]})
        assert db.refusal("POST", "/db/_bulk_docs", {"docs": [good]}) == "500 unknown_error: function_clause"
        assert db.json("GET", "/db/x")["_rev"] == rev

    def test_a_conflict_comes_before_parts_of_the_wrong_length(self, db: Any) -> None:
        db.json("PUT", "/db/x", {})
        assert self.upload(db, "x", b"12345").status_code == 409
        assert self.upload(db, "new", b"12345").json()["reason"] == "attachment longer than expected"
        assert self.upload(db, "new", b"1").json()["reason"] == "attachment shorter than expected"
        assert db("GET", "/db/new").status_code == 404

    def upload(self, db: Any, docid: str, data: bytes) -> Any:
        head = b'--b\r\nContent-Type: application/json\r\n\r\n{"_attachments":{"a":{"follows":true,"length":3}}}\r\n'
        body = head + b"--b\r\n\r\n" + data + b"\r\n--b--"
        return db("PUT", f"/db/{docid}", data=body, headers={"Content-Type": 'multipart/related; boundary="b"'})


class TestLocalDocuments:
    def test_a_local_document_is_deleted_by_any_revision(self, db: Any) -> None:
        db.json("PUT", "/db/_local/a", {})
        assert db.json("DELETE", f"/db/_local/a?rev=1-{'a' * 32}", status=200)["rev"] == "0-0"

    def test_a_replicated_one_is_never_reported(self, db: Any) -> None:
        docs = [{"_id": "_local/a", "_rev": f"1-{'a' * 32}"}]
        assert db.json("POST", "/db/_bulk_docs", {"docs": docs, "new_edits": False}, 201) == []


class TestLiveFeeds:
    @pytest.mark.parametrize(("setting", "value"), [("_security", {}), ("_revs_limit", 5)])
    def test_settings_wake_no_feed(self, setting: str, value: Any, db: Any) -> None:
        since = db.json("GET", "/db")["update_seq"]
        db.json("PUT", f"/db/{setting}", value)
        text = db("GET", f"/db/_changes?feed=longpoll&timeout=10&since={since}").text
        assert text.count("\n") == 6  # no blank line beyond the first one

    def test_descending_feeds_send_what_is_there_and_end(self, db: Any) -> None:
        for docid in "abc":
            db.json("PUT", f"/db/{docid}", {})
        lines = db("GET", "/db/_changes?feed=continuous&descending=true&heartbeat=true").text.splitlines()
        assert [line[8:9] for line in lines if line] == ["3", "2", "1", "e"]
