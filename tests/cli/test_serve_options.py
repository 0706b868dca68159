"""Options of ``couchfake serve`` for tests in other languages."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from couchfake import CouchFake
from couchfake.cli import main, read_settings

from .test_cli import Served

Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    started: list[Served] = []

    def serves(*arguments: str) -> Served:
        started.append(Served(*arguments))
        return started[-1]

    yield serves
    for each in started:
        each.kill()


def get(url: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=30)


def test_files_say_that_it_answers_and_where(serve: Serve, tmp_path: Path) -> None:
    served = serve("--url-file", str(tmp_path / "url"), "--ready-file", str(tmp_path / "ready"))
    assert (tmp_path / "url").read_text("utf-8") == served.url + "\n"
    assert (tmp_path / "ready").read_bytes() == b""
    assert get(served.url).status_code == 200


def test_a_file_that_cannot_be_written_is_one_line(serve: Serve, tmp_path: Path) -> None:
    served = serve("--url-file", str(tmp_path / "no" / "url"))
    _, err = served.process.communicate(timeout=30)
    assert served.process.returncode == 1
    assert err.startswith("couchfake: cannot write ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "local.ini",
            "; a comment\n[uuids]\nalgorithm = utc_random ; another\n",
        ),
        ("local.json", '{"uuids": {"algorithm": "utc_random", "max_count": 7}}'),
    ],
)
def test_settings_are_read_from_a_file(serve: Serve, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    served = serve("--config", str(tmp_path / name))
    assert get(served.url + "_node/_local/_config/uuids/algorithm").json() == "utc_random"
    if name.endswith("json"):
        assert get(served.url + "_node/_local/_config/uuids/max_count").json() == "7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key = value\n", ":1: expected a [section], or key = value"),
        ("[couchdb]\nnonsense\n", ":2: expected a [section], or key = value"),
        ('{"couchdb": ', ":1: not JSON: "),
        ('{"couchdb": 5}', "the section 'couchdb' is to be an object of keys and values"),
        ('{"couchdb": ' + "[" * 100_000, ":1: not JSON: too deep"),
        (None, ": No such file or directory"),
    ],
)
def test_a_wrong_settings_file_is_one_line_that_names_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, message: str
) -> None:
    path = tmp_path / "settings"
    if text is not None:
        path.write_text(text, "utf-8")
    assert main(["serve", "--config", str(path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"couchfake: {path}")
    assert message in err
    assert err.count("\n") == 1


def test_values_other_than_strings_are_settings_in_json(tmp_path: Path) -> None:
    path = tmp_path / "local.json"
    path.write_text('\n{"couchdb": {"a": 5, "b": true, "c": [1], "d": "x"}, "log": {}}', "utf-8")
    assert read_settings(path) == {"couchdb": {"a": "5", "b": "true", "c": "[1]", "d": "x"}, "log": {}}


def test_a_settings_file_that_is_not_utf_8_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "local.ini"
    path.write_bytes(b"[log]\nlevel = \xff\n")
    assert main(["serve", "--config", str(path)]) == 1
    assert capsys.readouterr().err == f"couchfake: {path}: not UTF-8 at byte 14\n"


def test_requests_are_logged_as_json(serve: Serve) -> None:
    served = serve("--json")
    get(served.url + "_all_dbs?source=http://adm:pass@host/")
    _, _, err = served.end(signal.SIGTERM)
    [line] = [json.loads(each) for each in err.splitlines()]
    assert line.keys() == {"client", "method", "target", "status", "size", "milliseconds"}
    assert (line["method"], line["status"]) == ("GET", 200)
    assert "pass@" not in line["target"]


def test_the_test_kit_is_served_where_it_is_asked_for(serve: Serve) -> None:
    assert get(serve("--control").url + "_couchfake/clock").json()["frozen"] is False
    assert get(serve().url + "_couchfake/clock").status_code == 404


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_open_opens_the_inspector(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = tmp_path / "browser"
    os.mkfifo(tmp_path / "opened")
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n', "utf-8")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    served = serve("--open")
    assert (tmp_path / "opened").read_text("utf-8") == served.url + "_couchfake/"
    assert get(served.url + "_couchfake/server").json()["name"] == ""


def test_a_misspelt_setting_of_the_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "local.ini"
    path.write_text("[my_program]\nurl = x\n[couchdb]\nmax_doc_size = 50\n", "utf-8")
    assert main(["serve", "--port", "0", "--config", str(path)]) == 1
    err = capsys.readouterr().err
    assert err == (
        f"couchfake: {path}: CouchDB has no setting [couchdb] max_doc_size; did you mean [couchdb] max_document_size?\n"
    )


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "serve an empty CouchDB" in capsys.readouterr().out


def test_the_inspector_is_announced_on_standard_error(serve: Serve) -> None:
    served = serve("--control")
    assert served.process.stderr is not None
    assert served.process.stderr.readline() == f"couchfake: the inspector is at {served.url}_couchfake/\n"


def test_a_url_without_a_scheme_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = tmp_path / "shop.json"
    seed.write_text("[]", "utf-8")
    assert main(["load", "localhost:5984", str(seed)]) == 1
    assert capsys.readouterr().err == (
        "couchfake: The server at localhost:5984/ does not answer: this is not the URL of a server, such as"
        " http://localhost:5984.\n"
    )


def test_loading_twice_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = tmp_path / "shop.json"
    seed.write_text('[{"_id": "tea"}]', "utf-8")
    with CouchFake() as fake:
        assert main(["load", fake.url, str(seed)]) == 0
        capsys.readouterr()
        assert main(["load", fake.url, str(seed)]) == 1
    err = capsys.readouterr().err
    assert "The server has the document 'tea' already. Delete it or its database before, or load into another" in err
    assert ".." not in err.replace(str(tmp_path), "")
