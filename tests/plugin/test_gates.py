"""Gates: what a test may forbid itself."""

from __future__ import annotations

import pytest

from conftest_plugin import settings
from couchfake import CouchFake
from couchfake.control.gates import GATES

from .conftest import Run, login_url

CASES = {
    "unindexed_query": (
        "couch_db.find({'selector': {'price': {'$gt': 3}, 'kind': 'tea'}}); list(couch_db)",
        'unindexed_query: no index serves *_index {"index": {"fields": [[]"kind", "price"[]]}}',
    ),
    "max_indexed=2": (
        "couch_db.update([{'_id': str(n)} for n in range(5)]);"
        "couch_db['_design/d'] = {'views': {'v': {'map': 'function (doc) { emit(1); }'}}}; list(couch_db.view('d/v'))",
        "max_indexed: indexes of * were built over 5 documents, more than 2, by GET /*/_design/d/_view/v. *",
    ),
    "conflicts": (
        "couch_conflict(couch_db, 'tea', {'n': 1}, {'n': 2})",
        "conflicts: tea in * is left in conflict",
    ),
    "errors": ("'missing' in couch_db", "errors: HEAD */missing* 404 *"),
    "unknown_endpoint": (
        "requests.post(couch_url + couch_db.name + '/_serach', json={}, timeout=10)",
        "unknown_endpoint: POST */_serach *",
    ),
    "open_feeds": (
        "couch_db['x'] = {};"
        "answer = requests.get(couch_url + couch_db.name + '/_changes?feed=continuous', stream=True, timeout=10);"
        "lines = answer.iter_lines(1); next(lines); closed_later += [lines, answer]",
        "open_feeds: *feed=continuous* is still open",
    ),
}


@pytest.mark.parametrize("gate", CASES)
@pytest.mark.parametrize("backend", ["in-process", "socket"])
def test_a_gate_fails_the_test(pytester: pytest.Pytester, run: Run, gate: str, backend: str) -> None:
    statement, message = CASES[gate]
    pytester.makepyfile(
        f"""
    import pytest, requests

    @pytest.fixture
    def closed_later():
        answers = []
        yield answers
        for answer in answers:
            answer.close()

    @pytest.mark.couch(gates=["{gate}"])
    def test_guarded(couch_db, couch_url, couch_conflict, closed_later):
        {statement}

    def test_free(couch_db, couch_url, couch_conflict, closed_later):
        {statement}

    @pytest.mark.couch(gates=["{gate}"])
    def test_good(couch_db, couch_url):
        couch_db["tea"] = {{}}
        list(couch_db)
    """
    )
    result = run("--couch-backend", backend)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines([f"couch_gates: {message}"])


