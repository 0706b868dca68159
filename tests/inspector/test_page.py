"""How the page is served: to admins, with a strict policy, small and fast."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from conftest_plugin.inspecting import Inspected, serve
from couchfake import CouchFake
from couchfake.inspector.files import STATIC

from .conftest import WAIT, Browsing

PAGE = "/_couchfake/"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
Visit = Callable[..., requests.Response]


@pytest.fixture
def locked() -> Iterator[CouchFake]:
    with CouchFake(admins={"adm": "pass"}) as made:
        made.serve_control()
        yield made


@pytest.fixture
def visit(locked: CouchFake) -> Visit:
    def visits(path: str, **options: Any) -> requests.Response:
        options.setdefault("headers", HTML)
        return requests.get(locked.url.rstrip("/") + path, timeout=10, allow_redirects=False, **options)

    return visits


def test_the_page_is_not_there_unless_it_is_switched_on() -> None:
    with CouchFake() as fake:
        assert requests.get(fake.url.rstrip("/") + PAGE, headers=HTML, timeout=10).status_code == 404


def test_the_whole_page_is_smaller_than_150_kilobytes() -> None:
    assert sum(each.stat().st_size for each in STATIC.iterdir()) < 150_000


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    for each in STATIC.iterdir():
        addresses = re.findall(r"https?://[^\s\"'`)]+", each.read_text("utf-8"))
        assert all(address.startswith("http://www.w3.org/2000/svg") for address in addresses), each.name


def test_the_page_is_for_admins_and_shows_others_a_form(visit: Visit) -> None:
    answer = visit(PAGE)
    assert answer.status_code == 401
    assert '<form method="post"' in answer.text
    assert "WWW-Authenticate" not in answer.headers
    assert visit(PAGE, auth=("adm", "pass")).text.startswith("<!doctype html>")
    assert visit(PAGE, auth=("adm", "wrong")).status_code == 401
    assert visit(PAGE, headers={"Accept": "application/json"}).json()["error"] == "unauthorized"


def test_the_address_without_a_slash_redirects(visit: Visit, locked: CouchFake) -> None:
    answer = visit("/_couchfake", auth=("adm", "pass"))
    assert (answer.status_code, answer.headers["Location"]) == (301, locked.url + "_couchfake/")


def test_the_files_of_the_page_are_for_admins_too(visit: Visit) -> None:
    assert visit(PAGE + "static/main.js").status_code == 401
    assert visit(PAGE + "static/main.js", headers={"Accept": "*/*"}).status_code == 401
    assert visit(PAGE + "server", headers={"Accept": "*/*"}).status_code == 401
    assert visit(PAGE + "static/main.js", auth=("adm", "pass")).status_code == 200


@pytest.mark.parametrize("name", ["none.js", "..%2Ffiles.py", "%2e%2e%2ffiles.py", "index.html", "a%00.js"])
def test_no_other_file_is_served(visit: Visit, name: str) -> None:
    assert visit(PAGE + "static/" + name, auth=("adm", "pass")).status_code == 404


@pytest.mark.parametrize("path", ["", "static/main.js"])
def test_the_policy_allows_the_own_files_alone(visit: Visit, path: str) -> None:
    answer = visit(PAGE + path, auth=("adm", "pass"))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("headers", [{"Host": "attacker.example"}, {"Origin": "http://attacker.example"}])
def test_another_host_or_origin_gets_nothing(visit: Visit, headers: dict[str, str]) -> None:
    for path in ("", "static/main.js", "dump", "configuration"):
        assert visit(PAGE + path, headers=headers, auth=("adm", "pass")).status_code == 403


def test_a_file_that_has_not_changed_is_not_sent_again(visit: Visit) -> None:
    first = visit(PAGE + "static/app.css", auth=("adm", "pass"))
    headers = {"If-None-Match": first.headers["ETag"]}
    assert visit(PAGE + "static/app.css", auth=("adm", "pass"), headers=headers).status_code == 304


def test_secrets_are_not_among_the_settings(visit: Visit) -> None:
    rows = visit(PAGE + "configuration", auth=("adm", "pass")).json()
    admin = next(row for row in rows if (row["section"], row["key"]) == ("admins", "adm"))
    assert (admin["value"], admin["changed"]) == ("***", True)
    assert "pbkdf2" not in next(row for row in rows if row["section"] == "admins")["value"]


def test_a_person_logs_in_and_out(browser: Any, locked: CouchFake) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(WAIT)
    tab.goto(locked.url + "_couchfake/")
    tab.get_by_label("Name").fill("adm")
    tab.get_by_label("Password").fill("wrong")
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_text("Name or password is incorrect.").wait_for()
    tab.get_by_label("Name").fill("adm")
    tab.get_by_label("Password").fill("pass")
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_role("link", name="_users").wait_for()
    assert tab.locator("#who span").first.inner_text() == "adm"
    tab.get_by_role("button", name="Log out").click()
    tab.get_by_label("Password").wait_for()
    context.close()


def test_the_servers_of_a_run_lead_to_each_other(browser: Any) -> None:
    with CouchFake() as one, CouchFake() as other:
        other.ask("PUT", "/of-the-other")
        serve([Inspected("test_one", one), Inspected("test_other", other)])
        tab = browser.new_page()
        tab.set_default_timeout(WAIT)
        tab.goto(one.url + "_couchfake/")
        tab.locator("#who .test", has_text="test_one").wait_for()
        tab.get_by_label("Servers of failed tests").select_option("test_other")
        tab.get_by_role("link", name="of-the-other").wait_for()
        assert tab.locator("#who .test").inner_text() == "test_other"
        tab.close()


def test_the_browser_finds_nothing_that_the_policy_forbids(browsing: Browsing) -> None:
    browsing.go("#/")
    browsing.go("#/kit")  # the fixture fails if the console has an error
    assert all(url.startswith(browsing.url) for url in browsing.requested if not url.startswith("blob:"))


def test_the_first_paint_of_a_cold_server_is_measured(browser: Any, record_property: Callable[..., None]) -> None:
    """The time is only recorded (``--junit-xml`` shows it): the aim is 300 ms, which a busy machine may miss."""
    command = [sys.executable, "-m", "couchfake", "serve", "--port", "0", "--control"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        url = served.stdout.readline().strip()
        context = browser.new_context()
        tab = context.new_page()
        tab.goto(url + "_couchfake/")
        tab.get_by_role("link", name="_users").wait_for()
        paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        transferred = tab.evaluate(
            "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
            ".reduce((sum, each) => sum + each.transferSize, 0)"
        )
        context.close()
        served.terminate()
    assert paint > 0
    assert transferred < 60_000
    record_property("first_paint_ms", round(paint))
