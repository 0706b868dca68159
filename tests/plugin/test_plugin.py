"""The pytest plugin's fixtures, options and marker, run by pytest within pytest."""

from __future__ import annotations

import subprocess
import sys

import pytest
import requests

from couchfake import CouchFake

from .conftest import PLUGIN, ROOT, Run, databases, is_installed, login_url

USES_ALL = """
    import requests

    def test_database(couch, couch_db):
        couch_db["john"] = {"type": "person", "name": "John Doe"}
        assert couch_db["john"]["name"] == "John Doe"
        assert couch_db.name in list(couch)

    def test_another_database(couch, couch_db):
        assert "john" not in couch_db
        couch.create("named")
        couch.create("deleted-by-the-test")
        couch.delete("deleted-by-the-test")

    def test_url(couch_db, couch_url):
        couch_db["x"] = {"y": 1}
        answer = requests.get(couch_url + couch_db.name + "/x", timeout=10)
        assert answer.json()["y"] == 1
"""


@pytest.mark.parametrize("backend", ["in-process", "socket"])
def test_the_fixtures_give_a_fresh_server_for_each_test(backend: str, pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        USES_ALL
        + """
    def test_empty(couch):
        assert [name for name in couch if not name.startswith("_")] == []
        assert couch.version().startswith("3.")
        couch.create("left")

    test_still_empty = test_empty

    def test_fake(couchfake, couch):
        assert couchfake.session().get(couchfake.url).status_code == 200
        couch.create("here")
        assert "here" in couchfake.node.databases
    """
    )
    run("--couch-backend", backend).assert_outcomes(passed=6)


def test_in_process_nothing_listens_until_a_url_is_wanted(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    def test_it(couch, couchfake, request):
        assert couch.resource.url.startswith("http://couchfake.invalid")
        assert couchfake.url.startswith("http://couchfake.invalid")
        url = request.getfixturevalue("couch_url")
        assert url == couchfake.url != couch.resource.url
        assert couch.version()
    """
    )
    run().assert_outcomes(passed=1)


def test_the_marker_makes_the_server_that_a_test_wants(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest, requests, couchdb_client

    pytestmark = pytest.mark.couch(admins={"outer": "x"}, config={"couchdb": {"max_document_size": "50"}})

    @pytest.mark.couch(admins={"bo ss": "p@ss"})
    class TestAdmins:
        def test_logged_in(self, couch, couch_db, couch_url):
            assert couch_db.info()["doc_count"] == 0
            assert "bo%20ss:p%40ss@" in couch_url
            assert requests.get(couch_url + "_all_dbs", timeout=10).status_code == 200
            bare = couch_url.replace("bo%20ss:p%40ss@", "")
            assert requests.get(bare + "_all_dbs", timeout=10).status_code == 401

        @pytest.mark.couch(backend="socket")
        def test_socket(self, couch, couch_db):
            assert couch.resource.url.startswith("http://127.0.0.1:")

    @pytest.mark.couch(uuids=iter(["first", "second"]).__next__)
    def test_uuids(couch_db):
        assert couch_db.save({})[0] == "first"

    def test_config(couch_db):
        with pytest.raises(couchdb_client.ServerError):
            couch_db["big"] = {"text": "x" * 100}
    """
    )
    run().assert_outcomes(passed=4)


