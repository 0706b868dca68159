"""``CouchTestCase`` under pytest."""

from __future__ import annotations

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
    result.stdout.fnmatch_lines(["E   *SeedError: nothing.json: There is no such file or folder*"])
    assert "folders.py" not in result.stdout.str()
