"""The inspector in a real browser: the system's Chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from couchfake import CouchFake

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT = 10_000  # milliseconds after which a test gives up
IMAGES = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture(scope="module")  # not longer: its event loop runs in this thread, where other modules run their own
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the dependency group browser is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake() as made:
        made.serve_control()
        yield made


class Browsing:
    """A page of the inspector. Collects what the browser complains of."""

    def __init__(self, context: Any, url: str) -> None:
        self.context = context
        self.url = url
        self.tab = context.new_page()
        self.tab.set_default_timeout(WAIT)
        self.errors: list[str] = []
        self.requested: list[str] = []
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", self._note)
        self.tab.on("request", lambda request: self.requested.append(request.url))

    def _note(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def go(self, address: str = "#/") -> Any:
        """Open a panel, and wait until it is complete."""
        self.tab.goto(self.url + "_couchfake/" + address)
        self.tab.wait_for_selector(".panel[data-ready]")
        return self.tab

    def ready(self) -> None:
        self.tab.wait_for_selector(".panel[data-ready]")


@pytest.fixture
def browsing(browser: Any, fake: CouchFake) -> Iterator[Browsing]:
    context = browser.new_context(viewport={"width": 1200, "height": 800}, accept_downloads=True)
    opened = Browsing(context, fake.url)
    yield opened
    context.close()
    assert opened.errors == []


@pytest.fixture
def couch(fake: CouchFake) -> Iterator[Callable[..., Any]]:
    """Sends a request as an application does, and gives the answer's JSON."""
    with requests.Session() as session:
        session.trust_env = False

        def send(method: str, path: str, json: Any = None, **options: Any) -> Any:
            answer = session.request(method, fake.url.rstrip("/") + path, json=json, timeout=10, **options)
            return answer.json() if answer.content else None

        yield send
