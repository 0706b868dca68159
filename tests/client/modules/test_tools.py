"""The command-line tools: dump, load, replicate."""

from __future__ import annotations

import argparse
import importlib.metadata
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from couchdb_client import Database, ResourceConflict, ResourceNotFound, Server, Unauthorized, json
from couchdb_client.multipart import read_multipart, write_multipart
from couchdb_client.tools import dump, load, replicate

#: What couchdb-dump of couchdb-python 1.2 writes, on Unix.
OLD_DUMP = """\
Content-Type: multipart/mixed; boundary="==3910d32a7f03471480a69a69531d0e24=="

--==3910d32a7f03471480a69a69531d0e24==
Content-ID: =?utf-8?b?w7wvYg==?=
Content-Length: 68
Content-MD5: y6MJpfJxWbYFYHeZHSvKkg==
Content-Type: application/json;charset=utf-8
ETag: "1-2acff5ec499bf1cf4a478896765b824e"

{"_id": "ü/b", "_rev": "1-2acff5ec499bf1cf4a478896765b824e", "n": 3}
--==3910d32a7f03471480a69a69531d0e24==
Content-ID: att
Content-Type: multipart/mixed; boundary="==6850ebe7a98a4c299a374f0fc373077a=="
ETag: "4-f0c9e55fce536e804c794367a6876879"

--==6850ebe7a98a4c299a374f0fc373077a==
Content-Length: 60
Content-MD5: i4O58cnAbLnlK/6q+8/T9g==
Content-Type: application/json;charset=utf-8

{"_id": "att", "_rev": "4-f0c9e55fce536e804c794367a6876879"}
--==6850ebe7a98a4c299a374f0fc373077a==
Content-ID: a.txt
Content-Length: 5
Content-MD5: XUFAKrxLKna5cZ2REBfFkg==
Content-Type: text/plain

hello
--==6850ebe7a98a4c299a374f0fc373077a==
Content-ID: empty
Content-Type: text/plain

--==6850ebe7a98a4c299a374f0fc373077a==--
--==3910d32a7f03471480a69a69531d0e24==--
"""

ATTACHMENTS = {
    "bin ü/x": ("application/octet-stream", b"\x00\x01\r\n--\n\r"),
    "a.txt": ("text/plain", b"hello" * 10_000),
    "empty": ("text/plain;charset=utf-8", b""),
    "mail": ('multipart/mixed; boundary="sep"', b"--sep\r\n\r\nx\r\n--sep--"),
}


@pytest.fixture
def dburl(couch_url: str, couch_db: Database) -> str:
    return couch_url + couch_db.name


@pytest.fixture
def filled(couch_db: Database) -> Database:
    names = ["a", "ü/b", "x" * 300, "=?utf-8?b?w7w=?="]
    couch_db.update([{"_id": name, "n": number} for number, name in enumerate(names)])
    couch_db["_design/d"] = {"views": {"v": {"map": "function (doc) { emit(doc.n, null); }"}}}
    doc: dict[str, Any] = {"_id": "att"}
    couch_db.save(doc)
    for name, (content_type, content) in ATTACHMENTS.items():
        couch_db.put_attachment(doc, content, name, content_type)
    gone: dict[str, Any] = {"_id": "gone"}
    couch_db.save(gone)
    couch_db.delete(gone)
    return couch_db


def dumped(dburl: str, **options: Any) -> bytes:
    output = BytesIO()
    dump.dump_db(dburl, output=output, **options)
    return output.getvalue()


def content_of(db: Database) -> dict[str, Any]:
    """All documents without their revisions, their attachments with their content."""
    rows = db.view("_all_docs", include_docs=True, attachments=True)
    docs = {row.id: {**row["doc"], "_rev": None} for row in rows}
    for doc in docs.values():
        attachments = doc.get("_attachments", {})
        doc["_attachments"] = {name: (info["content_type"], info["data"]) for name, info in attachments.items()}
    return docs


@pytest.mark.parametrize("bulk_size", [1, 2, 1000])
def test_a_dump_is_loaded_into_the_same_documents(
    filled: Database, couch: Server, couch_url: str, bulk_size: int
) -> None:
    copy = couch.create(f"{filled.name}-copy")
    load.load_db(BytesIO(dumped(couch_url + filled.name, bulk_size=bulk_size)), couch_url + copy.name)
    content = content_of(copy)
    assert content == content_of(filled)
    assert content["att"]["_attachments"]["a.txt"] == ("text/plain", b64encode(b"hello" * 10_000).decode())
    assert "gone" not in content


