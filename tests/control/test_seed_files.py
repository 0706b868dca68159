"""What is read from files: every form, and what is wrong with one in a sentence with file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.control.seeds.documents import SeedError

DOCS = [{"_id": "ann", "n": 1}, {"_id": "bob", "n": 2.5, "big": 12345678901234567890}]
LINES = "\n".join(json.dumps(doc) for doc in DOCS)

FORMS = {
    "a document a line": LINES,
    "empty lines between": "\n" + LINES.replace("\n", "\n\n") + "\n\n",
    "Windows line ends": LINES.replace("\n", "\r\n") + "\r\n",
    "an array": json.dumps(DOCS),
    "an array over many lines": json.dumps(DOCS, indent=2),
    "docs": json.dumps({"docs": DOCS}, indent=2),
    "docs after something else": json.dumps({"new_edits": True, "docs": DOCS}),
    "_all_docs": json.dumps({"total_rows": 2, "offset": 0, "rows": [{"id": d["_id"], "doc": d} for d in DOCS]}),
    "_all_docs as the server lays it out": '{"total_rows":2,"offset":0,"rows":[\r\n'
    + ",\r\n".join(json.dumps({"id": doc["_id"], "key": doc["_id"], "value": {}, "doc": doc}) for doc in DOCS)
    + "\r\n]}\n",
    "_changes": json.dumps({"results": [{"seq": 1, "id": doc["_id"], "doc": doc} for doc in DOCS], "last_seq": 2}),
    "couchbackup": "\n".join(json.dumps([doc]) for doc in DOCS),
    "couchbackup with a header": json.dumps({"name": "@cloudant/couchbackup", "version": "2.10.0", "mode": "full"})
    + "\n"
    + json.dumps(DOCS)
    + "\n",
    "a byte order mark": "\ufeff" + LINES,
}


def loaded(path: Path, db: str | None = "db") -> dict[str, Any]:
    """The documents of the database after a load, without their revisions."""
    fake = CouchFake()
    fake.load(path, db)
    rows = fake.session().get(f"{fake.url}{db}/_all_docs?include_docs=true").json()["rows"]
    return {row["id"]: {name: each for name, each in row["doc"].items() if name not in ("_id", "_rev")} for row in rows}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_file_is_seen_from_its_content(tmp_path: Path, form: str) -> None:
    path = tmp_path / "seed.json"
    path.write_text(FORMS[form], encoding="utf-8", newline="")
    assert loaded(path) == {"ann": {"n": 1}, "bob": {"n": 2.5, "big": 12345678901234567890}}


def test_a_file_may_be_gzipped(tmp_path: Path) -> None:
    path = tmp_path / "seed.jsonl.gz"
    path.write_bytes(gzip.compress(LINES.encode()))
    assert set(loaded(path)) == {"ann", "bob"}


def test_a_document_that_has_a_member_docs_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps({"_id": "list", "docs": [1, 2]}))
    assert loaded(path) == {"list": {"docs": [1, 2]}}


def test_numbers_stay_as_the_file_has_them(tmp_path: Path) -> None:
    path = tmp_path / "seed.jsonl"
    path.write_text('{"_id":"a","one":1,"also":1.0,"exponent":1e3}')
    fake = CouchFake()
    fake.load(path, "db")
    assert b'"one":1,"also":1.0,"exponent":1000.0' in fake.session().get(f"{fake.url}db/a").content


def test_documents_keep_their_revisions_and_those_without_get_theirs(tmp_path: Path) -> None:
    rev = "3-" + "a" * 32
    path = tmp_path / "seed.jsonl"
    path.write_text(f'{{"_id":"kept","_rev":"{rev}","n":1}}\n{{"_id":"new","x":1}}\n{{"y":1}}\n')
    fake = CouchFake()
    fake.load(path, "db")
    rows = fake.session().get(f"{fake.url}db/_all_docs").json()["rows"]
    revs = {row["id"]: row["value"]["rev"] for row in rows}
    assert revs["kept"] == rev
    assert revs["new"] == "1-0785e9eb543380151003dc452c3a001a"
    assert len(revs) == 3


def test_a_folder_is_a_server_with_a_file_or_a_folder_for_each_database(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "orders.jsonl").write_text(LINES)
    (tmp_path / "shop" / "one.json").write_text('{"n": 3}')
    (tmp_path / "shop" / "_security.json").write_text('{"members": {"names": ["ann"]}}')
    (tmp_path / "people.json").write_text(json.dumps(DOCS))
    (tmp_path / "with%2Fslash.jsonl").write_text("")
    (tmp_path / ".git").mkdir()
    user = {"_id": "org.couchdb.user:ann", "name": "ann", "password": "secret", "type": "user", "roles": []}
    (tmp_path / "_users.json").write_text(json.dumps([user]))
    fake = CouchFake()
    assert fake.load(tmp_path) == 6
    session = fake.session()
    assert session.get(fake.url + "_all_dbs").json() == ["_replicator", "_users", "people", "shop", "with/slash"]
    assert session.get(fake.url + "shop/one").json()["n"] == 3
    assert session.get(fake.url + "shop/_security").json() == {"members": {"names": ["ann"]}}
    assert session.post(fake.url + "_session", json={"name": "ann", "password": "secret"}).status_code == 200


def test_without_a_name_a_database_is_called_as_its_path(tmp_path: Path) -> None:
    (tmp_path / "shop.jsonl").write_text(LINES)
    (tmp_path / "people" / "_design").mkdir(parents=True)
    (tmp_path / "people" / "docs.json").write_text(LINES)
    fake = CouchFake()
    fake.load(tmp_path / "shop.jsonl")
    fake.load(tmp_path / "people")
    assert [fake.session().get(f"{fake.url}{name}").json()["doc_count"] for name in ("shop", "people")] == [2, 2]


def test_design_documents_are_folders_of_files(tmp_path: Path) -> None:
    folder = tmp_path / "_design" / "app"
    files = {
        "language": "javascript\n",
        "views/by_n/map.js": "function (doc) { emit(doc.n, require('views/lib/twice').twice(doc.n)); }\n",
        "views/by_n/reduce.js": "_sum",
        "views/lib/twice.js": "exports.twice = function (n) { return 2 * n; };",
        "shows/page.js": "function (doc, req) { return doc._id + '!'; }",
        "lists/all.js": "function (head, req) { return 'list'; }",
        "filters/big.js": "function (doc, req) { return doc.n > 1; }",
        "updates/up.js": "function (doc, req) { return [doc, 'ok']; }",
        "validate_doc_update.js": "function (doc) { if (doc.n === 13) throw {forbidden: 'unlucky'}; }",
        "rewrites.json": '[{"from": "/a", "to": "b"}]',
        "options/include_design.json": "true",
        "_attachments/css/site.css": "p {}",
        ".couchapprc": "{}",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "docs.jsonl").write_text('{"_id":"a","n":3}\n{"_id":"thirteen","n":13}\n')
    fake, session = CouchFake(), None
    fake.load(tmp_path, "db")
    session = fake.session()
    ddoc = session.get(fake.url + "db/_design/app").json()
    assert ddoc["views"]["by_n"]["map"] == files["views/by_n/map.js"].removesuffix("\n")
    assert ddoc["language"] == "javascript"
    assert ddoc["rewrites"] == [{"from": "/a", "to": "b"}]
    assert ddoc["options"] == {"include_design": True}
    assert ddoc["_attachments"]["css/site.css"]["content_type"] == "text/css"
    assert session.get(fake.url + "db/_design/app/css/site.css").text == "p {}"
    assert session.get(fake.url + "db/_design/app/_show/page/a").text == "a!"
    assert session.get(fake.url + "db/_design/app/_view/by_n?key=3").json()["rows"] == [{"key": None, "value": 6}]
    assert session.put(fake.url + "db/b", json={"n": 13}).status_code == 403


def test_a_design_folder_is_a_seed_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "views" / "v").mkdir(parents=True)
    (tmp_path / "views" / "v" / "map.js").write_text("function (doc) {}")
    (tmp_path / "_id").write_text("_design/named\n")
    assert loaded(tmp_path) == {"_design/named": {"views": {"v": {"map": "function (doc) {}"}}}}


def test_attachments_are_inline_or_files_beside_the_documents(tmp_path: Path) -> None:
    (tmp_path / "_attachments" / "by-id").mkdir(parents=True)
    (tmp_path / "_attachments" / "by-id" / "a.txt").write_text("by id")
    (tmp_path / "photo").mkdir()
    (tmp_path / "photo" / "p.png").write_bytes(b"\x89PNG")
    (tmp_path / "photo.json").write_text('{"title": "a photo"}')
    inline = {"_id": "inline", "_attachments": {"i": {"content_type": "text/plain", "data": "aW5saW5l"}}}
    stub = {"_id": "by-id", "_attachments": {"a.txt": {"content_type": "text/x-odd", "stub": True, "revpos": 1}}}
    (tmp_path / "docs.jsonl").write_text(f"{json.dumps(inline)}\n{json.dumps(stub)}\n")
    fake = CouchFake()
    fake.load(tmp_path, "db")
    answers = [fake.session().get(f"{fake.url}db/{path}") for path in ("inline/i", "by-id/a.txt", "photo/p.png")]
    assert [answer.content for answer in answers] == [b"inline", b"by id", b"\x89PNG"]
    assert [answer.headers["Content-Type"] for answer in answers] == ["text/plain", "text/x-odd", "image/png"]


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "a line that is not JSON": ({"a.jsonl": '{"_id":"x"}\n{"_id":}\n'}, "a.jsonl:2: The line is not JSON: expecting"),
    "an array without its end": (
        {"a.json": '[\n{"_id":"x"},\n{"_id":"y"}\n'},
        "a.json:4: The text is not JSON: a comma",
    ),
    "something after the end": ({"a.json": '[\n{"_id":"x"}]}'}, "a.json:2: The text is not JSON"),
    "a number for a document": (
        {"a.json": '[\n{"_id":"x"},\n3]'},
        "a.json:3: A document is a JSON object, but this is a",
    ),
    "a reserved id": ({"a.jsonl": '{}\n{"_id":"_x"}'}, "a.jsonl:2: The id '_x' is reserved"),
    "an id that is not a string": ({"a.jsonl": '{"_id":3}'}, "a.jsonl:1: The _id of a document is a non-empty string"),
    "a malformed revision": (
        {"a.jsonl": '{}\n{"_id":"x","_rev":"7"}'},
        "a.jsonl:2: The _rev of a document looks like",
    ),
    "a reserved member": ({"a.jsonl": '{}\n{"_foo":1}'}, "a.jsonl:2: A document cannot have the member '_foo'"),
    "rows without documents": ({"a.json": '{"rows":[\n{"id":"x"}]}'}, "a.json:2: The row has no document: ask for it"),
    "a stub": (
        {"a.jsonl": '{}\n{"_id":"x","_attachments":{"f":{"stub":true}}}'},
        "a.jsonl:2: The attachment 'f' of 'x'",
    ),
    "a file for no document": ({"_attachments/x/f": "", "a.json": "[]"}, "f: There is no document 'x' to attach it to"),
    "a folder that is nothing": ({"strange/file": "", "a.json": "[]"}, "strange: The folder is not a design document"),
    "a file that is nothing": ({"notes.md": "", "a.json": "[]"}, "notes.md: Documents are in files that end in"),
    "an unknown setting": ({"_database.json": '{"revs_limits":3}'}, "_database.json:1: 'revs_limits' is not a setting"),
    "a member twice": (
        {"_design/d/views/v.js": "", "_design/d/views/v.json": "1"},
        "Another file or folder is the member",
    ),
    "a JSON file that is not JSON": ({"_design/d/rewrites.json": "[\n"}, "rewrites.json:2: The text is not JSON"),
    "what the server refuses": (
        {"a.jsonl": '{"_id":"x"}\n{"_id":"x"}'},
        "a.jsonl:2: The server has the document 'x' already. Delete it or its database before, or load into another"
        " database.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_sentence_and_nothing_is_loaded(tmp_path: Path, case: str) -> None:
    files, sentence = WRONG[case]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    fake = CouchFake()
    before = fake.session().get(fake.url + "_all_dbs").json()
    with pytest.raises(SeedError) as raised:
        fake.load(tmp_path, "db")
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert fake.session().get(fake.url + "_all_dbs").json() == before


def test_what_is_not_utf_8_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"_id":"x"}\n{"_id":"\xff"}')
    with pytest.raises(SeedError, match=r"a\.jsonl:2: The text is not UTF-8\."):
        CouchFake().load(tmp_path / "a.jsonl", "db")


def test_a_path_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="There is no such file or folder"):
        CouchFake().load(tmp_path / "nowhere")


def test_a_database_that_was_there_is_as_before_after_a_refused_seed(tmp_path: Path) -> None:
    fake = CouchFake()
    session = fake.session()
    session.put(fake.url + "db")
    session.put(fake.url + "db/y", json={"n": 1})
    before = session.get(fake.url + "db").json()
    (tmp_path / "a.jsonl").write_text('{"_id":"x"}\n{"_id":"y"}')
    with pytest.raises(SeedError, match="has the document 'y' already"):
        fake.load(tmp_path / "a.jsonl", "db")
    assert session.get(fake.url + "db").json() == before


def test_a_seed_is_loaded_at_the_start_and_after_each_reset(tmp_path: Path) -> None:
    (tmp_path / "db.jsonl").write_text(LINES)
    fake = CouchFake(admins={"adm": "pass"}, seed=tmp_path)
    session = fake.session()
    session.auth = ("adm", "pass")
    assert session.get(fake.url + "db").json()["doc_count"] == 2
    session.put(fake.url + "db/new", json={})
    fake.reset()
    assert session.get(fake.url + "db").json()["doc_count"] == 2
