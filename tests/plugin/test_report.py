"""What a failing test shows, and ``--couch-trace``."""

from __future__ import annotations

import json

import pytest

from .conftest import Run

FAILING = """
    import requests

    def test_earlier(couch_db):
        couch_db["earlier"] = {}

    def test_fails(couch_db):
        couch_db["_design/d"] = {"views": {"v": {"map": "function (doc) { log('seen ' + doc._id); throw 'no' }"}}}
        couch_db["tea"] = {"price": 3}
        list(couch_db.view("d/v"))
        "missing" in couch_db
        assert False
"""


def test_a_failing_test_shows_its_requests_and_what_functions_logged(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(FAILING)
    result = run("-p", "no:randomly")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- CouchDB requests -*",
            "PUT /couchfake-test-*/tea 201 (* ms)",
            "GET /couchfake-test-*/_design/d/_view/v* 200 (* ms)",
            "HEAD /couchfake-test-*/missing* 404 (* ms)*",
            "*- CouchDB design functions -*",
            "info: *seen tea*",
        ]
    )
    assert "earlier" not in result.stdout.str().partition("CouchDB requests")[2]


def test_the_report_can_be_turned_off(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(FAILING)
    assert "CouchDB requests" not in run("--couch-no-report").stdout.str()
    pytester.makeini("[pytest]\ncouch_no_report = true")
    assert "CouchDB requests" not in run().stdout.str()


def test_only_the_last_twenty_requests_are_shown(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    def test_it(couch_db):
        for n in range(30):
            couch_db[str(n)] = {}
        assert False
    """
    )
    section = run().stdout.str().partition("CouchDB requests")[2]
    assert "(10 earlier requests)" in section
    assert section.count("PUT /couchfake-test-") == 20


def test_a_server_of_a_wider_scope_shows_the_requests_of_the_test(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    from conftest_plugin import couch_fixture
    shop = couch_fixture("shop", scope="session")

    def test_first(shop):
        shop["first"] = {}

    def test_second(shop):
        shop["second"] = {}
        assert False
    """
    )
    section = run("-p", "no:randomly").stdout.str().partition("CouchDB requests")[2]
    assert "PUT /shop/second 201" in section
    assert "/shop/first" not in section


def test_documents_in_conflict_are_drawn(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    def test_it(couch_db, couch_conflict, couch_tree):
        tree = couch_conflict(couch_db, "tea", {"n": 1}, {"n": 2}, base={"n": 0})
        assert str(tree) == str(couch_tree(couch_db, "tea"))
        assert len(tree.conflicts) == 1
        assert False
    """
    )
    run().stdout.fnmatch_lines(["*- CouchDB documents in conflict -*", "couchfake-test-*/tea", "└─ 1-*", "   ├─ 2-*"])


def test_a_conflict_can_be_made_on_a_socket_too(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    def test_it(couch_db, couch_conflict):
        assert len(couch_conflict(couch_db, "tea", {"n": 1}, {"n": 2}).conflicts) == 1
    """
    )
    run("--couch-backend=socket").assert_outcomes(passed=1)


def test_documents_that_differ_are_compared_member_by_member(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    def test_it(couch_db):
        couch_db["tea"] = {"price": 3, "tags": ["a", "b"], "only": 1}
        assert couch_db["tea"] == {"_id": "tea", "_rev": "1-x", "price": 4, "tags": ["a", "c"], "more": {}}
    """
    )
    result = run()
    result.stdout.fnmatch_lines(
        [
            "E * documents 'tea' and 'tea' differ",
            "E * only: 1 only left",
            "E * more: {} only right",
            "E * price: 3 != 4",
            "E * tags[[]1[]]: 'b' != 'c'",
        ]
    )
    assert "_rev: " not in result.stdout.str()


def test_a_count_of_requests_that_fails_says_what_came_instead(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    def test_it(couch_db, couchfake):
        couch_db["tea"] = {}
        assert couchfake.requests.to("POST", "**/_find").count == 1
    """
    )
    run().stdout.fnmatch_lines(
        [
            "E * 0 == 1",
            "E * no request to POST [*][*]/_find; those that came, the most similar first:",
            "E * PUT /couchf*/tea *",
        ]
    )


@pytest.mark.parametrize("options", [[], ["-p", "xdist", "-n2"]])
def test_the_run_is_written_as_an_http_archive(pytester: pytest.Pytester, run: Run, options: list[str]) -> None:
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.couch(admins={"adm": "S3CRET"})
    @pytest.mark.parametrize("n", [1, 2])
    def test_it(n, couch_db):
        couch_db["tea"] = {"price": n}
    """
    )
    if options:
        pytest.importorskip("xdist")
    run("--couch-trace", "run.har", *options).assert_outcomes(passed=2)
    text = pytester.path.joinpath("run.har").read_text("utf-8")
    log = json.loads(text)["log"]
    assert log["version"] == "1.2"
    assert len(log["pages"]) == 2
    puts = [entry for entry in log["entries"] if entry["request"]["method"] == "PUT"]
    assert sorted(json.loads(entry["request"]["postData"]["text"])["price"] for entry in puts) == [1, 2]
    assert {entry["response"]["status"] for entry in puts} == {201}
    assert "S3CRET" not in text


def test_a_trace_that_cannot_be_written_is_one_sentence(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(couch): ...")
    result = run("--couch-trace", "nowhere/run.har")
    assert "--couch-trace: cannot write nowhere/run.har: No such file or directory" in result.stderr.str()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_servers_are_named_by_their_fixtures_if_several_have_something_to_show(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makeini("[pytest]\ncouch_env = COUCHDB_URL")
    pytester.makepyfile(
        """
    from couchfake.testing import couch_fixture

    shop = couch_fixture("shop", scope="session")
    stock = couch_fixture("stock")
    unused = couch_fixture("unused", scope="session")

    def test_zero(unused): ...

    def test_one(stock, couchfake):
        stock["tea"] = {}
        couchfake.faults.starting()
        assert False

    def test_two(shop, stock):
        shop["tea"] = {}
        stock["tea"] = {}
        assert False
    """
    )
    out = run("-p", "no:randomly").stdout.str()
    one, two = out.split("_ test_two _")
    assert "- CouchDB requests -" in one
    assert "(server" not in out
    assert "- CouchDB requests (fixture shop) -" in two
    assert "- CouchDB requests (fixture stock) -" in two
    assert "This test uses the servers of 2 fixtures. couch, couch_url, couchfake, COUCHDB_URL mean" in two


def test_faults_have_a_section_of_their_own(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(couchfake):\n    couchfake.faults.refuse(503, method='PUT')\n    assert False")
    run().stdout.fnmatch_lines(["*- CouchDB faults that are on -*", "refuse 503 method='PUT'"])


def test_a_refused_request_shows_the_line_of_the_test_and_none_of_the_client(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile("def test_it(couch_db):\n    couch_db['tea']")
    result = run()
    result.stdout.fnmatch_lines(
        [">       couch_db['tea']", "E       couchdb_client.errors.ResourceNotFound: GET /*/tea: *"]
    )
    assert "couchdb_client/session.py" not in result.stdout.str()
    assert "couchdb_client/session.py" in run("--full-trace").stdout.str()


def test_another_error_within_the_client_shows_where(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(couch_db):\n    couch_db.save({'a': object()})")
    assert "couchdb_client/" in run().stdout.str()
