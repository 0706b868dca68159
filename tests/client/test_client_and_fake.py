"""The client and the fake together, in process and over a socket."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from couchdb_client import Database, ResourceConflict, ResourceNotFound, Server, Session, Unauthorized
from couchfake import CouchFake


@pytest.fixture(params=["in process", "socket"])
def fake(request: pytest.FixtureRequest) -> Iterator[CouchFake]:
    fake = CouchFake(admins={"adm": "pa:ss"})
    if request.param == "socket":
        fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def session(fake: CouchFake) -> Iterator[requests.Session]:
    with fake.session() as session:
        yield session


@pytest.fixture
def server(fake: CouchFake, session: requests.Session) -> Server:
    return Server(fake.url.replace("//", "//adm:pa%3Ass@"), session=session)


@pytest.fixture
def db(server: Server) -> Database:
    return server.create("people/and+things")


@pytest.mark.parametrize(
    "docid",
    [
        "a/b",
        "a b",
        "a+b",
        "100%",
        "%2F",
        "føø",
        "日本\N{GRINNING FACE}",
        "a?b#c&d",
        '"',
        "..",
        ".",
        "a/..",
        "_design/a/b",
        "_local/x y",
    ],
)
def test_documents_of_any_id(db: Database, docid: str) -> None:
    db[docid] = {"n": 2**80, "f": 1.0}
    doc = db[docid]
    assert doc["_id"] == docid
    assert list(doc.items())[2:] == [("n", 2**80), ("f", 1.0)]
    assert isinstance(doc["f"], float)
    doc["n"] = 0
    db.save(doc)
    assert docid in db
    if not docid.startswith("_local/"):
        stale = dict(doc, _rev="1-" + "0" * 32)
        with pytest.raises(ResourceConflict):
            db.save(stale)
        doc = db[docid]
        db.put_attachment(doc, "text", "a/b c.txt")
        assert db.get_attachment(doc, "a/b c.txt").read() == b"text"
        assert db.copy(docid, {"_id": "the/copy"}) == db["the/copy"].rev
    if not docid.startswith("_local/"):
        del db[docid]
        assert docid not in db


def test_attachments_stream_both_ways(db: Database) -> None:
    class Source(io.RawIOBase):
        """A megabyte that is never there as a whole."""

        left = 1 << 20

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            size = min(len(buffer), self.left)
            buffer[:size] = b"x" * size
            self.left -= size
            return size

    doc: dict[str, Any] = {"_id": "doc"}
    db.save(doc)
    db.put_attachment(doc, Source(), "large.bin")
    db.put_attachment(doc, io.BytesIO(b"line\n" * 10_000), "lines.txt")
    with db.get_attachment("doc", "large.bin") as attachment:
        assert attachment.read(3) == b"xxx"
        assert len(attachment.read()) == (1 << 20) - 3
    assert sum(1 for line in db.get_attachment(doc, "lines.txt") if line == b"line\n") == 10_000
    db.delete_attachment(doc, "large.bin")
    assert list(db["doc"]["_attachments"]) == ["lines.txt"]


def test_a_continuous_feed_follows_the_database(db: Database) -> None:
    db["first"] = {}
    feed = db.changes(feed="continuous", heartbeat=20, include_docs=True)
    assert next(feed)["doc"]["_id"] == "first"
    writer = threading.Timer(0.1, db.save, [{"_id": "second"}])
    writer.start()
    assert next(feed)["id"] == "second"
    writer.join()
    feed.close()
    assert [change.get("id") for change in db.changes(feed="continuous", timeout=1)] == ["first", "second", None]


def test_a_feed_of_given_documents(db: Database) -> None:
    db.update([{"_id": docid} for docid in "abc"])
    assert [change["id"] for change in db.changes(doc_ids=["a", "c"])["results"]] == ["a", "c"]
    assert [change.get("id") for change in db.changes(doc_ids=["b"], feed="continuous", timeout=1)] == ["b", None]
    found = db.changes(filter="_selector", _selector={"selector": {"_id": "c"}})["results"]
    assert [change["id"] for change in found] == ["c"]


def test_users_log_in_and_out(fake: CouchFake, session: requests.Session, server: Server) -> None:
    assert server.add_user("jörg", "geheim", roles=["staff"])[0] == "org.couchdb.user:jörg"
    with pytest.raises(ResourceConflict):
        server.add_user("jörg", "anders")
    anybody = Server(fake.url, session=session)
    token = anybody.login("jörg", "geheim")
    assert anybody.verify_token(token)
    assert server.verify_token(token)
    assert anybody.logout(token)
    for wrong in ("garbage", token[:-3], ""):
        assert not server.verify_token(wrong)
    with pytest.raises(Unauthorized) as caught:
        anybody.login("jörg", "wrong")
    assert caught.value.args == (("unauthorized", "Name or password is incorrect."),)
    with pytest.raises(Unauthorized):  # the login has not made the session that user's
        anybody.config()
    server.remove_user("jörg")
    with pytest.raises(ResourceNotFound):
        server.remove_user("jörg")


def test_the_server_tells_of_itself(server: Server) -> None:
    assert server.version_info() == tuple(map(int, server.version().split(".")))
    assert server.config()["admins"]["adm"].startswith("-pbkdf2")
    by_its_old_name = server.stats("httpd/requests")["httpd"]["requests"]
    assert by_its_old_name.keys() == server.stats("couchdb/httpd/requests").keys() == {"value", "type", "desc"}
    assert server.stats()["couchdb"]["httpd"]["requests"]["type"] == "counter"
    assert len(set(server.uuids(5))) == 5
    assert server.tasks() == []


def test_databases_are_replicated(server: Server, db: Database) -> None:
    db["a"] = {"n": 1}
    target = server.create("copy")
    assert server.replicate(db.name, "copy")["ok"] is True
    assert target["a"] == db["a"]


def test_the_security_object_is_read_and_written(db: Database) -> None:
    security = db.security
    assert security["members"] == {"roles": ["_admin"]}
    db.security = {"members": {"names": ["joe"], "roles": []}, "admins": {"names": [], "roles": []}}
    assert db.security["members"]["names"] == ["joe"]


def test_all_revisions_of_a_document(db: Database) -> None:
    doc: dict[str, Any] = {"_id": "x"}
    for number in range(4):
        doc["n"] = number
        db.save(doc)
    assert [old["n"] for old in db.revisions("x")] == [3, 2, 1, 0]
    assert db.compact() is True
    assert [old["n"] for old in db.revisions("x")] == [3]


def test_queries_leave_no_design_document(db: Database) -> None:
    db.update([{"_id": str(number), "n": number} for number in range(10)])
    map_fun = "function (doc) { emit(doc.n % 3, doc.n); }"
    results = db.query(map_fun)
    assert [row.value for row in results[1:1]] == [1, 4, 7]
    db["13"] = {"n": 13}
    assert [row.value for row in results[1]] == [1, 13, 4, 7]
    assert [row.id for row in db.query(map_fun, keys=[2, 0])] == ["2", "5", "8", "0", "3", "6", "9"]
    assert [(row.key, row.value) for row in db.query(map_fun, "_sum", group=True)] == [(0, 18), (1, 25), (2, 15)]
    with pytest.raises(Exception, match="query_parse_error"):
        list(db.query(map_fun, limit="many"))  # type: ignore[call-overload]
    with pytest.raises(Exception, match="compilation_error"):
        list(db.query("function ("))
    assert [row.id for row in db.view("_all_docs", startkey="_design/", endkey="_design0")] == []


def test_iterview_and_lists_and_shows(db: Database) -> None:
    db["_design/app"] = {
        "views": {"by_n": {"map": "function (doc) { emit(doc.n, null); emit(doc.n, null); }"}},
        "shows": {"id": "function (doc, req) { return doc ? doc._id : 'none'; }"},
        "lists": {"ids": "function (head, req) { var row; while (row = getRow()) { send(row.id + ' '); } }"},
        "updates": {"count": "function (doc, req) { doc.count = (doc.count || 0) + 1; return [doc, '' + doc.count]; }"},
    }
    db.update([{"_id": f"doc {number}", "n": number // 4} for number in range(10)])
    for batch in (1, 3, 20, 100):
        assert [row.id for row in db.iterview("app/by_n", batch)] == [f"doc {number // 2}" for number in range(20)]
    assert [row.key for row in db.iterview("_all_docs", 4, startkey="doc 5", limit=5)] == [
        f"doc {n}" for n in range(5, 10)
    ]
    headers, body = db.show("app/id", "doc 1")
    assert (headers["Content-Type"], body.read()) == ("text/html; charset=utf-8", b"doc 1")
    assert db.list("app/ids", "app/by_n", key=2)[1].read() == b"doc 8 doc 8 doc 9 doc 9 "
    assert [db.update_doc("app/count", "doc 1")[1].read() for _ in range(2)] == [b"1", b"2"]
    assert db.compact("app") is True
    assert db.cleanup() is True
    assert db.info("app")["name"] == "app"


def test_find_gives_more_than_the_servers_page(db: Database) -> None:
    db.update([{"_id": f"{number:03}", "n": number} for number in range(60)])
    assert len(db.find({"selector": {"n": {"$gte": 1}}})) == 59
    assert [doc["n"] for doc in db.iterfind({"selector": {"n": {"$gte": 1}}, "skip": 9}, 7)] == list(range(10, 60))
    page = db.find({"selector": {"n": {"$gte": 1}}, "limit": 10})
    assert [doc["n"] for doc in page] == list(range(1, 11))
    following = db.find({"selector": {"n": {"$gte": 1}}, "limit": 10, "bookmark": page.bookmark})
    assert [doc["n"] for doc in following] == list(range(11, 21))


def test_documents_are_confirmed_from_a_cache(fake: CouchFake, session: requests.Session) -> None:
    seen: list[int] = []
    session.hooks["response"].append(lambda response, *_, **__: seen.append(response.status_code))
    server = Server(fake.url.replace("//", "//adm:pa%3Ass@"), session=Session({}, transport=session))
    db = server.create("cached")
    db["x"] = {"n": 1}
    assert db["x"] == db["x"]
    assert seen[-2:] == [200, 304]
