"""What is dumped and loaded again is the same."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings

from couchfake import CouchFake
from couchfake.control.seeds.documents import SeedError

from .conftest import Asked
from .test_snapshot_properties import WRITES, Write, play

DDOC = {
    "_id": "_design/app",
    "language": "javascript",
    "views": {
        "by_n": {"map": "function (doc) {\n  emit(doc.n, 1);\n}", "reduce": "_sum"},
        "lib": {"twice": "exports.twice = 2;\r\n"},
    },
    "validate_doc_update": "function () {}\n\n",
    "rewrites": [{"from": "a", "to": "b"}],
    "autoupdate": False,
    "empty": {},
    "odd name": "in a file of its own",
}


def content(couch: Asked) -> dict[str, Any]:
    """What a dump has of a server: for each database what does not come from the order of writes."""
    databases = couch.state()["databases"]
    kept = ("leaves", "local", "security", "limit")
    return {
        name: {each: state[each] for each in kept}
        | {"props": state["info"]["props"], "q": state["info"]["cluster"]["q"]}
        for name, state in databases.items()
        if name != "_global_changes"
    }


def files(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture
def filled(couch: Asked) -> Asked:
    """Two databases with all that a database can hold."""
    couch.ask("PUT", "db?q=2")
    couch.ask("PUT", "parted%2Fone?partitioned=true")
    couch.ask("PUT", "parted%2Fone/a:1", {"n": 1})
    couch.ask("PUT", "db/_revs_limit", 50)
    couch.ask("PUT", "db/_security", {"admins": {"names": ["ann"], "roles": []}, "odd": [1.5]})
    couch.ask("POST", "db/_bulk_docs", {"docs": [DDOC, {"_id": "_design/odd.name", "x.y": {"a/b": 1}}]})
    couch.ask("POST", "db/_index", {"index": {"fields": ["n"]}, "name": "n"})
    couch.ask("PUT", "db/_design/gone", {})
    couch.ask("DELETE", f"db/_design/gone?rev={couch.ask('GET', 'db/_design/gone')['_rev']}")
    for n in range(3):
        rev = couch.ask("PUT", f"db/doc-{n}", {"n": n, "big": 12345678901234567890, "text": "é\u2028\U0001f600"})["rev"]
        couch.ask("PUT", f"db/doc-{n}", {"_rev": rev, "n": 1.0})
    couch.ask("DELETE", f"db/doc-2?rev={couch.ask('GET', 'db/doc-2')['_rev']}")
    data = base64.b64encode(b"inline").decode()
    forked = [
        {"_id": "doc-1", "_rev": f"3-{letter * 32}", "n": letter, "_attachments": {"a": {"data": data}}}
        for letter in "ab"
    ]
    couch.ask("POST", "db/_bulk_docs", {"docs": forked, "new_edits": False})
    for docid in ("with%2Fslash", "..", "CON", "case", "CASE", "x" * 300):
        for name in ("a/b.txt", "..", "c"):
            rev = couch.ask("GET", f"db/{docid}").get("_rev")
            path = f"db/{docid}/{quote(name, safe='')}" + (f"?rev={rev}" if rev else "")
            couch.request("PUT", path, data=docid.encode() + b"\r\n", headers={"Content-Type": "text/plain"})
    for _ in range(3):
        couch.ask(
            "PUT", "db/_local/checkpoint", {"seq": 1, "_rev": couch.ask("GET", "db/_local/checkpoint").get("_rev")}
        )
    couch.ask("PUT", "_users/org.couchdb.user:ann", {"name": "ann", "password": "a", "type": "user", "roles": []})
    return couch


def test_what_was_dumped_is_loaded_as_it_was(filled: Asked, tmp_path: Path) -> None:
    filled.fake.dump(tmp_path / "dump")
    other = CouchFake(clock=lambda: 1_700_000_000.0)
    other.load(tmp_path / "dump")
    assert content(Asked(other, other.session)) == content(filled)


def test_a_dump_of_what_was_loaded_is_the_same_byte_for_byte(filled: Asked, tmp_path: Path) -> None:
    filled.fake.dump(tmp_path / "one")
    other = CouchFake()
    other.load(tmp_path / "one")
    other.dump(tmp_path / "two")
    assert files(tmp_path / "two") == files(tmp_path / "one")


def test_code_and_attachments_are_files_and_documents_are_lines(filled: Asked, tmp_path: Path) -> None:
    filled.fake.dump(tmp_path / "dump")
    database = tmp_path / "dump" / "db"
    code = database / "_design" / "app" / "views" / "by_n" / "map.js"
    assert code.read_text() == "function (doc) {\n  emit(doc.n, 1);\n}\n"
    assert (database / "_attachments" / "with%2Fslash" / "a%2Fb.txt").read_bytes() == b"with%2Fslash\r\n"
    lines = [json.loads(line) for line in (database / "documents.jsonl").read_text().splitlines()]
    ids = [line["_id"] for line in lines if not line["_id"].startswith("_local/")]
    assert ids == sorted(ids)
    assert ids.count("doc-1") == 3
    assert json.loads((database / "_database.json").read_text()) == {"q": 2, "revs_limit": 50}


def test_a_dump_replaces_an_earlier_one_and_nothing_else(filled: Asked, tmp_path: Path) -> None:
    filled.fake.dump(tmp_path / "dump")
    filled.ask("DELETE", "db")
    filled.fake.dump(tmp_path / "dump")
    assert not (tmp_path / "dump" / "db").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(SeedError, match="what is there is not a dump"):
        filled.fake.dump(tmp_path / "mine")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dump", "mine"]


@settings(max_examples=40, deadline=None)
@given(WRITES)
def test_any_database_is_loaded_as_it_was_dumped(writes: list[Write]) -> None:
    fake, other = CouchFake(clock=lambda: 1_700_000_000.0), CouchFake(clock=lambda: 1_700_000_000.0)
    couch = Asked(fake, fake.session)
    play(couch, [("PUT", "a", None), *writes])
    with tempfile.TemporaryDirectory() as folder:
        fake.dump(Path(folder, "dump"))
        other.load(Path(folder, "dump"))
    assert content(Asked(other, other.session)) == content(couch)
