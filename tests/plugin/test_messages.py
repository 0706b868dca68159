"""Messages name the place and what to do."""

from __future__ import annotations

import pytest

from .conftest import Run


def test_a_flag_of_the_ini_file_that_is_not_yes_or_no_names_itself(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\ncouch_no_report = maybe")
    pytester.makepyfile("def test_it(): ...")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: ini couch_no_report: *'maybe'*"])


def test_a_wrong_setting_of_a_couch_fixture_names_the_fixture(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    from couchfake.testing import couch_fixture

    shop = couch_fixture("shop", js_engine="v8")

    def test_it(shop): ...
    """
    )
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["couch_fixture shop: no engine 'v8'; there are quickjs, js2py"])
    assert "UsageError" not in result.stdout.str()


def test_pytests_own_messages_call_a_couch_fixture_so(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    from couchfake.testing import couch_fixture

    shop = couch_fixture("shop", scope="forever")

    def test_it(shop): ...
    """
    )
    out = run().stdout.str()
    assert "forever" in out
    assert "'made'" not in out


def test_a_seed_beside_a_conftest_is_named_from_the_root(pytester: pytest.Pytester, run: Run) -> None:
    folder = pytester.mkpydir("sub")
    (folder / "shop.json").write_text("[]", "utf-8")
    (folder / "conftest.py").write_text(
        "from couchfake.testing import couch_fixture\nshop = couch_fixture('shop', seed='shop.json')\n", "utf-8"
    )
    (folder / "test_it.py").write_text("def test_it(shop): ...\n", "utf-8")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "couch_fixture shop: there is no seed */shop.json (* starts at pytest's root directory);"
            " write seed='sub/shop.json'"
        ]
    )


def test_a_couch_fixture_of_a_narrow_scope_names_the_scope_that_it_needs(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest
    from couchfake.testing import couch_fixture

    shop = couch_fixture("shop")

    @pytest.fixture(scope="session")
    def full(shop): ...

    def test_it(full): ...
    """
    )
    result = run()
    result.stdout.fnmatch_lines(
        ["shop is a couch_fixture of scope 'function', * shop = couch_fixture(..., scope='session')"]
    )
    assert "ScopeMismatch" not in result.stdout.str()


def test_trees_and_conflicts_are_there_for_fixtures_of_the_session(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest
    from couchfake.testing import couch_fixture

    shop = couch_fixture("shop", scope="session")

    @pytest.fixture(scope="session")
    def conflict(shop, couch_conflict, couch_tree):
        couch_conflict(shop, "tea", {"n": 1}, {"n": 2})
        return couch_tree(shop, "tea")

    def test_it(conflict):
        assert "1-" in str(conflict)
    """
    )
    run().assert_outcomes(passed=1)


def test_the_address_without_a_socket_is_explained_to_whom_it_failed(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("import requests\ndef test_it(couch):\n    requests.get(couch.resource.url, timeout=10)\n")
    run().stdout.fnmatch_lines(["*- CouchDB address -*", "*Give other programs the fixture couch_url *"])
