"""``couch_fixture``: servers that are made and seeded once, and begin every test in the same state."""

from __future__ import annotations

import pytest

from couchfake import CouchFake

from .conftest import Run, databases, login_url

SHOP = """
    import pytest
    from conftest_plugin import couch_fixture

    shop = couch_fixture("shop", scope="{scope}")
"""


@pytest.mark.parametrize("scope", ["session", "package", "module", "class", "function"])
@pytest.mark.parametrize("backend", ["in-process", "socket"])
def test_what_a_test_writes_is_undone(pytester: pytest.Pytester, run: Run, scope: str, backend: str) -> None:
    pytester.makeconftest(
        SHOP.format(scope=scope)
        + f"""
    @pytest.fixture(scope="{scope}")
    def stocked(shop):
        shop["tea"] = {{"price": 3}}
        return shop
    """
    )
    pytester.makepyfile(
        """
    import pytest

    @pytest.fixture
    def own(stocked):
        stocked["coffee"] = {"price": 4}

    class TestShop:
        @pytest.mark.parametrize("turn", [1, 2, 3])
        def test_it(self, turn, own, stocked, couch, couch_url, couchfake):
            assert sorted(stocked) == ["coffee", "tea"]
            stocked["tea"] = {"_rev": stocked["tea"].rev, "price": 5}
            assert stocked["tea"].rev.startswith("2-")
            couch.create("more")
            assert "shop" in couch
            assert couchfake.node.databases["shop"]
    """
    )
    run("--couch-backend", backend).assert_outcomes(passed=3)


