"""The command line: served URL, request log, signals, and errors in one line."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from couchfake import __version__
from couchfake.cli import main, without_secrets

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "couchfake", *arguments]


class Served:
    """A ``couchfake serve`` in a process of its own; ``url`` is what it printed."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            command("serve", "--port", "0", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def end(self, number: int) -> tuple[int, str, str]:
        """(exit status, further output, errors) after a signal."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served("--admin", "adm:pa:ss", "--admin", "second:other", "-v")
    yield made
    made.kill()


def test_it_serves_logs_and_ends_by_signal_silently(served: Served) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", served.url)
    with requests.Session() as client:
        client.trust_env = False
        assert client.get(served.url).json()["couchdb"] == "Welcome"
        client.auth = ("adm", "pa:ss")
        assert client.put(served.url + "db").status_code == 201
        assert client.put(served.url + "db/a%2Fb", json={}, auth=("second", "other")).status_code == 201
        assert client.put(served.url + "db2", auth=("adm", "wrong")).status_code == 401
        client.get(served.url + "db?source=http://adm:pa:ss@127.0.0.1/x")
        status, out, err = served.end(signal.SIGTERM)
    assert (status, out) == (0, "")
    lines = err.splitlines()
    assert re.fullmatch(r"127\.0\.0\.1 GET / 200 \d+ [\d.]+ms", lines[0])
    assert re.fullmatch(r"127\.0\.0\.1 PUT /db/a%2Fb 201 \d+ [\d.]+ms", lines[2])
    assert len(lines) == 5
    assert "pa:ss" not in err and "Basic" not in err


def test_the_garbage_collector_runs_rarely_while_it_serves() -> None:
    served = Served()
    try:
        with requests.Session() as client:
            client.trust_env = False

            def collections() -> int:
                count: int = client.get(f"{served.url}_node/_local/_system").json()["garbage_collection_count"]
                return count

            client.put(f"{served.url}db")
            before = collections()
            client.post(f"{served.url}db/_bulk_docs", json={"docs": [{"tags": [n]} for n in range(5000)]})
            assert collections() - before < 10  # for 40,000 objects that stay
    finally:
        served.kill()


def test_control_c_ends_it_cleanly_with_a_feed_open() -> None:
    served = Served()
    try:
        requests.put(served.url + "db", timeout=10)
        with requests.get(served.url + "db/_changes?feed=continuous&heartbeat=60000", timeout=10, stream=True):
            assert served.end(signal.SIGINT) == (0, "", "")
    finally:
        served.kill()


def test_messages_of_design_functions_are_logged_with_verbose() -> None:
    served = Served("-v")
    try:
        requests.put(served.url + "db", timeout=10)
        views = {"v": {"map": "function (doc) { log('looking at ' + doc._id); nothing(); }"}}
        requests.put(served.url + "db/_design/d", json={"views": views}, timeout=10)
        requests.put(served.url + "db/doc", json={}, timeout=10)
        assert requests.get(served.url + "db/_design/d/_view/v", timeout=30).json()["rows"] == []
        _, _, err = served.end(signal.SIGTERM)
    finally:
        served.kill()
    assert "INFO" in err and "looking at doc" in err
    assert "ReferenceError" in err and "_design/d" in err


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            command("serve", "--port", str(port)), capture_output=True, text=True, cwd=ROOT, timeout=30, check=False
        )
    assert result.returncode == 1
    assert result.stdout == ""
    assert (
        result.stderr
        == f"couchfake: cannot listen on 127.0.0.1:{port}: Address already in use; --port 0 takes any free one\n"
    )


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"couchfake {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["unknown"],
        ["serve", "--port", "x"],
        ["serve", "--port", "65536"],
        ["serve", "--port", "-1"],
        ["serve", "--admin", "geheim"],
        ["serve", "--admin", ":geheim"],
        ["serve", "--js-engine", "v8"],
    ],
)
def test_a_wrong_command_is_a_usage_error_that_repeats_no_password(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    output = capsys.readouterr().err
    assert output.startswith("usage: couchfake")
    assert "geheim" not in output


def test_an_engine_that_is_not_installed_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "js2py" else find_spec(name))
    assert main(["serve", "--js-engine", "js2py"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("target", "output"),
    [
        ("/db/_changes?since=1", "/db/_changes?since=1"),
        ("/x?source=http://adm:pass@host/db", "/x?source=http://***@host/db"),
        ("/x?source=http%3A%2F%2Fadm%3Apass%40host%2Fdb", "/x?source=http%3A%2F%2F***@host%2Fdb"),
        ("/_session?next=/a&password=x;y=1", "/_session?next=/a&password=***;y=1"),
        ("/db/a@b//c", "/db/a@b//c"),
    ],
)
def test_the_log_shows_no_logins(target: str, output: str) -> None:
    assert without_secrets(target) == output


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_listening_beyond_loopback_is_warned_of_in_one_line(host: str, warned: bool) -> None:
    served = Served("--host", host)
    try:
        _, _, errors = served.end(signal.SIGTERM)
    finally:
        served.kill()
    assert errors.startswith(f"couchfake: warning: listening on {host}") == warned
    assert len(errors.splitlines()) == warned