def test_a_dump_is_multipart_content(filled: Database, dburl: str) -> None:
    parts = {}
    for headers, nested, payload in read_multipart(BytesIO(dumped(dburl, boundary="sep"))):
        parts[headers["content-id"]] = headers, list(payload) if nested else json.decode(payload)
    headers, doc = parts["ü/b"]
    assert doc == filled["ü/b"]
    assert headers["etag"] == f'"{filled["ü/b"].rev}"'
    assert headers["content-type"] == "application/json;charset=utf-8"
    first, *others = parts["att"][1]
    assert json.decode(first[2]) == {"_id": "att", "_rev": filled["att"].rev}
    attachments = {headers["content-id"]: payload for headers, _, payload in others}
    assert attachments == {name: content for name, (_, content) in ATTACHMENTS.items()}


def test_documents_with_their_attachments_inline_are_dumped_without_requests(couch_db: Database) -> None:
    output = BytesIO()
    attachment = {"content_type": "text/plain", "data": b64encode(b"hi").decode()}
    with write_multipart(output) as envelope:
        dump.dump_docs(envelope, couch_db, [{"_id": "a", "_rev": "1-x", "_attachments": {"a.txt": attachment}}])
    [(_, _, parts)] = [(*part[:2], list(part[2])) for part in read_multipart(BytesIO(output.getvalue()))]
    assert parts[1][2] == b"hi"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_dump_of_couchdb_python_is_loaded(couch_db: Database, dburl: str, newline: str) -> None:
    load.load_db(BytesIO(OLD_DUMP.replace("\n", newline).encode()), dburl)
    assert couch_db["ü/b"]["n"] == 3
    assert couch_db["ü/b"].rev.startswith("1-")
    for name, content in (("a.txt", b"hello"), ("empty", b"")):
        attachment: Any = couch_db.get_attachment("att", name)
        assert attachment.read() == content


