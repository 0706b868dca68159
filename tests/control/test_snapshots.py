"""What a snapshot restores, part by part."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.control.snapshots import SnapshotEnded
from couchfake.views.index import Index
from couchfake.views.javascript import ViewIndex

from .conftest import Asked

DDOC = {"views": {"n": {"map": "function (doc) { emit(doc.n, 1); }", "reduce": "_sum"}}}
VALIDATED = {"validate_doc_update": "function (doc) { if (!doc.n) throw {forbidden: 'n is missing'}; }"}


@pytest.fixture
def filled(couch: Asked) -> Asked:
    """A database with documents, a conflict, a tombstone, an attachment, a local document, a view and an index."""
    couch.ask("PUT", "db")
    couch.ask("PUT", "db/_design/d", DDOC)
    for n in range(5):
        couch.ask("PUT", f"db/doc-{n}", {"n": n})
    forked = [{"_id": "doc-1", "_rev": f"2-{letter * 32}", "n": letter} for letter in "ab"]
    couch.ask("POST", "db/_bulk_docs", {"docs": forked, "new_edits": False})
    couch.ask("DELETE", f"db/doc-4?rev={couch.ask('GET', 'db/doc-4')['_rev']}")
    couch.request("PUT", "db/with/a.txt", data=b"some text", headers={"Content-Type": "text/plain"})
    couch.ask("PUT", "db/_local/here", {"n": 1})
    couch.ask("POST", "db/_index", {"index": {"fields": ["n"]}, "name": "n"})
    couch.ask("GET", "db/_design/d/_view/n")
    return couch


def change_everything(couch: Asked) -> None:
    rev = couch.ask("GET", "db/doc-0")["_rev"]
    couch.ask("PUT", "db/doc-0", {"_rev": rev, "n": 100})
    couch.ask("PUT", "db/new", {"n": 7})
    couch.ask("DELETE", f"db/doc-2?rev={couch.ask('GET', 'db/doc-2')['_rev']}")
    couch.ask("PUT", "db/doc-4", {"n": "back"})
    couch.ask("POST", "db/_purge", {"doc-3": [couch.ask("GET", "db/doc-3")["_rev"]]})
    couch.ask("POST", "db/_purge", {"doc-1": ["2-" + "b" * 32]})
    couch.ask("POST", "db/_compact", headers={"Content-Type": "application/json"})
    couch.ask("PUT", "db/_local/here", {"n": 2})
    couch.ask("PUT", "db/_local/there", {"n": 2})
    couch.ask("PUT", "db/_security", {"members": {"names": ["ann"]}})
    couch.ask("PUT", "db/_revs_limit", 3)
    couch.ask("PUT", "db/_design/d", {**DDOC, "_rev": couch.ask("GET", "db/_design/d")["_rev"], "x": 1})
    couch.ask("PUT", "db/_design/v", VALIDATED)
    couch.ask("PUT", "db/refused", {})
    couch.ask("PUT", "other")
    couch.ask("PUT", "other/a", {})
    couch.ask("PUT", "_node/_local/_config/couchdb/max_document_size", "1000")
    couch.ask("GET", "db/_design/d/_view/n")


def fail_after(couch: Asked) -> None:
    change_everything(couch)
    raise ZeroDivisionError


def test_everything_is_as_before_after_a_restore(filled: Asked) -> None:
    before = filled.state()
    snapshot = filled.fake.snapshot()
    change_everything(filled)
    assert filled.state() != before
    snapshot.restore()
    assert filled.state() == before


def test_a_snapshot_is_restored_as_often_as_wanted(filled: Asked) -> None:
    before, snapshot = filled.state(), filled.fake.snapshot()
    for _ in range(3):
        change_everything(filled)
        filled.fake.restore(snapshot)
        assert filled.state() == before


def test_the_same_writes_have_the_same_results_after_a_restore(filled: Asked) -> None:
    snapshot = filled.fake.snapshot()
    change_everything(filled)
    ids = [filled.ask("POST", "db", {"n": 1}), filled.ask("GET", "_uuids?count=3")]
    first = filled.state()
    snapshot.restore()
    change_everything(filled)
    assert [filled.ask("POST", "db", {"n": 1}), filled.ask("GET", "_uuids?count=3")] == ids
    assert filled.state() == first


def test_a_deleted_database_comes_back(filled: Asked) -> None:
    before, snapshot = filled.state(), filled.fake.snapshot()
    filled.ask("PUT", "db/new", {})
    filled.ask("DELETE", "db")
    filled.ask("PUT", "db")
    filled.ask("PUT", "db/another", {})
    snapshot.restore()
    assert filled.state() == before
    assert filled.request("PUT", "db/new", {}).status_code == 201


def test_a_rollback_undoes_the_block_also_after_an_exception(filled: Asked) -> None:
    before = filled.state()
    with pytest.raises(ZeroDivisionError), filled.fake.rollback():
        fail_after(filled)
    assert filled.state() == before


def test_snapshots_nest(filled: Asked) -> None:
    before = filled.state()
    with filled.fake.rollback():
        filled.ask("PUT", "db/outer", {"n": 2})
        between = filled.state()
        with filled.fake.rollback():
            change_everything(filled)
        assert filled.state() == between
        filled.ask("PUT", "db/outer", {"_rev": filled.ask("GET", "db/outer")["_rev"], "n": 3})
    assert filled.state() == before


def test_an_outer_snapshot_undoes_what_was_written_before_an_inner_one_and_after_it(filled: Asked) -> None:
    before, outer = filled.state(), filled.fake.snapshot()
    change_everything(filled)
    inner = filled.fake.snapshot()
    filled.ask("DELETE", "db")
    outer.restore()
    assert filled.state() == before
    with pytest.raises(SnapshotEnded):
        inner.restore()


def test_a_discarded_snapshot_leaves_the_others_whole(filled: Asked) -> None:
    before, outer = filled.state(), filled.fake.snapshot()
    filled.ask("PUT", "db/one", {})
    inner = filled.fake.snapshot()
    change_everything(filled)
    inner.discard()
    assert filled.ask("GET", "db/new")["n"] == 7
    with pytest.raises(SnapshotEnded):
        inner.restore()
    outer.restore()
    assert filled.state() == before


def test_a_snapshot_that_nobody_holds_is_discarded(filled: Asked) -> None:
    before, outer = filled.state(), filled.fake.snapshot()
    filled.fake.snapshot()
    change_everything(filled)
    filled.fake.snapshot()
    database = filled.fake.node.databases["db"]
    assert len(database.journals) == 2
    outer.restore()
    assert filled.state() == before


def test_without_a_snapshot_nothing_is_kept(filled: Asked) -> None:
    with filled.fake.rollback():
        filled.ask("PUT", "db/new", {})
    assert all(not database.journals for database in filled.fake.node.databases.values())


def test_no_snapshot_survives_a_reset(filled: Asked) -> None:
    snapshot = filled.fake.snapshot()
    filled.fake.reset()
    with pytest.raises(SnapshotEnded):
        snapshot.restore()


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the documents that indexes map, as they do it."""
    ids: list[str] = []

    def noted(original: Any) -> Any:
        def map_batches(self: Index, batches: Any) -> Any:
            taken = list(batches)
            ids.extend(entry.id for batch in taken for entry in batch)
            return original(self, taken)

        return map_batches

    for each in (Index, ViewIndex):
        monkeypatch.setattr(each, "map_batches", noted(each.map_batches))
    return ids