def test_gates_of_the_ini_file_hold_for_every_test(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\ncouch_gates =\n  errors\n  conflicts\n")
    pytester.makepyfile(
        """
    import pytest
    from conftest_plugin import couch_fixture

    shop = couch_fixture("shop", scope="session")

    def test_own(couch_db):
        "missing" in couch_db

    def test_wider(shop):
        "missing" in shop

    @pytest.mark.couch(gates=[])
    def test_free(couch_db):
        "missing" in couch_db

    def test_allowed(couch_db, couch_gates):
        couch_gates.allow(404, "**/missing")
        "missing" in couch_db

    def test_good(shop, couch):
        shop["x"] = {}
    """
    )
    run().assert_outcomes(passed=3, failed=2)


def test_the_fixture_alone_watches_for_errors(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    def test_it(couch_gates, couch_db):
        "missing" in couch_db

    def test_allowed(couch_gates, couch_db):
        couch_gates.allow(404)
        "missing" in couch_db
    """
    )
    run().assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("place", ["ini couch_gates", "@pytest.mark.couch at *: gates"])
@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("unindexed_qery", "there is no gate 'unindexed_qery'; did you mean 'unindexed_query'?"),
        ("zzz", "there is no gate 'zzz'; there are unindexed_query, *"),
        ("max_indexed", "'max_indexed' is written max_indexed=N, with a number of documents"),
        ("errors=3", "'errors=3' is written errors"),
    ],
)
def test_a_gate_that_does_not_exist_ends_the_run_at_its_start(
    pytester: pytest.Pytester, run: Run, place: str, gate: str, message: str
) -> None:
    marker = "" if place.startswith("ini") else f"@pytest.mark.couch(gates=['{gate}'])\n"
    pytester.makeini(f"[pytest]\ncouch_gates = {'' if marker else gate}\n")
    pytester.makepyfile(f"import pytest\n{marker}def test_it(couch_db): ...")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {place}: {message}"])


def test_the_gates_that_the_plugin_knows_are_those_that_there_are() -> None:
    assert set(settings.GATES) == set(GATES)


def test_the_summary_of_a_failed_gate_says_what_it_found(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    pytester.makeini("[pytest]\ncouch_gates = max_indexed=2\n")
    pytester.makepyfile(
        """
    def test_it(couch):
        db = couch.create("shop")
        db["_design/d"] = {"views": {"v": {"map": "function(doc) { emit(1) }"}}}
        db.update([{} for n in range(3)])
        list(db.view("d/v"))
    """
    )
    result = run("-rf")
    result.stdout.fnmatch_lines(
        ["FAILED *::test_it - Failed: couch_gates: max_indexed: indexes of shop were built over 3 documents, more*"]
    )
    remedy = "Query a smaller database, or allow it with max_indexed=3"
    assert f"more than 2, by GET /shop/_design/d/_view/v. {remedy}\n" in result.stdout.str()


def test_faults_of_the_marker_hold_for_the_test(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import couchdb_client, pytest
    from conftest_plugin import couch_fixture

    shop = couch_fixture("shop", scope="session")

    @pytest.mark.couch(faults=[{"fault": "refuse", "status": 503, "path": "/**/tea"}])
    def test_marked(couch_db):
        with pytest.raises(couchdb_client.ServerError):
            couch_db["tea"]

    def test_left_on(shop, couchfake):
        couchfake.faults.refuse(503)

    def test_after(shop):
        shop["tea"] = {}

    @pytest.mark.couch(faults=[{"fault": "explode"}])
    def test_wrong(couch_db): ...

    def test_left_on_its_own_server(couchfake):
        couchfake.faults.refuse(500)

    def test_last(shop, couchfake):
        couchfake.faults.refuse(502)
    """
    )
    result = run("-p", "no:randomly")
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*@pytest.mark.couch: faults: there is no fault 'explode'*",
            "couchfake: a fault was left on, and ended with its test: refuse 503 (*::test_left_on)",
            "couchfake: a fault was left on, and ended with its test: refuse 500 (*::test_left_on_its_own_server)",
            "couchfake: a fault was left on, and ended with its test: refuse 502 (*::test_last)",
        ]
    )


def test_faults_of_a_fixture_hold_for_all_of_its_tests(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import couchdb_client, pytest
    from conftest_plugin import couch_fixture

    shop = couch_fixture("shop", scope="session", faults=[{"fault": "refuse", "status": 503, "path": "/shop/tea"}])

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it(turn, shop):
        with pytest.raises(couchdb_client.ServerError):
            shop["tea"]
    """
    )
    run().assert_outcomes(passed=2)


def test_a_real_server_has_no_gates_and_the_header_says_so(
    pytester: pytest.Pytester, run: Run, real: CouchFake
) -> None:
    pytester.makeini("[pytest]\ncouch_gates = errors\n")
    pytester.makepyfile("def test_it(couch_db):\n    'missing' in couch_db")
    quiet = run("--couch-url", login_url(real), "--couch-trace", "run.har", "-q").stdout
    quiet.fnmatch_lines(["couchfake: without effect, since *: couch_gates, --couch-trace"])
    result = run("--couch-url", login_url(real))
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["couchfake: a real server has no request log for couchfake: gates, the requests of *"])
    assert "no request log" not in run().stdout.str()
