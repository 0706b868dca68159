"""One address for the whole run: ``couch_url``, ``couch_address``, ``couch_env`` and ``couch_intercept``."""

from __future__ import annotations

import os
import socket

import pytest

from couchfake import CouchFake

from .conftest import Run, login_url

APPLICATION = """
    import os, requests
    URL = os.environ["COUCHDB_URL"]      # read once, when this module is imported
    session = requests.Session()         # one client for the whole run

    def create(name):
        answer = session.put(URL + name, timeout=10)
        return answer.status_code, answer.json()
"""


def test_every_test_has_the_same_url_and_a_server_of_its_own(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest, requests
    urls = []

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it(turn, couch_url, couch):
        urls.append(couch_url)
        assert requests.put(couch_url + "db", timeout=10).status_code == 201
        assert "db" in couch

    def test_same():
        assert urls[0] == urls[1]
    """
    )
    run("-p", "no:randomly").assert_outcomes(passed=3)


def test_between_two_tests_the_address_answers_503_and_says_why(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import requests
    urls = []

    def test_first(couch_url):
        assert requests.get(couch_url, timeout=10).status_code == 200
        urls.append(couch_url)

    def test_second():
        answer = requests.get(urls[0], timeout=10)
        assert (answer.status_code, answer.json()["error"]) == (503, "no_test_running")
        assert "no test that uses a CouchDB fixture is running" in answer.json()["reason"]
    """
    )
    run("-p", "no:randomly").assert_outcomes(passed=2)


def test_an_application_that_reads_the_url_at_import_reaches_the_server_of_each_test(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DB", "before")
    monkeypatch.delenv("COUCHDB_URL", raising=False)
    pytester.makeini("[pytest]\ncouch_env =\n  COUCHDB_URL\n  SHOP_DB=shop\n  PLACE={host}:{port}\n")
    pytester.makepyfile(application=APPLICATION)
    pytester.makeconftest("import application")
    pytester.makepyfile(
        """
    import os, application, pytest

    @pytest.mark.parametrize("turn", [1, 2, 3])
    def test_it(turn, couch):
        assert application.create("shop") == (201, {"ok": True})
        assert "shop" in couch
        assert os.environ["SHOP_DB"] == application.URL + "shop"
        assert "http://" + os.environ["PLACE"] + "/" == application.URL

    def test_without_a_server():
        assert application.create("shop")[0] == 503
    """
    )
    run().assert_outcomes(passed=4)
    assert os.environ["SHOP_DB"] == "before"
    assert "COUCHDB_URL" not in os.environ


def test_the_environment_has_the_real_servers_url_without_its_login(
    pytester: pytest.Pytester, run: Run, real: CouchFake
) -> None:
    pytester.makeini("[pytest]\ncouch_env =\n  COUCHDB_URL\n  BOTH={admin_url}")
    pytester.makeconftest("import os\nURL = os.environ['COUCHDB_URL']")
    pytester.makepyfile(
        f"""
    import os, conftest

    def test_it(couch_url, couch_address):
        assert os.environ["COUCHDB_URL"] == conftest.URL == couch_address == {real.url!r}
        assert os.environ["BOTH"] == couch_url == {login_url(real)!r}
    """
    )
    result = run("--couch-url", login_url(real).rstrip("/"))
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["couchfake: couch_env sets COUCHDB_URL without a login: *"])


