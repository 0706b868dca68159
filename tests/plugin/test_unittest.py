"""``CouchTestCase`` under pytest."""

from __future__ import annotations

import json

import pytest

from couchfake import CouchFake

from .conftest import Run, login_url

CASE = """
    from couchfake.testing import CouchTestCase

    class TestShop(CouchTestCase):
        def test_engine(self):
            self.assertEqual(self.couchfake.node.query_server.engine_name, "js2py")
            self.couch.create("shop")
"""


def test_a_case_is_skipped_on_a_real_server(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    pytester.makepyfile(CASE)
    result = run("--couch-url", login_url(real), "-rs")
    result.assert_outcomes(skipped=1)
    assert "CouchTestCase has a fake of its own, and cannot run on a real server" in result.stdout.str()


def test_a_case_has_the_engine_of_the_run(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(CASE)
    run("--couch-js-engine", "js2py").assert_outcomes(passed=1)
    run().assert_outcomes(failed=1)


def test_a_misspelt_attribute_is_one_sentence(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    from couchfake.testing import CouchTestCase

    class TestShop(CouchTestCase):
        couch_seeed = "shop.json"

        def test_it(self): ...
    """
    )
    out = run().stdout.str()
    assert "TestShop: CouchTestCase has no attribute couch_seeed; did you mean couch_seed?" in out


def test_a_seed_that_is_not_there_is_one_sentence(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    from couchfake.testing import CouchTestCase

    class TestShop(CouchTestCase):
        couch_seed = "nothing.json"

        def test_it(self): ...
    """
    )
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E   *ValueError: TestShop: couch_seed: there is no seed /*/nothing.json (a relative path starts *"]
    )
    assert "folders.py" not in result.stdout.str()


GUARDED = """
    from couchfake.testing import CouchTestCase

    class TestShop(CouchTestCase):
        def test_missing(self):
            assert "tea" not in self.couch_db

        def test_query(self):
            self.couch_db.find({"selector": {"price": 3}})
            list(self.couch_db)

        def test_good(self):
            self.couch_db["tea"] = {}

        def test_failing(self):
            self.couch_db["coffee"] = {}
            assert False
"""


def test_gates_hold_for_the_tests_of_a_case(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\ncouch_gates =\n  errors\n  conflicts\n")
    pytester.makepyfile(
        GUARDED
        + """
        def test_conflict(self):
            self.couch_db.update([{"_id": "a", "_rev": f"1-{n}"} for n in "xy"], new_edits=False)
"""
    )
    result = run("-k", "not failing")
    result.assert_outcomes(passed=2, failed=2, deselected=1)
    result.stdout.fnmatch_lines_random(
        ["couch_gates: errors: HEAD /test/tea* 404 *", "couch_gates: conflicts: a in test is left in conflict"]
    )


def test_the_gates_of_a_class_are_those_of_its_marker(pytester: pytest.Pytester, run: Run) -> None:
    case = GUARDED.replace(
        "class TestShop", "import pytest\n    @pytest.mark.couch(gates=['unindexed_query'])\n    class TestShop"
    )
    pytester.makepyfile(case)
    result = run("-k", "not failing")
    result.assert_outcomes(passed=2, failed=1, deselected=1)
    result.stdout.fnmatch_lines(["couch_gates: unindexed_query: no index serves /test/_find *"])


def test_a_failing_case_shows_its_requests_and_is_in_the_outputs(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(GUARDED)
    result = run("--couch-html", "run.html", "--couch-trace", "run.har")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*CouchDB requests*", "PUT /test 201 *", "PUT /test/coffee 201 *"])
    assert "PUT /test/coffee 201" in (pytester.path / "run.html").read_text("utf-8")
    archive = json.loads((pytester.path / "run.har").read_text("utf-8"))["log"]
    puts = [each["request"]["url"] for each in archive["entries"] if each["request"]["method"] == "PUT"]
    assert sorted(url.rpartition("/test")[2] for url in puts) == ["", "", "", "", "/coffee", "/tea"]
