"""The plugin on a real server (here a fake on a socket), and passwords kept out of the output."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from couchfake import CouchFake

from .conftest import Run, databases, login_url


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """A port that answers every connection with these bytes, or never with None."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = []

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                held.append(client)
                if answer is not None:
                    client.recv(65536)
                    client.sendall(answer)
                    client.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://adm:S3CRET@127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        for client in held:
            client.close()


def test_a_server_that_cannot_be_reached_ends_the_run_with_one_sentence(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(couch_db): ...\ndef test_two(couch_db): ...")
    result = run("--couch-url", "http://adm:S3CRET@127.0.0.1:1/", "-l", "-vv", "--tb=long")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: command line --couch-url: http://adm:[*][*][*]@127.0.0.1:1/ cannot be reached: Connection refused"]
    )
    assert "S3CRET" not in result.stdout.str() + result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_server_that_is_not_couchdb_ends_the_run(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(couch_db): ...")
    with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as url:
        result = run("--couch-url", url)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: command line --couch-url: *does not answer as a CouchDB does"])


def test_a_server_that_never_answers_ends_the_run(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(couch_db): ...")
    pytester.makeconftest("import conftest_plugin.real_server as real_server\nreal_server.CHECK_TIMEOUT = 0.05")
    with listening(None) as url:
        result = run("--couch-url", url)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: command line --couch-url: *did not answer within 0.05 seconds"])


def test_a_wrong_password_is_tried_once(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    pytester.makepyfile(*["def test_a(couch): ...\ndef test_b(couch_db): ...\n" * 4])
    result = run("--couch-url", real.url.replace("//", "//adm:S3CRET@"), "-l", "--tb=long")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: command line --couch-url: *refuses this name and password: *"])
    assert "S3CRET" not in result.stdout.str() + result.stderr.str()
    attempts = pytester.runpytest("-p", "conftest_plugin", "--couch-url", login_url(real))
    attempts.assert_outcomes(passed=2)  # the account is not locked


def test_the_workers_of_xdist_do_not_try_a_wrong_password(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile("def test_a(couch): ...\ndef test_b(couch_db): ...")
    result = run("-p", "xdist", "-n2", "--couch-url", real.url.replace("//", "//adm:S3CRET@"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "S3CRET" not in result.stdout.str() + result.stderr.str()


def test_a_run_that_uses_no_fixture_does_not_ask_the_server(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(): ...")
    run("--couch-url", "http://127.0.0.1:1/").assert_outcomes(passed=1)


@pytest.mark.parametrize("options", [["-l", "-vv", "--tb=long"], ["--tb=native", "-l"], ["--tb=short"], ["-rA", "-s"]])
def test_no_failure_shows_the_password(
    pytester: pytest.Pytester, run: Run, real: CouchFake, options: list[str]
) -> None:
    pytester.makepyfile(
        """
    import logging, pytest, requests

    def test_locals(couch, couch_url, couch_admin):
        login = tuple(couch_admin)
        token = requests.auth._basic_auth_str(*login)
        logging.error("token %s", token)
        assert couch_url == "", (login, token)

    def test_error(couch):
        couch["missing"]

    @pytest.fixture
    def broken(couch_url):
        raise ValueError(couch_url)

    def test_setup(broken): ...

    def test_skipped(couch_url):
        pytest.skip(couch_url)

    def test_refused(couch_url):
        requests.get(couch_url + "missing", timeout=10).raise_for_status()

    def test_settings(request, couch):
        settings = request.config.stash
        credentials = couch.resource.session
        assert repr(settings) + repr(credentials) + repr(couch) == ""
    """
    )
    result = run("--couch-url", login_url(real), *options)
    result.assert_outcomes(failed=4, errors=1, skipped=1)
    output = result.stdout.str() + result.stderr.str()
    for secret in ("pa:s/s", "pa%3As%2Fs", "YWRtOnBhOnMvcw"):
        assert secret not in output


def test_a_malformed_url_is_reported_without_its_password(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(): ...")
    result = run("--couch-url", "http://adm:S3CRET@host:notaport/")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "S3CRET" not in result.stdout.str() + result.stderr.str()


def test_tests_with_an_admin_run_with_the_login_of_the_url(
    pytester: pytest.Pytester, run: Run, real: CouchFake
) -> None:
    pytester.makepyfile(
        """
    import pytest, requests

    @pytest.mark.couch(admins={"boss": "secret"})
    def test_marked(couch, couch_admin, couch_url):
        assert requests.get(couch_url + "_all_dbs", auth=tuple(couch_admin), timeout=10).status_code == 200
        assert couch_admin.name in ("boss", "adm")

    def test_without_a_marker(couch_admin, couch_url):
        host = couch_url.rpartition("@")[2]
        assert requests.get("http://" + host + "_all_dbs", timeout=10).status_code == 401
        assert requests.get("http://" + host + "_all_dbs", auth=tuple(couch_admin), timeout=10).status_code == 200
    """
    )
    run().assert_outcomes(passed=2)
    run("--couch-url", login_url(real)).assert_outcomes(passed=2)
    with CouchFake() as party:
        run("--couch-url", party.url).assert_outcomes(skipped=2)


def test_configuration_is_changed_where_it_is_allowed_and_put_back(
    pytester: pytest.Pytester, run: Run, real: CouchFake
) -> None:
    real.node.config.set("uuids", "max_count", "77")
    pytester.makepyfile(
        """
    import couchdb_client, pytest

    @pytest.mark.couch(config={"couchdb": {"max_document_size": "50"}, "uuids": {"max_count": 5}})
    def test_it(couch_db):
        with pytest.raises(couchdb_client.ServerError):
            couch_db["big"] = {"text": "x" * 100}

    def test_after(couch_db):
        couch_db["big"] = {"text": "x" * 100}
    """
    )
    run("--couch-url", login_url(real)).assert_outcomes(passed=1, skipped=1)
    run("--couch-url", login_url(real), "--couch-allow-config", "-p", "no:randomly").assert_outcomes(passed=2)
    assert real.node.config.shown("uuids", "max_count") == "77"
    assert real.node.config.shown("couchdb", "max_document_size") is None


def test_databases_of_the_application_are_deleted_by_their_prefix_and_others_named(
    pytester: pytest.Pytester, run: Run, real: CouchFake
) -> None:
    pytester.makepyfile(
        """
    import requests

    def test_it(couch_url, couch_db):
        for name in ("shop-orders", "strange"):
            assert requests.put(couch_url + name, timeout=10).status_code == 201

    def test_again(couch_url):
        assert requests.put(couch_url + "shop-orders", timeout=10).status_code == 201
    """
    )
    result = run("--couch-url", login_url(real), "--couch-prefix", "shop-", "-p", "no:randomly")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["couchfake: left on the real server, not made by a fixture (see couch_prefix): strange"]
    )
    assert databases(real) == ["somebodys", "strange"]


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("admins=['a:b']", "admins must be a dict of names and passwords"),
        ("admins={'a': 5}", "admins must be a dict of names and passwords"),
        ("config={'couchdb': 'x'}", "config must be a dict of sections"),
        ("config=[]", "config must be a dict of sections"),
        ("clock=5", "clock must be a datetime, at which the clock is frozen, or a function, not 5"),
        ("uuids='x'", "uuids must be a number, a seed, or a function without arguments"),
        ("intercept=5", "intercept is a URL or a list of URLs"),
    ],
)
def test_a_wrong_type_in_a_marker_is_one_sentence_that_names_the_test(
    pytester: pytest.Pytester, run: Run, marker: str, message: str
) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.couch({marker})\ndef test_it(couch): ...")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    error = result.stderr.str()
    assert "::test_it: " + message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("early", ["", "couch_env = COUCHDB_URL\n"])
def test_a_url_without_the_login_that_the_server_needs_is_one_sentence(
    pytester: pytest.Pytester, run: Run, real: CouchFake, early: str
) -> None:
    pytester.makeini(f"[pytest]\n{early}")
    pytester.makepyfile("def test_it(couch): ...")
    result = run("--couch-url", real.url)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: command line --couch-url: http://127*: the URL has no login, and * needs one: *"]
    )
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_a_login_that_is_not_an_admins_is_one_sentence(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    user = {"_id": "org.couchdb.user:bob", "name": "bob", "password": "pw", "roles": [], "type": "user"}
    real.load_documents({"_users": [user]})
    pytester.makepyfile("def test_it(couch): ...")
    result = run("--couch-url", real.url.replace("//", "//bob:pw@"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: command line --couch-url: *: 'bob' is not a server admin there: give an admin*"]
    )


@pytest.mark.parametrize("on", ["a fake", "a real server"])
def test_the_application_finds_the_databases_of_a_fixture(
    pytester: pytest.Pytester, run: Run, real: CouchFake, on: str
) -> None:
    for name in ("shop", "users"):
        path = pytester.path / "seeds" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text('[{"_id": "tea"}]', "utf-8")
    pytester.makeini(
        "[pytest]\ncouch_env =\n  SHOP_VIEW={admin_url}shop/_all_docs\n  SERVER={admin_url}\n  OTHER=other\n  PLAIN\n"
    )
    pytester.makeconftest(
        "from couchfake.testing import couch_fixture\n"
        "server = couch_fixture(seed='seeds', scope='module')\nshop = couch_fixture('shop')"
    )
    pytester.makepyfile(
        """
    import os, requests

    def test_neither():
        assert os.environ["SHOP_VIEW"] == os.environ["SERVER"] + "shop/_all_docs"
        assert os.environ["OTHER"] == os.environ["PLAIN"] + "other"

    def test_all(server, couch_name):
        assert requests.get(os.environ["SHOP_VIEW"], timeout=10).json()["total_rows"] == 1
        assert len(server[couch_name("shop")]) == len(server[couch_name("users")]) == 1
        assert couch_name("other") == "other"

    def test_one(shop, couch_name):
        assert couch_name("shop") == shop.name
        assert requests.get(os.environ["SHOP_VIEW"], timeout=10).json()["total_rows"] == 0
    """
    )
    options = ["--couch-url", login_url(real)] if on == "a real server" else []
    run("-p", "no:randomly", *options).assert_outcomes(passed=3)
    assert databases(real) == ["somebodys"]


def test_users_that_the_client_adds_are_removed_and_others_are_named(
    pytester: pytest.Pytester, run: Run, real: CouchFake
) -> None:
    pytester.makepyfile(
        """
    import couchdb_client

    def test_it(couch, couch_url):
        couch.add_user("temporary", "pw")
        couch.add_user("removed-by-the-test", "pw")
        couch.remove_user("removed-by-the-test")
        couchdb_client.Server(couch_url).add_user("of-the-application", "pw")
    """
    )
    result = run("--couch-url", login_url(real))
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["couchfake: users left on the real server: of-the-application"])
    rows = real.ask("GET", "/_users/_all_docs")["rows"]
    assert [row["id"] for row in rows] == ["_design/_auth", "org.couchdb.user:of-the-application"]