def test_restored_indexes_map_no_document(filled: Asked, mapped: list[str]) -> None:
    filled.ask("POST", "db/_find", {"selector": {"n": 1}, "use_index": "n"})
    snapshot = filled.fake.snapshot()
    change_everything(filled)
    snapshot.restore()
    mapped.clear()
    filled.ask("GET", "db/_design/d/_view/n")
    filled.ask("POST", "db/_find", {"selector": {"n": 1}, "use_index": "n"})
    assert mapped == []


def test_indexes_that_were_built_since_map_only_what_had_changed(filled: Asked, mapped: list[str]) -> None:
    views = {"views": {"other": {"map": "function (doc) { emit(doc.n, 2); }", "reduce": "_sum"}}}
    filled.ask("PUT", "db/_design/other", views)
    snapshot = filled.fake.snapshot()
    filled.ask("PUT", "db/new", {"n": 1})
    filled.ask("PUT", "db/doc-0", {"_rev": filled.ask("GET", "db/doc-0")["_rev"], "n": 3})
    assert filled.ask("GET", "db/_design/other/_view/other")["rows"][0]["value"] == 12
    for _ in range(2):
        snapshot.restore()
        mapped.clear()
        assert filled.ask("GET", "db/_design/other/_view/other")["rows"][0]["value"] == 10
        assert mapped == ["doc-0"]
        filled.ask("PUT", "db/doc-0", {"_rev": filled.ask("GET", "db/doc-0")["_rev"], "n": 4})


