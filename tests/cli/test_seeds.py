"""``couchfake load``, ``couchfake dump`` and ``couchfake serve --seed``, as programs and called."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from couchfake import CouchFake
from couchfake.cli import main

SEED = '{"_id":"a","n":1}\n{"_id":"b","n":2}\n'


@pytest.fixture
def served() -> Iterator[CouchFake]:
    with CouchFake(admins={"adm": "pass"}) as fake:
        yield fake


def with_login(fake: CouchFake) -> str:
    return fake.url.replace("http://", "http://adm:pass@")


def test_a_seed_is_loaded_over_http_and_dumped_again(
    served: CouchFake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.jsonl").write_text(SEED)
    assert main(["load", with_login(served), str(tmp_path)]) == 0
    assert requests.get(with_login(served) + "shop/b").json()["n"] == 2
    assert main(["dump", with_login(served), str(tmp_path / "out")]) == 0
    lines = (tmp_path / "out" / "shop" / "documents.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1, 2]
    assert capsys.readouterr() == ("2 documents loaded\n2 documents written\n", "")


def test_deleted_documents_and_conflicts_are_not_counted_as_documents_of_a_dump(
    served: CouchFake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.jsonl").write_text(SEED)
    main(["load", with_login(served), str(tmp_path / "shop.jsonl")])
    gone = requests.post(with_login(served) + "shop", json={"_id": "gone"}).json()["rev"]
    requests.delete(with_login(served) + "shop/gone", params={"rev": gone}).raise_for_status()
    conflict = '{"docs":[{"_id":"a","_rev":"1-aa"}],"new_edits":false}'
    headers = {"Content-Type": "application/json"}
    requests.post(with_login(served) + "shop/_bulk_docs", data=conflict, headers=headers).raise_for_status()
    requests.put(with_login(served) + "shop/_local/checkpoint", json={}).raise_for_status()
    capsys.readouterr()
    assert main(["dump", with_login(served), str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["3 documents written", "1 deleted document written besides, so that replications know of them"]
    assert served.dump(tmp_path / "other") == 3


def test_a_file_is_loaded_into_the_named_database(served: CouchFake, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps([{"n": 1}]))
    assert main(["load", with_login(served), str(tmp_path / "data.json"), "--db", "named"]) == 0
    assert requests.get(with_login(served) + "named").json()["doc_count"] == 1


def test_a_refused_seed_leaves_no_database_behind(
    served: CouchFake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "first.jsonl").write_text(SEED)
    (tmp_path / "second.jsonl").write_text('{"_id":"a"}\n{"_id":"a"}\n')
    assert main(["load", with_login(served), str(tmp_path)]) == 1
    assert requests.get(with_login(served) + "_all_dbs").json() == ["_replicator", "_users"]
    assert "second.jsonl:2: The server has the document 'a' already. Delete it" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["load", "dump"])
def test_a_wrong_password_and_no_server_are_one_line(
    served: CouchFake, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "shop.jsonl").write_text(SEED)
    path = str(tmp_path if command == "load" else tmp_path / "out")
    assert main([command, with_login(served).replace("pass", "secret"), path]) == 1
    refused = capsys.readouterr().err
    url = with_login(served)
    served.stop()
    assert main([command, url, path]) == 1
    unreachable = capsys.readouterr().err
    assert "401 unauthorized" in refused
    assert "does not answer: no connection can be made" in unreachable
    assert all(len(text.splitlines()) == 1 and "adm" not in text for text in (refused, unreachable))


def test_serve_begins_with_its_seed(tmp_path: Path) -> None:
    (tmp_path / "shop.jsonl").write_text(SEED)
    command = [sys.executable, "-m", "couchfake", "serve", "--port", "0", "--seed", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        count = requests.get(url + "shop").json()["doc_count"]
        process.terminate()
    assert count == 2


def test_serve_says_what_is_wrong_with_its_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.jsonl").write_text(SEED + "{")
    assert main(["serve", "--port", "0", "--seed", str(tmp_path)]) == 1
    assert "shop.jsonl:3: The line is not JSON" in capsys.readouterr().err
