"""Design documents from directories."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from couchdb_client import Database, json
from couchdb_client.loader import DuplicateKeyError, load_design_doc

FILES = {
    "_id": "_design/blog\n",
    "language": "javascript",
    "views/by_date/map.js": "function (doc) { emit(doc.date, 'ä'); }\r\n",
    "filters/posts.js": "function (doc, req) { return true; }",
    "options.json": '{"partitioned": false}',
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return tmp_path


def test_files_and_directories_become_members(directory: Path) -> None:
    assert load_design_doc(directory) == {
        "_id": "_design/blog\n",
        "language": "javascript",
        "views": {"by_date": {"map": FILES["views/by_date/map.js"]}},
        "filters": {"posts": FILES["filters/posts.js"]},
        "options": {"partitioned": False},
    }


def test_a_stripped_document_can_be_saved(directory: Path, couch_db: Database) -> None:
    doc = load_design_doc(str(directory), strip=True)
    assert doc["_id"] == "_design/blog"
    couch_db.save(doc)
    couch_db["a"] = {"date": "2024-02-29"}
    assert [row.value for row in couch_db.view("blog/by_date")] == ["ä"]


def test_the_predicate_leaves_files_and_directories_out(directory: Path) -> None:
    doc = load_design_doc(directory, predicate=lambda path: not path.endswith(("filters", "map.js")))
    assert sorted(doc) == ["_id", "language", "options", "views"]
    assert doc["views"] == {"by_date": {}}


def test_two_files_for_one_member_are_an_error(directory: Path) -> None:
    (directory / "language.txt").write_text("x")
    with pytest.raises(DuplicateKeyError, match=r"language.txt duplicates 'language'"):
        load_design_doc(directory)
    (directory / "language.txt").unlink()
    (directory / "filters.js").write_text("x")
    with pytest.raises(DuplicateKeyError, match="duplicates 'filters'"):
        load_design_doc(directory)


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No directory"):
        load_design_doc(tmp_path / "missing")


def test_the_command_prints_the_document(directory: Path) -> None:
    command = [sys.executable, "-m", "couchdb_client.loader"]
    done = subprocess.run([*command, str(directory)], capture_output=True, check=True)
    assert json.decode(done.stdout) == load_design_doc(directory)
    failed = subprocess.run([*command, str(directory / "missing")], capture_output=True, check=False, text=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith("couchdb-load-design-doc: error: No directory")