def put(couch: Asked, docid: str, n: int) -> None:
    rev = couch.ask("GET", f"db/{docid}").get("_rev")
    couch.ask("PUT", f"db/{docid}", {"n": n, "_rev": rev} if rev else {"n": n})


def test_an_index_that_was_built_since_follows_other_writes_than_the_first_ones(filled: Asked) -> None:
    filled.ask("PUT", "db/_design/sum", {"views": {"v": {"map": "function (doc) { emit(1, doc.n); }"}}})
    snapshot = filled.fake.snapshot()
    for n in range(4):
        put(filled, f"first-{n}", n)
    filled.ask("GET", "db/_design/sum/_view/v")
    snapshot.restore()
    put(filled, "second", 7)
    rows = filled.ask("GET", "db/_design/sum/_view/v")["rows"]
    assert {row["id"] for row in rows} == {"doc-0", "doc-1", "doc-2", "doc-3", "second", "with"}


def test_an_index_that_was_built_after_an_inner_snapshot_is_right_after_an_outer_restore(filled: Asked) -> None:
    filled.ask("PUT", "db/_design/sum", {"views": {"v": {"map": "function (doc) { emit(1, doc.n); }"}}})
    outer = filled.fake.snapshot()
    put(filled, "doc-0", 100)
    inner = filled.fake.snapshot()
    put(filled, "doc-2", 200)
    filled.ask("GET", "db/_design/sum/_view/v")
    outer.restore()
    rows = filled.ask("GET", "db/_design/sum/_view/v")["rows"]
    assert {row["id"]: row["value"] for row in rows if row["id"] in ("doc-0", "doc-2")} == {"doc-0": 0, "doc-2": 2}
    inner.discard()


@pytest.mark.parametrize("from_scratch", [False, True])
def test_indexes_of_design_documents_that_do_not_come_again_are_dropped(
    filled: Asked, mapped: list[str], from_scratch: bool
) -> None:
    filled.ask("PUT", "db/_design/kept", {"views": {"v": {"map": "function (doc) { emit(doc.n, null); }"}}})
    snapshot = filled.fake.snapshot()
    for n in range(40):
        filled.ask("PUT", "db/_design/own", {"views": {"v": {"map": f"function (doc) {{ emit({n}, null); }}"}}})
        filled.ask("GET", "db/_design/own/_view/v")
        mapped.clear()
        filled.ask("GET", "db/_design/kept/_view/v")
        assert n == 0 or mapped == []
        snapshot.restore()
        if from_scratch:
            snapshot.discard()
            snapshot = filled.fake.snapshot()
    assert len(filled.fake.node.databases["db"].indexes) < 30


def test_the_clock_goes_back(filled: Asked) -> None:
    clock = filled.fake.clock
    with filled.fake.rollback():
        clock.advance(5)
        clock.freeze()
    assert not clock.is_frozen
    assert clock() == 1_700_000_000.0


def test_an_open_feed_ends(filled: Asked) -> None:
    snapshot = filled.fake.snapshot()
    feed = filled.request("GET", "db/_changes?feed=continuous&heartbeat=60000&since=0", stream=True)
    lines = feed.iter_lines()
    first = next(lines)
    snapshot.restore()
    filled.ask("PUT", "db/after", {"n": 1})
    rest = b"\n".join([first, *lines])
    assert b'"last_seq"' in rest
    assert b"after" not in rest


def test_sessions_that_were_opened_since_are_logged_out(couch: Asked) -> None:
    couch.ask("PUT", "_users/org.couchdb.user:ann", {"name": "ann", "password": "a", "type": "user", "roles": []})
    before = couch.request("POST", "_session", {"name": "ann", "password": "a"}).cookies.get("AuthSession") or ""
    couch.session.cookies.clear()

    def name_of(cookie: str) -> Any:
        return couch.ask("GET", "_session", headers={"Cookie": f"AuthSession={cookie}"})["userCtx"]["name"]

    snapshot = couch.fake.snapshot()
    couch.ask("PUT", "_users/org.couchdb.user:bob", {"name": "bob", "password": "b", "type": "user", "roles": []})
    since = couch.request("POST", "_session", {"name": "bob", "password": "b"}).cookies.get("AuthSession") or ""
    couch.session.cookies.clear()
    assert (name_of(before), name_of(since)) == ("ann", "bob")
    snapshot.restore()
    assert (name_of(before), name_of(since)) == ("ann", None)


