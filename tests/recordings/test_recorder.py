"""``couchfake record``: what passes is recorded, can be played against another server, and holds no secret."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.cli import main
from couchfake.recordings.player import play
from couchfake.recordings.recorder import Recorder
from couchfake.recordings.target import Target
from couchfake.transports.http1 import Server

PASSWORD = "Correct-Horse-1"


@pytest.fixture
def upstream() -> Iterator[CouchFake]:
    with CouchFake(admins={"boss": PASSWORD}) as fake:
        yield fake


@pytest.fixture
def recorder(upstream: CouchFake) -> Recorder:
    return Recorder(upstream.url.replace("//", f"//boss:{PASSWORD}@"))


@pytest.fixture
def proxy(recorder: Recorder) -> Iterator[str]:
    with Server(recorder) as server:
        yield server.url + "/"


def steps_of(recorder: Recorder) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = recorder.transcript.recording("area", "a server")["scenarios"][0]["steps"]
    return steps


def replayed(recorder: Recorder) -> list[str]:
    """Play what was recorded against a fresh fake. Return what differs."""
    recording = json.loads(json.dumps(recorder.transcript.recording("area", "a server")))
    target = Target(None)
    played = play(recording["scenarios"][0], target.send, target.user)
    return [f"{step.request} {step.differences}" for step in played if step.grade != "exact"]


def test_the_client_gets_the_servers_answers(upstream: CouchFake, proxy: str) -> None:
    assert requests.put(proxy + "db", timeout=10).json() == {"ok": True}
    assert requests.head(proxy + "db", timeout=10).headers["Server"].startswith("CouchDB")
    data = bytes(range(256))
    requests.put(proxy + "db/a%2Fb/f", data=data, headers={"Content-Type": "image/png"}, timeout=10)
    answer = requests.get(proxy + "db/a%2Fb/f", timeout=10)
    assert (answer.content, answer.headers["Content-Type"]) == (data, "image/png")
    assert requests.get(upstream.url + "db/a%2Fb", auth=("boss", PASSWORD), timeout=10).status_code == 200


def test_ids_sequences_and_cookies_of_the_server_are_captured_for_later_requests(
    recorder: Recorder, proxy: str
) -> None:
    requests.put(proxy + "db", timeout=10)
    made = requests.post(proxy + "db", json={"n": 1}, timeout=10).json()
    assert requests.get(proxy + "db/" + made["id"], timeout=10).json()["n"] == 1
    since = requests.get(proxy + "db/_changes", timeout=10).json()["last_seq"]
    requests.get(proxy + "db/_changes", params={"since": since}, timeout=10)
    paths = [step["request"]["path"] for step in steps_of(recorder)]
    assert paths[2] == "/db/{{v1}}" and paths[4] == "/db/_changes?since={{v2}}"
    assert made["id"] not in json.dumps(steps_of(recorder)) and since not in json.dumps(steps_of(recorder))
    assert replayed(recorder) == []


def test_users_can_still_log_in_when_their_passwords_have_been_replaced(recorder: Recorder, proxy: str) -> None:
    user = {"name": "bob", "type": "user", "roles": [], "password": "bobs-own-secret"}
    requests.put(proxy + "_users/org.couchdb.user:bob", json=user, timeout=10)
    with requests.Session() as session:
        session.post(proxy + "_session", data={"name": "bob", "password": "bobs-own-secret"}, timeout=10)
        assert session.get(proxy + "_session", timeout=10).json()["userCtx"]["name"] == "bob"
    assert requests.get(proxy + "_session", auth=("bob", "bobs-own-secret"), timeout=10).ok
    assert requests.get(proxy + "_session", auth=("bob", "a-wrong-one"), timeout=10).status_code == 401
    text = json.dumps(steps_of(recorder))
    assert "bobs-own-secret" not in text and "a-wrong-one" not in text
    assert replayed(recorder) == []


def test_the_admins_login_becomes_that_of_whoever_plays_the_recording(recorder: Recorder, proxy: str) -> None:
    requests.post(proxy + "_session", json={"name": "boss", "password": PASSWORD}, timeout=10)
    requests.put(proxy + "db", auth=("boss", PASSWORD), timeout=10)
    source = f"http://boss:{PASSWORD}@127.0.0.1:1/db"
    requests.post(proxy + "_replicate", json={"source": source, "target": "db"}, timeout=10)
    text = json.dumps(steps_of(recorder))
    assert PASSWORD not in text and "Authorization" not in text
    assert "{{admin_name}}:{{admin_password}}@127.0.0.1" in text
    assert replayed(recorder) == []


def test_passwords_in_the_configuration_are_not_recorded(recorder: Recorder, proxy: str) -> None:
    path = proxy + "_node/_local/_config/admins/other"
    requests.put(path, json="others-own-secret", timeout=10)
    requests.get(path, timeout=10)
    text = json.dumps(steps_of(recorder))
    assert "others-own-secret" not in text and "pbkdf2" not in text


def test_a_feed_passes_line_by_line_and_is_recorded_at_its_end(recorder: Recorder, proxy: str) -> None:
    requests.put(proxy + "db", timeout=10)
    requests.put(proxy + "db/a", json={}, timeout=10)
    feed = proxy + "db/_changes?feed=continuous&limit=2&heartbeat=10000"
    with requests.get(feed, stream=True, timeout=10) as answer:
        lines = filter(None, answer.iter_lines(chunk_size=1))  # heartbeats are blank
        assert json.loads(next(lines))["id"] == "a"
        requests.put(proxy + "db/b", json={}, timeout=10)
        assert json.loads(next(lines))["id"] == "b"
        assert "last_seq" in json.loads(next(lines))
        assert list(lines) == []
    feeds = [step for step in steps_of(recorder) if "feed=continuous" in step["request"]["path"]]
    assert [step["response"]["kind"] for step in feeds] == ["jsonlines"]


def test_an_answer_that_the_client_does_not_read_to_its_end_is_counted_and_not_recorded(
    recorder: Recorder, proxy: str
) -> None:
    requests.put(proxy + "db", timeout=10)
    requests.put(proxy + "db/a", json={}, timeout=10)
    with requests.get(proxy + "db/_changes?feed=continuous&heartbeat=60000", stream=True, timeout=10) as answer:
        lines = filter(None, answer.iter_lines(chunk_size=1))
        next(lines)
        recorder.close()
        assert list(lines) == []
    assert (len(steps_of(recorder)), recorder.skipped) == (2, 1)


def test_a_server_that_does_not_answer_is_a_502(recorder: Recorder, proxy: str, upstream: CouchFake) -> None:
    with upstream.faults.drop():
        answer = requests.get(proxy, timeout=10)
    assert answer.status_code == 502 and PASSWORD not in answer.text
    assert steps_of(recorder) == []


def test_the_command_records_until_a_signal_and_the_recording_replays(
    upstream: CouchFake, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, test = tmp_path / "shop.json.gz", tmp_path / "test_shop.py"
    url = upstream.url.replace("//", f"//boss:{PASSWORD}@")
    command = [
        sys.executable,
        "-m",
        "couchfake",
        "record",
        "--upstream",
        url,
        "--out",
        str(out),
        "--as-test",
        str(test),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        proxy = process.stdout.readline().strip()
        requests.put(proxy + "shop", timeout=10)
        requests.put(proxy + "shop/apple", json={"n": 1}, timeout=10)
        requests.head(proxy + "shop/apple", timeout=10)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 0
        finally:
            process.kill()
        assert process.stdout.read() == f"3 exchanges recorded in {out}\n"
    assert main(["replay", str(out)]) == 0
    assert "PUT /shop/apple" in test.read_text(encoding="utf-8")


def test_a_file_that_cannot_be_written_is_reported_before_anything_is_recorded(
    upstream: CouchFake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = upstream.url.replace("//", f"//boss:{PASSWORD}@")
    assert main(["record", "--upstream", url, "--out", str(tmp_path / "missing" / "x.json")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
def test_json_is_json_whatever_type_the_client_gives_it(recorder: Recorder, proxy: str, content_type: str) -> None:
    user = b'{"name": "ann", "password": "geheim", "type": "user", "roles": []}'
    url = proxy + "_users/org.couchdb.user:ann"
    requests.put(url, data=user, headers={"Content-Type": content_type}, timeout=10).raise_for_status()
    step = steps_of(recorder)[0]
    assert json.loads(step["request"]["body"]) == {**json.loads(user), "password": "secret1"}