def test_loading_stops_at_a_document_that_is_refused_or_passes_over_it(
    couch_db: Database, dburl: str, capsys: pytest.CaptureFixture[str]
) -> None:
    couch_db["ü/b"] = {"n": 1}
    content = OLD_DUMP.encode()
    with pytest.raises(ResourceConflict):
        load.load_db(BytesIO(content), dburl)
    assert "att" not in couch_db
    capsys.readouterr()
    load.load_db(BytesIO(content), dburl, ignore_errors=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Loading document 'ü/b'"
    assert lines[1].startswith("Error: ")
    assert "conflict" in lines[1]
    assert lines[2] == "Loading document 'att'"
    assert couch_db["ü/b"]["n"] == 1
    assert "att" in couch_db


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (OLD_DUMP[: OLD_DUMP.index("ello")], "ends before its closing boundary"),
        (OLD_DUMP[: OLD_DUMP.index('"n": 3')], "not a document"),
        ('Content-Type: multipart/mixed; boundary="s"\n\n--s\n\n[1]\n--s--\n', "not a document"),
        ("anything else", "not a header of multipart content"),
    ],
)
def test_a_damaged_dump_is_an_error(dburl: str, content: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        load.load_db(BytesIO(content.encode()), dburl)


def test_a_login_may_be_given_apart_from_the_url(make_couch: Callable[..., Server]) -> None:
    server = make_couch(admins={"adm": "pass"}, config={"chttpd": {"require_valid_user": "true"}})
    db = server.create("private")
    db["a"] = {"n": 1}
    url = f"{server.resource.url}private"
    content = dumped(url, username="adm", password="pass")
    assert b'"n":1' in content
    with pytest.raises(Unauthorized):
        dumped(url, username="adm", password="wrong")
    del db["a"]
    load.load_db(BytesIO(content), url, "adm", "pass")
    assert db["a"]["n"] == 1


# Commands


def test_the_commands_are_installed() -> None:
    try:
        points = importlib.metadata.distribution("couchfake").entry_points.select(group="console_scripts")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("couchfake is not installed: its modules are found in the source tree")
    commands = {point.name: point for point in points}
    for name in ("couchdb-dump", "couchdb-load", "couchdb-replicate", "couchdb-load-design-doc", "couchpy"):
        assert callable(commands[name].load())


def test_dump_and_load_are_a_pipe(filled: Database, couch: Server, couch_url: str, tmp_path: Path) -> None:
    copy = couch.create(f"{filled.name}-copy")
    command = [sys.executable, "-m", "couchdb_client.tools.dump", "--bulk-size", "2", couch_url + filled.name]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"Dumping document 'a'" in done.stderr
    command = [sys.executable, "-m", "couchdb_client.tools.load", couch_url + copy.name]
    subprocess.run(command, input=done.stdout, capture_output=True, check=True)
    assert content_of(copy) == content_of(filled)


def test_load_reads_a_file(couch_db: Database, dburl: str, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(OLD_DUMP.encode())
    assert load.main(["--input", str(path), "--json-module", "json", dburl]) == 0
    assert "att" in couch_db


@pytest.mark.parametrize("main", [dump.main, load.main], ids=["dump", "load"])
def test_a_failed_command_says_why_on_one_line(
    main: Callable[[list[str]], int], couch_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dump"
    path.write_bytes(OLD_DUMP.encode())
    options = ["--input", str(path)] if main is load.main else []
    assert main([*options, couch_url + "missing"]) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"couchdb-{'load' if options else 'dump'}: error: ")
    assert "not_found" in last


@pytest.mark.parametrize("arguments", [[], ["--bogus"], ["a", "b"], ["--json-module", "yaml", "http://localhost/a"]])
def test_wrong_arguments_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        dump.main(arguments)
    assert "usage: couchdb-dump" in capsys.readouterr().err


# Replication


@pytest.fixture
def target(make_couch: Callable[..., Server]) -> Server:
    return make_couch()


@pytest.fixture
def sources(couch: Server, couch_url: str) -> str:
    """The URL of a server with three databases."""
    for name in ("blog-1", "blog-2", "wiki/x"):
        couch.create(name)["a"] = {"name": name}
    return couch_url


def test_a_database_is_replicated_to_another_server(
    sources: str, target: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replicate.main([f"{sources}blog-1", f"{target.resource.url}copy"]) == 0
    assert target["copy"]["a"]["name"] == "blog-1"
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["blog-1 -> copy", "created"]
    assert replicate.main(["--compact", f"{sources}wiki%2Fx", f"{target.resource.url}copy"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "compact copy"


def test_the_target_may_be_a_server(sources: str, target: Server) -> None:
    assert replicate.main([f"{sources}wiki%2Fx", target.resource.url]) == 0
    assert target["wiki/x"]["a"]["name"] == "wiki/x"


def test_wildcards_choose_databases(sources: str, target: Server) -> None:
    assert replicate.main([f"{sources}blog-*", target.resource.url]) == 0
    assert sorted(name for name in target if not name.startswith("_")) == ["blog-1", "blog-2"]
    assert replicate.main([f"{sources}*", target.resource.url]) == 0
    assert "wiki/x" in target


def test_a_continuous_replication_goes_on(sources: str, target: Server) -> None:
    assert replicate.main(["--continuous", f"{sources}blog-1", target.resource.url]) == 0
    [task] = target.tasks()
    assert (task["type"], task["continuous"]) == ("replication", True)


def test_credentials_go_to_the_server_that_replicates(make_couch: Callable[..., Server]) -> None:
    private = {"admins": {"adm": "p@ss/word"}, "config": {"chttpd": {"require_valid_user": "true"}}}
    source, target = make_couch(**private), make_couch(**private)
    source.create("db")["a"] = {}
    urls = [server.resource.url.replace("//", "//adm:p%40ss%2Fword@") for server in (source, target)]
    assert replicate.main([f"{urls[0]}db", urls[1]]) == 0
    assert "a" in target["db"]


@pytest.mark.parametrize(
    ("source", "destination", "text"),
    [
        ("", "", "source database must be specified"),
        ("blog-*", "copy", "target path must be empty with multiple sources"),
        ("nothing-*", "", "no source databases match glob 'nothing-*'"),
    ],
)
def test_wrong_databases_exit_with_2(
    sources: str, target: Server, source: str, destination: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        replicate.main([sources + source, target.resource.url + destination])
    assert text in capsys.readouterr().err


def test_a_server_that_is_not_couchdb_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        replicate.main(["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"])
    assert "'http://127.0.0.1:1/a' does not appear to be a CouchDB" in capsys.readouterr().err


def test_a_missing_source_is_an_error(sources: str, target: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert replicate.main([f"{sources}missing", target.resource.url]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("couchdb-replicate: error: ")
    with pytest.raises(ResourceNotFound):
        Server(sources)["missing"]


def test_a_path_is_split_into_server_and_database(couch_url: str) -> None:
    parser = argparse.ArgumentParser()
    assert replicate.findpath(parser, f"{couch_url}a%2Fb") == (couch_url, "a%2Fb")
    assert replicate.findpath(parser, couch_url) == (couch_url, "")
    assert replicate.findpath(parser, ".")[1] == ""
    assert replicate.findpath(parser, "name")[1] == "name"
