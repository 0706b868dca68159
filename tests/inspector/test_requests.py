"""Requests as they happen, in the browser, and what is copied from them."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from couchfake import CouchFake
from couchfake.cli import main

from .conftest import Browsing

Send = Callable[..., Any]
ROOT = Path(__file__).parents[2]
COPIED = "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }"


@pytest.fixture
def copied(browsing: Browsing) -> Callable[[str], str]:
    browsing.context.add_init_script(COPIED)

    def press(button: str) -> str:
        browsing.tab.evaluate("window.copied = undefined")
        browsing.tab.get_by_role("button", name=button).click()
        browsing.tab.wait_for_function("window.copied !== undefined")
        return str(browsing.tab.evaluate("window.copied"))

    return press


def test_a_request_appears_as_it_happens_with_its_bodies(browsing: Browsing, couch: Send) -> None:
    tab = browsing.go("#/requests")
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"price": 3})
    row = tab.locator("tbody tr", has_text="/shop/tea")
    row.wait_for()
    assert tab.locator("tbody tr").count() == 2  # the page's own requests are not there
    row.click()
    tab.locator(".detail pre").first.wait_for()
    assert '"price": 3' in tab.locator(".detail pre").first.inner_text()
    assert '"ok": true' in tab.locator(".detail pre").last.inner_text()


def test_requests_are_filtered(browsing: Browsing, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"price": 3})
    couch("GET", "/shop/none")
    tab = browsing.go("#/requests")
    assert tab.locator("tbody tr").count() == 3
    tab.get_by_label("Status").select_option("4xx")
    assert tab.locator("tbody tr .path").all_inner_texts() == ["/shop/none not_found: missing"]
    tab.get_by_label("Status").select_option("any status")
    tab.get_by_label("Method").select_option("PUT")
    tab.get_by_label("Filter requests").fill("tea")
    assert tab.locator("tbody tr").count() == 1


def test_a_table_that_cannot_keep_up_says_that_it_is_a_sample(browsing: Browsing, couch: Send) -> None:
    tab = browsing.go("#/requests")
    tab.get_by_role("button", name="Pause").click()
    for n in range(150):
        couch("GET", f"/db{n}")
    tab.get_by_role("button", name="Go on").click()
    tab.get_by_text("A sample: 50 of 150 requests are not shown").wait_for()
    assert tab.locator("tbody tr").count() == 100


def test_a_request_is_copied_as_curl(
    browsing: Browsing, fake: CouchFake, couch: Send, copied: Callable[[str], str]
) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"name": "it's"})
    tab = browsing.go("#/requests")
    tab.locator("tbody tr", has_text="/shop/tea").click()
    command = shlex.split(copied("Copy as curl"))
    assert command[:4] == ["curl", "-X", "PUT", fake.url + "shop/tea"]
    assert json.loads(command[-1]) == {"name": "it's"}


def test_a_request_is_copied_as_a_test_that_passes(
    browsing: Browsing,
    couch: Send,
    copied: Callable[[str], str],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    couch("POST", "/_dbs_info", {"keys": ["none"], "x": [None, True, False, 'it"s ü', 1.0, 12345678901234567890]})
    tab = browsing.go("#/requests")
    tab.locator("tbody tr").first.click()
    source = copied("Copy as Python test")
    assert "def test_post_dbs_info(couch_url: str) -> None:\n" in source
    assert '[None, True, False, "it\\"s ü", 1.0, 12345678901234567890]' in source
    pytester.makepyfile(source)
    arguments = ["-p", "conftest_plugin", "-p", "no:cacheprovider"]
    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=1)


def test_requests_are_copied_as_a_recording_that_can_be_replayed(
    browsing: Browsing, couch: Send, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {"price": 3, "n": [1.0, 12345678901234567890]})
    couch("GET", "/shop/tea")
    tab = browsing.go("#/requests")
    with tab.expect_download() as downloading:
        tab.get_by_role("button", name="Recording of these").click()
    path = tmp_path / "recording.json"
    downloading.value.save_as(path)
    recording = json.loads(path.read_text("utf-8"))
    steps = recording["scenarios"][0]["steps"]
    assert [each["request"]["path"] for each in steps] == ["/shop", "/shop/tea", "/shop/tea"]
    assert steps[2]["response"]["body"]["n"] == [1.0, 12345678901234567890]
    assert main(["replay", str(path)]) == 0
    assert "3" in capsys.readouterr().out
    steps[2]["response"]["body"]["price"] = 4
    path.write_text(json.dumps(recording), "utf-8")
    assert main(["replay", str(path)]) == 1


def test_logs_and_open_feeds_are_shown(browsing: Browsing, fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    couch("PUT", "/shop/tea", {})
    couch("PUT", "/shop/_design/d", {"views": {"v": {"map": "function (doc) { log('seen ' + doc._id); }"}}})
    couch("GET", "/shop/_design/d/_view/v")
    arguments = ("GET", "/shop/_changes?feed=longpoll&since=now&timeout=60000")
    waiting = threading.Thread(target=couch, args=arguments)
    waiting.start()
    tab = browsing.go("#/requests")
    tab.locator(".logs").get_by_text("seen tea").wait_for()
    tab.get_by_text("/shop/_changes?feed=longpoll&since=now").first.wait_for()
    fake.ask("PUT", "/shop/milk", {})
    waiting.join(10)
    assert not waiting.is_alive()


def test_curl_is_really_run(browsing: Browsing, couch: Send, copied: Callable[[str], str]) -> None:
    couch("PUT", "/shop")
    tab = browsing.go("#/requests")
    tab.locator("tbody tr").first.click()
    done = subprocess.run(shlex.split(copied("Copy as curl")), capture_output=True, text=True, timeout=20, check=True)
    assert json.loads(done.stdout)["error"] == "file_exists"
