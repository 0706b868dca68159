"""The suite of the tutorial passes as it is on each of the three backends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from .pages import ROOT, Section, sections

TUTORIAL = [each for each in sections() if each.page.name == "tutorial.md" and each.has_tests]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of ``couchfake serve`` with an admin, in the place of a real server that has a database ``shop``."""
    command = [sys.executable, "-m", "couchfake", "serve", "--port", "0", "--admin", "adm:pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip().replace("//", "//adm:pass@")
            requests.put(url + "shop", timeout=10).raise_for_status()
            requests.put(url + "shop/tea", json={"price": 99}, timeout=10).raise_for_status()
            yield url
        finally:
            server.terminate()


@pytest.mark.parametrize("backend", ["in-process", "socket", "url"])
@pytest.mark.parametrize("section", [pytest.param(each, id=each.heading) for each in TUTORIAL])
def test_the_suite_passes_on_each_backend(
    section: Section, backend: str, served: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SHOP_URL", *(name for name in os.environ if name.startswith("COUCHFAKE_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name, text in section.files():
        path = Path(pytester.path, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    monkeypatch.syspath_prepend(str(pytester.path))
    options = ["--couch-url", served] if backend == "url" else ["--couch-backend", backend]
    result = pytester.runpytest("-p", "conftest_plugin", "-p", "no:cacheprovider", "-W", "error", *options)
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    names = requests.get(served + "_all_dbs", timeout=10).json()
    assert [name for name in names if not name.startswith("_")] == ["shop"]
    assert requests.get(served + "shop/tea", timeout=10).json()["price"] == 99


def test_the_tutorial_has_an_application_and_a_seeded_suite() -> None:
    assert [each.heading for each in TUTORIAL] == ["A first test", "An application", "A seeded suite"]