BACKENDS = ["in-process", "socket", "url"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_who_has_no_login_is_refused_and_who_asks_for_one_is_not_on_every_backend(
    pytester: pytest.Pytester, run: Run, real: CouchFake, backend: str
) -> None:
    pytester.makeini(
        "[pytest]\ncouch_env =\n  PLAIN=desk\n  TEXT=http://{host}:{port}/_all_dbs\n  ADMIN={admin_url}desk\n"
    )
    pytester.makepyfile(
        """
    import os, pytest, requests
    from couchfake.testing import couch_fixture

    desk = couch_fixture("desk", admins={"boss": "geh:eim"})

    def get(name):
        return requests.get(os.environ[name], timeout=10)

    def test_fixture(desk):
        assert get("PLAIN").status_code == get("TEXT").status_code == 401
        assert get("ADMIN").json()["db_name"] == desk.name

    @pytest.mark.couch(admins={"boss": "geh:eim"})
    def test_marker(couch, couch_address):
        assert requests.get(couch_address + "_all_dbs", timeout=10).status_code == 401
        assert get("TEXT").status_code == 401
        assert get("ADMIN").status_code == 404

    def test_nobody():
        assert "boss" not in os.environ["ADMIN"]
    """
    )
    arguments = ["--couch-url", login_url(real)] if backend == "url" else ["--couch-backend", backend]
    run("-p", "no:randomly", *arguments).assert_outcomes(passed=3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_entry_with_a_login_works_on_a_server_without_admins(
    pytester: pytest.Pytester, run: Run, backend: str
) -> None:
    pytester.makeini("[pytest]\ncouch_env = ADMIN={admin_url}")
    pytester.makepyfile(
        """
    import os, requests

    def test_it(couch):
        assert requests.get(os.environ["ADMIN"] + "_all_dbs", timeout=10).status_code == 200
    """
    )
    with CouchFake() as party:
        arguments = ["--couch-url", party.url] if backend == "url" else ["--couch-backend", backend]
        run(*arguments).assert_outcomes(passed=1)


def test_a_variable_that_a_test_changes_stays_changed_while_servers_come_and_go(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makeini("[pytest]\ncouch_env =\n  PLAIN\n  ADMIN={admin_url}")
    pytester.makepyfile(
        """
    import os, pytest

    @pytest.mark.couch(admins={"boss": "geheim"})
    def test_it(monkeypatch, request):
        monkeypatch.setenv("PLAIN", "mine")
        request.getfixturevalue("couch")
        assert os.environ["PLAIN"] == "mine"
        assert "boss:geheim@" in os.environ["ADMIN"]
    """
    )
    run().assert_outcomes(passed=1)


@pytest.mark.parametrize("entry", ["=x", "NAME=", "NAME={nothing}", "1X=desk", "A B"])
def test_a_wrong_entry_of_the_environment_is_a_usage_error(pytester: pytest.Pytester, run: Run, entry: str) -> None:
    pytester.makeini(f"[pytest]\ncouch_env = {entry}")
    pytester.makepyfile("def test_it(): ...")
    result = pytester.runpytest_subprocess("-p", "conftest_plugin")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ini couch_env: " in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_a_fixture_of_the_session_may_use_the_address(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest, requests

    @pytest.fixture(scope="session")
    def application(couch_address):
        return lambda name: requests.put(couch_address + name, timeout=10).status_code

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it(turn, application):
        assert application("db") == 201
    """
    )
    run().assert_outcomes(passed=2)


def test_feeds_of_a_test_end_with_it(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import threading, requests
    followers = []

    def test_first(couch_db, couch_url):
        begun = threading.Event()
        def follow():
            url = couch_url + couch_db.name + "/_changes?feed=continuous&heartbeat=60000&since=0"
            with requests.get(url, stream=True, timeout=60) as answer:
                for line in answer.iter_lines(chunk_size=1):
                    begun.set()
        couch_db["x"] = {}
        followers.append(threading.Thread(target=follow))
        followers[0].start()
        assert begun.wait(30)

    def test_second(couch_db):
        followers[0].join(30)
        assert not followers[0].is_alive()
    """
    )
    run("-p", "no:randomly").assert_outcomes(passed=2)


def test_connections_to_an_intercepted_address_reach_the_server_of_the_test(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makeini("[pytest]\ncouch_intercept = http://couchdb:5984")
    pytester.makepyfile(
        """
    import pytest, requests

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it(turn, couch):
        assert requests.put("http://couchdb:5984/db", timeout=10).status_code == 201
        assert "db" in couch

    @pytest.mark.couch(intercept="http://db.example:81")
    def test_marker(couch):
        assert requests.put("http://db.example:81/db", timeout=10).status_code == 201
        assert "db" in couch
    """
    )
    before = socket.getaddrinfo
    run().assert_outcomes(passed=3)
    assert socket.getaddrinfo is before


@pytest.mark.parametrize("url", ["https://couchdb:6984", "couchdb:5984", "http://"])
def test_what_cannot_be_intercepted_is_a_usage_error(pytester: pytest.Pytester, run: Run, url: str) -> None:
    pytester.makeini(f"[pytest]\ncouch_intercept = {url}")
    pytester.makepyfile("def test_it(): ...")
    result = pytester.runpytest_subprocess("-p", "conftest_plugin")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "couch_intercept: cannot intercept" in result.stderr.str()


@pytest.mark.parametrize(
    ("fixture", "instead"),
    [("couch_db", "couch_fixture('shop', scope='module')"), ("couch_url", "couch_address"), ("couchfake", "couch_fix")],
)
def test_a_fixture_in_a_wider_scope_names_the_one_to_use(
    pytester: pytest.Pytester, run: Run, fixture: str, instead: str
) -> None:
    pytester.makepyfile(
        f"""
    import pytest

    @pytest.fixture(scope="module")
    def wide({fixture}): ...

    def test_it(wide): ...
    """
    )
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{fixture} lives for one test, and a fixture of scope 'module' asked for it.*"])
    assert instead in result.stdout.str()
    assert "ScopeMismatch" not in result.stdout.str()


def test_an_entry_of_the_environment_may_have_a_login(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\ncouch_env = COUCHDB_URL=http://adm:pass@{host}:{port}/")
    pytester.makepyfile(
        """
    import os, pytest, requests

    @pytest.mark.couch(admins={"adm": "pass"})
    def test_it(couch):
        assert requests.get(os.environ["COUCHDB_URL"] + "_all_dbs", timeout=10).status_code == 200
    """
    )
    run().assert_outcomes(passed=1)