def test_more_servers_can_be_made(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest, requests

    def test_it(couch, make_couch):
        other, third = make_couch(), make_couch(admins={"a": "b"})
        other.create("db")["x"] = {}
        third.create("db")
        assert "db" not in couch
        assert "x" in other["db"] and "x" not in third["db"]
        assert requests.get(other.resource.url, timeout=10).status_code == 200

    def test_wrong(make_couch):
        with pytest.raises(pytest.UsageError, match="no backend to choose"):
            make_couch(backend="in-process")
        with pytest.raises(pytest.UsageError, match="unknown setting 'admin'"):
            make_couch(admin="x")
    """
    )
    run().assert_outcomes(passed=2)


def test_on_a_real_server_only_what_the_fixtures_made_is_touched(
    pytester: pytest.Pytester, run: Run, real: CouchFake
) -> None:
    pytester.makepyfile(
        USES_ALL
        + """
    import couchdb_client, pytest

    def test_somebodys(couch):
        with pytest.raises(couchdb_client.PreconditionFailed):
            couch.create("somebodys")

    def test_left_behind(couch, couch_db):
        assert [name for name in couch if name.startswith("couchfake-test-")] == [couch_db.name]
        assert False, "even where the test fails"
    """
    )
    result = run("--couch-url", login_url(real))
    result.assert_outcomes(passed=4, failed=1)
    assert databases(real) == ["somebodys"]
    assert "pa:s/s" not in result.stdout.str() and "pa%3As" not in result.stdout.str()


def test_on_a_real_server_what_needs_a_fake_is_skipped(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    pytester.makepyfile(
        """
    import pytest

    def test_fake(couchfake): ...
    def test_more(make_couch): ...
    @pytest.mark.couch(config={"couchdb": {"max_document_size": "1000"}})
    def test_config(couch): ...
    @pytest.mark.couch(js_engine="quickjs")
    def test_engine(couch): ...
    @pytest.mark.couch(backend="in-process", admins={"a": "b"})
    def test_always_on_a_fake(couchfake, couch_db): ...
    """
    )
    run("--couch-url", login_url(real)).assert_outcomes(passed=1, skipped=4)


def test_the_header_says_what_was_chosen_and_from_where(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile("def test_it(): ...")
    run().stdout.re_match_lines([r"couchfake: in-process \(default\), JavaScript \w+ \(default\), collation \w+"])
    pytester.makeini("[pytest]\ncouch_backend = socket\ncouch_js_engine = js2py")
    run().stdout.fnmatch_lines(
        ["couchfake: socket (ini couch_backend), JavaScript js2py (ini couch_js_engine), collation *"]
    )
    monkeypatch.setenv("COUCHFAKE_JS_ENGINE", "quickjs")
    run().stdout.fnmatch_lines(
        ["couchfake: socket (ini couch_backend), JavaScript quickjs (environment COUCHFAKE_JS_ENGINE), *"]
    )
    run("--couch-js-engine=js2py").stdout.fnmatch_lines(
        ["couchfake: *JavaScript js2py (command line --couch-js-engine)*"]
    )
    monkeypatch.setenv("COUCHFAKE_URL", "http://name:secret@db.example:5984/")
    result = run("--collect-only")
    result.stdout.fnmatch_lines(["couchfake: http://name:[*][*][*]@db.example:5984/ (environment COUCHFAKE_URL)"])
    assert "secret" not in result.stdout.str()
    run("--couch-backend=in-process").stdout.fnmatch_lines(["couchfake: in-process (command line --couch-backend), *"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--couch-backend=cloud"], "invalid choice: 'cloud'"),
        (["--couch-backend=url"], "the backend url needs one"),
        (["--couch-js-engine=v8"], "invalid choice: 'v8'"),
        (["--couch-url=localhost:5984"], "is not the URL of a CouchDB"),
        (["--couch-url=ftp://localhost"], "is not the URL of a CouchDB"),
        (["--couch-url=http://"], "is not the URL of a CouchDB"),
        (["--couch-url=http://host:notaport"], "is not the URL of a CouchDB"),
        (["--couch-url=http://host/?x=1"], "is not the URL of a CouchDB"),
        (["--couch-url=http://host/", "--couch-backend=socket"], "contradict each other"),
        (["-o", "couch_backend=cloud"], "ini couch_backend: no backend 'cloud'"),
        (["-o", "couch_js_engine=v8"], "ini couch_js_engine: no engine 'v8'"),
    ],
)
def test_wrong_configuration_is_a_usage_error(
    arguments: list[str], message: str, pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("def test_it(): ...")
    result = run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("admin={}", "unknown setting 'admin'"),
        ("'socket'", "takes names with values only"),
        ("backend='cloud'", "at test_a_wrong_marker_is_a_usage_error.py::test_it: no backend 'cloud'"),
        ("js_engine='v8'", "at test_a_wrong_marker_is_a_usage_error.py::test_it: no engine 'v8'"),
        ("backend='url'", "the backend url needs one"),
    ],
)
def test_a_wrong_marker_is_a_usage_error(marker: str, message: str, pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.couch({marker})\ndef test_it(couch): print('it ran')")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
    assert "it ran" not in result.stdout.str()


def test_a_wrong_marker_is_an_error_of_its_test_where_workers_run_it(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile("import pytest\n@pytest.mark.couch(admin={})\ndef test_it(couch): ...")
    result = run("-p", "xdist", "-n1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.couch at *: unknown setting 'admin'*"])


def test_options_of_unequal_rank_do_not_contradict(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    pytester.makepyfile("def test_it(couch): assert 'somebodys' in couch")
    pytester.makeini(f"[pytest]\ncouch_backend = socket\ncouch_url = {login_url(real)}")
    assert run().ret == pytest.ExitCode.USAGE_ERROR
    pytester.makeini("[pytest]\ncouch_backend = socket")
    run("--couch-url", login_url(real)).assert_outcomes(passed=1)


def test_the_marker_is_registered(pytester: pytest.Pytester, run: Run) -> None:
    run("--markers").stdout.fnmatch_lines(["@pytest.mark.couch(backend=...*"])
    pytester.makepyfile("import pytest\n@pytest.mark.couch(admins=None)\ndef test_it(couch): ...")
    run("--strict-markers").assert_outcomes(passed=1)


def test_workers_do_not_disturb_one_another(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    pytest.importorskip("xdist")
    pytester.makepyfile(
        """
    import pytest
    @pytest.mark.parametrize("n", range(12))
    def test_it(n, couch_db, couch_url):
        couch_db["x"] = {"n": n}
        assert couch_db["x"]["n"] == n
        assert len(couch_db) == 1
    """
    )
    result = run("-p", "xdist", "-n2")
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines(["couchfake: in-process (default)*"])
    run("-p", "xdist", "-n2", "--couch-url", login_url(real)).assert_outcomes(passed=12)
    assert databases(real) == ["somebodys"]


@pytest.mark.skipif(not is_installed(), reason="the entry point is there where the distribution is installed")
def test_the_entry_point_loads_it_and_can_be_turned_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(couch): ...")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["couchfake: in-process*"])
    result = pytester.runpytest("-p", "no:couchfake")
    result.assert_outcomes(errors=1)
    assert "couchfake:" not in result.stdout.str()


def test_a_run_without_the_fixtures_loads_neither_fake_nor_client(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(
        """
    import sys

    def test_it(pytestconfig):
        heavy = {"werkzeug", "couchfake", "couchdb_client", "requests", "quickjs", "_quickjs", "js2py", "icu"}
        assert not heavy & set(sys.modules)
        assert pytestconfig.getoption("--couch-url") is None
    """
    )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = pytester.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(passed=1)


def test_importing_the_plugin_imports_little() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules); import conftest_plugin;"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(new - sys.stdlib_module_names))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "['conftest_plugin']"


def test_settings_without_a_password_are_left_alone() -> None:
    from conftest_plugin.settings import without_password

    assert without_password("http://host:5984/a@b:c@") == "http://host:5984/a@b:c@"
    assert without_password("http://me:x@host:5984/") == "http://me:***@host:5984/"


def test_real_means_reachable_by_requests(real: CouchFake) -> None:
    assert requests.get(login_url(real) + "_all_dbs", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"couchdb": {"max_dokument_size": "5"}},
            "has no setting [couchdb] max_dokument_size; did you mean [couchdb] max_document_size?",
        ),
        ({"couchd": {"max_document_size": "5"}}, "did you mean [couchdb] max_document_size?"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest(
    pytester: pytest.Pytester, run: Run, config: dict[str, dict[str, str]], message: str
) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.couch(config={config})\ndef test_it(couch): ...")
    result = run()
    result.assert_outcomes(errors=1)
    assert message in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_settings_of_sections_with_names_of_their_own_are_taken(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.couch(config={"cors": {"origins": "*"}, "admins": {"adm": "x"}, "vhosts": {"a.example": "/db"}})
    def test_it(couchfake): ...
    """
    )
    run().assert_outcomes(passed=1)
