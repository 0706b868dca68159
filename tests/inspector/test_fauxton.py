"""A build of Fauxton at ``/_utils/``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from couchfake import CouchFake
from couchfake.cli import main


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "js").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Fauxton</title>", "utf-8")
    (folder / "js" / "bundle.js").write_text("1", "utf-8")
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    os.symlink(tmp_path / "secret.txt", folder / "link.txt")
    return folder


@pytest.fixture
def fake(build: Path) -> Iterator[CouchFake]:
    with CouchFake(admins={"adm": "pass"}) as made:
        made.serve_fauxton(build)
        yield made


def get(fake: CouchFake, path: str, **headers: str) -> requests.Response:
    return requests.get(fake.url.rstrip("/") + path, headers=headers, timeout=10, allow_redirects=False)


def test_without_a_build_a_line_of_text_says_that_there_is_none() -> None:
    with CouchFake() as fake:
        assert "is not part of it" in get(fake, "/_utils/").text


def test_files_are_served_to_everybody_with_the_policy(fake: CouchFake) -> None:
    page = get(fake, "/_utils/")
    assert "Fauxton" in page.text
    assert page.headers["Content-Type"] == "text/html"
    assert page.headers["Cache-Control"] == "private, must-revalidate"
    assert page.headers["Content-Security-Policy"] == (
        "child-src 'self' data: blob:; default-src 'self'; img-src 'self' data:; font-src 'self';"
        " script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    )
    assert get(fake, "/_utils/js/bundle.js").headers["Content-Type"] == "application/javascript"
    modified = page.headers["Last-Modified"]
    assert get(fake, "/_utils/", **{"If-Modified-Since": modified}).status_code == 304


def test_the_address_without_a_slash_redirects(fake: CouchFake) -> None:
    answer = get(fake, "/_utils")
    assert (answer.status_code, answer.headers["Location"]) == (301, fake.url + "_utils/")


def test_the_policy_is_a_setting(fake: CouchFake) -> None:
    fake.ask("PUT", "/_node/_local/_config/csp/utils_header_value", "default-src 'none'")
    assert get(fake, "/_utils/").headers["Content-Security-Policy"] == "default-src 'none'"
    fake.ask("PUT", "/_node/_local/_config/csp/utils_enable", "false")
    assert "Content-Security-Policy" not in get(fake, "/_utils/").headers


@pytest.mark.parametrize("path", ["none.js", "js", "..%2Fsecret.txt", "%2e%2e/secret.txt", "link.txt", "js/%00"])
def test_nothing_else_is_served(fake: CouchFake, path: str) -> None:
    assert get(fake, "/_utils/" + path).status_code == 404


def test_it_stays_after_a_reset(fake: CouchFake) -> None:
    fake.reset()
    assert "Fauxton" in get(fake, "/_utils/").text


def test_a_folder_without_a_page_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "0", "--fauxton", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"couchfake: {tmp_path} has no index.html: it is not a build of Fauxton\n"