def test_a_session_of_a_user_from_before_ends_if_it_was_opened_since() -> None:
    now = [1_700_000_000.0]
    fake = CouchFake(clock=lambda: now[0])
    session = fake.session()
    user = {"name": "ann", "password": "a", "type": "user", "roles": []}
    session.put(fake.url + "_users/org.couchdb.user:ann", json=user)
    session.post(fake.url + "_session", json={"name": "ann", "password": "a"})
    session.cookies.clear()
    snapshot = fake.snapshot()
    now[0] += 5
    session.post(fake.url + "_session", json={"name": "ann", "password": "a"})
    assert session.get(fake.url + "_session").json()["userCtx"]["name"] == "ann"
    snapshot.restore()
    assert session.get(fake.url + "_session").json()["userCtx"]["name"] is None
    session.post(fake.url + "_session", json={"name": "ann", "password": "a"})
    assert session.get(fake.url + "_session").json()["userCtx"]["name"] == "ann"


def test_failed_logins_are_forgotten() -> None:
    fake = CouchFake(admins={"adm": "pass"})
    session = fake.session()
    snapshot = fake.snapshot()
    for _ in range(6):
        session.get(fake.url + "_all_dbs", auth=("adm", "wrong"))
    assert session.get(fake.url + "_all_dbs", auth=("adm", "pass")).status_code == 403
    snapshot.restore()
    assert session.get(fake.url + "_all_dbs", auth=("adm", "pass")).status_code == 200


def test_a_replication_that_began_since_ends(filled: Asked) -> None:
    snapshot = filled.fake.snapshot()
    request = {"source": "db", "target": "copy", "create_target": True, "continuous": True}
    filled.ask("POST", "_replicate", request)
    snapshot.restore()
    assert filled.ask("GET", "_scheduler/jobs")["jobs"] == []
    assert "copy" not in filled.ask("GET", "_all_dbs")


def test_a_replication_that_a_document_asked_for_begins_again(filled: Asked) -> None:
    filled.ask("PUT", "copy")
    url = filled.fake.url
    filled.ask("PUT", "_replicator/r", {"source": f"{url}db", "target": f"{url}copy", "continuous": True})
    snapshot = filled.fake.snapshot()
    filled.ask("DELETE", f"_replicator/r?rev={filled.ask('GET', '_replicator/r')['_rev']}")
    snapshot.restore()
    assert [job["doc_id"] for job in filled.ask("GET", "_scheduler/jobs")["jobs"]] == ["r"]
    filled.ask("PUT", "db/later", {"n": 3})
    row: dict[str, Any] = {"results": [], "last_seq": 0}
    while "later" not in {each["id"] for each in row["results"]}:
        row = filled.ask("GET", f"copy/_changes?feed=longpoll&since={row['last_seq']}")
        assert row["results"], "the replication makes no progress"


def test_a_request_that_began_before_cannot_write_afterwards(filled: Asked) -> None:
    database = filled.fake.node.databases["db"]
    snapshot = filled.fake.snapshot()
    snapshot.restore()
    assert database.closed
    assert not filled.fake.node.databases["db"].closed


def test_writers_in_other_threads_leave_a_consistent_state(filled: Asked) -> None:
    snapshot = filled.fake.snapshot()
    over = threading.Event()
    statuses: set[int] = set()

    def write(number: int) -> None:
        n = 0
        with filled.another_session() as session:
            while not over.is_set():
                n += 1
                for path in (f"db/t{number}-{n}", f"db{number}", f"db{number}/a"):
                    statuses.add(session.put(filled.fake.url + path, json={"n": n}).status_code)
                statuses.add(session.get(filled.fake.url + "db/_design/d/_view/n").status_code)
                statuses.add(session.delete(filled.fake.url + f"db{number}").status_code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        snapshot.restore()
    over.set()
    for thread in threads:
        thread.join()
    snapshot.restore()
    assert statuses <= {200, 201, 404, 409, 412}
    counted = filled.ask("GET", "db")
    assert counted["doc_count"] == len(filled.ask("GET", "db/_all_docs")["rows"]) == 7
    assert filled.ask("GET", "db/_design/d/_view/n")["rows"] == [{"key": None, "value": 5}]