def test_the_server_is_made_once_in_its_scope(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(SHOP.format(scope="session"))
    pytester.makepyfile(
        """
    seen = set()

    def test_first(couchfake, shop):
        seen.add(id(couchfake))

    def test_second(shop, couchfake):
        seen.add(id(couchfake))
        assert len(seen) == 1
    """
    )
    run("-p", "no:randomly").assert_outcomes(passed=2)


def test_a_failing_test_leaves_the_next_one_untouched(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(SHOP.format(scope="session"))
    pytester.makepyfile(
        """
    def test_first(shop):
        shop["x"] = {}
        raise KeyError("in the middle")

    def test_second(shop):
        assert list(shop) == []
    """
    )
    run("-p", "no:randomly").assert_outcomes(failed=1, passed=1)


def test_a_server_that_a_test_reaches_in_other_ways_is_rolled_back_too(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(SHOP.format(scope="session"))
    pytester.makepyfile(
        """
    kept = []

    def test_first(request):
        shop = request.getfixturevalue("shop")
        shop["x"] = {}
        kept.append(shop)

    def test_second():
        assert list(kept[0]) == []
        kept[0]["y"] = {}

    def test_third(shop):
        assert list(shop) == []
    """
    )
    run("-p", "no:randomly").assert_outcomes(passed=3)


def test_the_fixture_runs_once_with_each_of_its_params(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    from conftest_plugin import couch_fixture

    server = couch_fixture(
        scope="module", params=[{"backend": "in-process"}, {"backend": "socket", "admins": {"adm": "pass"}}],
        ids=["in-process", "socket"],
    )

    def test_it(server, request):
        server.create("db")
        assert ("127.0.0.1" in server.resource.url) == ("socket" in request.node.name)
    """
    )
    result = run("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_it[[]socket[]] PASSED*"])


def test_the_application_reaches_the_server_of_a_wider_scope(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\ncouch_env = COUCHDB_URL")
    pytester.makeconftest(SHOP.format(scope="session"))
    pytester.makepyfile(
        """
    import os, pytest, requests

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it(turn, shop):
        url = os.environ["COUCHDB_URL"] + "shop/x"
        assert requests.put(url, json={"turn": turn}, timeout=10).status_code == 201
        assert shop["x"]["turn"] == turn

    def test_other(couch):
        assert requests.get(os.environ["COUCHDB_URL"] + "shop", timeout=10).status_code == 404
    """
    )
    run().assert_outcomes(passed=3)


def test_two_servers_in_one_test_are_apart(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    from conftest_plugin import couch_fixture

    one = couch_fixture("one", scope="session")
    two = couch_fixture("two", scope="module")

    def test_it(one, two, couch):
        one["x"] = {}
        assert "x" not in two
        assert "one" in couch and "two" not in couch
    """
    )
    run().assert_outcomes(passed=1)


def test_a_marker_cannot_change_a_server_that_was_made_before(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest(SHOP.format(scope="session"))
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.couch(admins={"adm": "pass"})
    def test_it(shop, couch): ...
    """
    )
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.couch at *test_it: the test's server is that of *shop*"])


def test_a_seed_is_loaded_once_and_every_test_begins_with_it(
    pytester: pytest.Pytester, run: Run, real: CouchFake
) -> None:
    pytester.path.joinpath("shop.json").write_text('[{"_id": "tea", "price": 3}]')
    pytester.makeconftest(
        """
    from conftest_plugin import couch_fixture
    shop = couch_fixture("shop", seed="shop.json", scope="session")
    """
    )
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.parametrize("turn", [1, 2, 3])
    def test_it(turn, shop):
        assert {docid: shop[docid]["price"] for docid in shop} == {"tea": 3}
        shop["coffee"] = {"price": 4}
    """
    )
    run().assert_outcomes(passed=3)
    run("--couch-url", login_url(real)).assert_outcomes(passed=3)
    assert databases(real) == ["somebodys"]


def test_a_seed_that_cannot_be_read_is_one_sentence(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    pytester.path.joinpath("shop.json").write_text('[{"_id": "tea", ')
    pytester.makepyfile(
        """
    from conftest_plugin import couch_fixture
    shop = couch_fixture("shop", seed="shop.json")
    def test_it(shop): ...
    """
    )
    for options in ([], ["--couch-url", login_url(real)]):
        result = run(*options)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["**shop.json:1: The text is not JSON*"])


def test_workers_have_servers_of_their_own(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("xdist")
    pytester.makeini("[pytest]\ncouch_env = COUCHDB_URL")
    pytester.makeconftest(SHOP.format(scope="session"))
    pytester.makepyfile(
        """
    import os, pytest, requests

    @pytest.mark.parametrize("turn", range(12))
    def test_it(turn, shop):
        url = os.environ["COUCHDB_URL"] + "shop/x"
        assert requests.put(url, json={"turn": turn}, timeout=10).status_code == 201
        assert shop["x"]["turn"] == turn
    """
    )
    run("-p", "xdist", "-n2").assert_outcomes(passed=12)


def test_requests_are_counted_for_each_test_on_a_shared_server(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest
    from conftest_plugin import couch_fixture

    shop = couch_fixture("shop", scope="module")

    @pytest.fixture(scope="module")
    def full(shop):
        shop["early"] = {}      # in the first test's setup, and of no test
        return shop

    @pytest.fixture
    def one(full):
        full["one"] = {}

    @pytest.mark.parametrize("turn", range(3))
    def test_it(turn, full, one, couchfake):
        assert couchfake.requests.to("PUT").count == 1
        full["two"] = {}
        assert couchfake.requests.to("PUT").count == 2
        assert [each.document for each in couchfake.requests.all if each.method == "PUT"] == \
            ["early"] + ["one", "two"] * (turn + 1)
    """
    )
    run("-p", "no:randomly").assert_outcomes(passed=3)


@pytest.mark.parametrize("scope", ["session", "function"])
def test_a_marker_has_faults_and_gates_for_one_test_on_a_fixtures_server(
    pytester: pytest.Pytester, run: Run, scope: str
) -> None:
    pytester.makeconftest(
        f"from conftest_plugin import couch_fixture\nshop = couch_fixture('shop', scope={scope!r}, gates=['conflicts'])"
    )
    pytester.makepyfile(
        """
    import pytest, couchdb_client

    refused = pytest.mark.couch(faults=[{"fault": "refuse", "status": 507, "method": "PUT"}])

    @refused
    def test_refused(shop):
        with pytest.raises(couchdb_client.ServerError):
            shop["tea"] = {}

    def test_not_refused(shop, couchfake):
        shop["tea"] = {}
        assert len(couchfake.faults) == 0

    @pytest.mark.couch(gates=["errors"])
    def test_gate(shop):
        assert "missing" not in shop

    def test_no_gate(shop):
        assert "missing" not in shop

    def test_gate_of_the_fixture(shop, couch_conflict):
        couch_conflict(shop, "tea", {"n": 1}, {"n": 2})

    @pytest.mark.couch(gates=[])
    def test_none(shop, couch_conflict):
        couch_conflict(shop, "tea", {"n": 1}, {"n": 2})
    """
    )
    result = run("-p", "no:randomly")
    result.assert_outcomes(passed=4, failed=2)
    out = result.stdout.str()
    assert "errors: HEAD /shop/missing 404" in out or "errors: GET /shop/missing 404" in out
    assert "conflicts: tea in shop is left in conflict" in out
    assert "was left on" not in out


def test_other_settings_of_a_marker_are_refused_on_a_fixtures_server(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    import pytest
    from conftest_plugin import couch_fixture

    shop = couch_fixture("shop", scope="session")

    @pytest.mark.couch(admins={"a": "b"}, gates=["errors"])
    def test_it(shop): ...
    """
    )
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture shop, which was made before: give admins to couch_fixture"])


TWO_SERVERS = """
    import pytest, requests
    from couchfake.testing import couch_fixture

    a = couch_fixture("a")
    b = couch_fixture("b")
    m = couch_fixture("m", scope="module")

    def names(url):
        return [name for name in requests.get(url + "_all_dbs", timeout=10).json() if not name.startswith("_")]
"""


def test_the_first_fixture_of_the_widest_scope_has_the_address(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        TWO_SERVERS
        + """
    def check(couch, url, name):
        assert [name for name in couch if not name.startswith("_")] == names(url) == [name]

    def test_ab(a, b, couch, couch_url):
        check(couch, couch_url, "a")

    def test_ba(b, a, couch, couch_url):
        check(couch, couch_url, "b")

    def test_am(a, m, couch, couch_url):
        check(couch, couch_url, "m")

    def test_address(a, couch_address, b, couch):
        check(couch, couch_address, "a")
    """
    )
    run("-p", "no:randomly").assert_outcomes(passed=4)


def test_a_test_without_a_server_gets_503_whatever_ran_before(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeini("[pytest]\ncouch_env = COUCHDB_URL")
    pytester.makepyfile(
        TWO_SERVERS
        + """
    import os

    @pytest.mark.parametrize("turn", ["before", "after"])
    class TestTurns:
        def test_none(self, turn):
            answer = requests.get(os.environ["COUCHDB_URL"], timeout=10)
            assert (answer.status_code, answer.json()["error"]) == (503, "no_test_running")

        def test_dynamic(self, turn, request):
            request.getfixturevalue("m")
            self.test_none(turn)

        def test_module(self, turn, m):
            assert names(os.environ["COUCHDB_URL"]) == ["m"]
    """
    )
    run("-p", "no:randomly").assert_outcomes(passed=6)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("couch_tree('db', 'tea')", "couch_tree takes a couchdb_client.Database, such as couch_db, not 'db'"),
        ("couch_conflict('db', 'x', {})", "couch_conflict takes a couchdb_client.Database, such as couch_db, not 'db'"),
        ("couch_network.cut(couch_network.server(), 'b')", "couch_network takes the clients *, not 'b'"),
    ],
)
def test_a_wrong_argument_of_a_fixture_is_one_sentence(
    pytester: pytest.Pytester, run: Run, statement: str, message: str
) -> None:
    pytester.makepyfile(f"def test_it(couch_tree, couch_conflict, couch_network):\n    {statement}")
    result = run()
    result.stdout.fnmatch_lines([f">       {statement}", f"E       TypeError: {message}"])
    assert "fixtures.py" not in result.stdout.str()


def test_a_name_that_is_no_databases_is_one_sentence(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
    from couchfake.testing import couch_fixture

    shop = couch_fixture("Shop")

    def test_it(shop): ...
    """
    )
    result = run()
    result.stdout.fnmatch_lines(["*couch_fixture shop: 'Shop' is not a database's name: a lowercase letter*"])
    assert "node.py" not in result.stdout.str()
