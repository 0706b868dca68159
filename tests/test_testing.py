"""``couchfake.testing``: a CouchDB for tests without pytest."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import unittest

import pytest
import requests

from couchfake import CouchFake
from couchfake.testing import CouchTestCase, running


def outcome(case: type[unittest.TestCase]) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return result


def test_a_block_has_a_server_whose_url_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUCHDB_URL", "before")
    with running(env="COUCHDB_URL", admins={"adm": "p/s"}) as fake:
        assert os.environ["COUCHDB_URL"] == fake.url.replace("//", "//adm:p%2Fs@")
        assert requests.get(os.environ["COUCHDB_URL"] + "_all_dbs", timeout=10).status_code == 200
    assert os.environ["COUCHDB_URL"] == "before"
    with pytest.raises(requests.ConnectionError):
        requests.get(fake.url, timeout=10)


def test_the_server_ends_with_a_block_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUCHDB_URL", raising=False)
    with pytest.raises(KeyError, match="mine"), running(env=["COUCHDB_URL"]):
        raise KeyError("mine")
    assert "COUCHDB_URL" not in os.environ


def test_a_decorated_function_has_a_server_each_time_it_runs() -> None:
    @running(intercept="http://couchdb:5984")
    def create() -> int:
        return requests.put("http://couchdb:5984/db", timeout=10).status_code

    assert [create(), create()] == [201, 201]


def test_an_argument_that_the_server_does_not_take_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUCHDB_URL", raising=False)
    with pytest.raises(ValueError, match="cannot intercept"), running(env="COUCHDB_URL", intercept="https://x"):
        pass
    assert "COUCHDB_URL" not in os.environ


def test_a_test_case_has_a_server_and_its_tests_do_not_see_one_another() -> None:
    class TestShop(CouchTestCase):
        couch_admins = {"adm": "pass"}
        couch_config = {"couchdb": {"max_document_size": "100"}}
        couch_env = "SHOP_URL"

        def test_first(self) -> None:
            self.couch_db["x"] = {}
            assert len(self.couch_db) == 1

        test_second = test_first

        def test_url(self) -> None:
            assert os.environ["SHOP_URL"] == self.couch_url
            assert requests.get(self.couch_url + "_all_dbs", timeout=10).json() == ["_replicator", "_users"]
            answer = requests.put(self.couch_url + "db", timeout=10)
            assert answer.status_code == 201
            assert isinstance(self.couchfake, CouchFake)

    result = outcome(TestShop)
    assert (result.testsRun, result.failures, result.errors) == (3, [], [])


def test_a_test_case_may_be_asynchronous() -> None:
    class TestShop(CouchTestCase, unittest.IsolatedAsyncioTestCase):
        async def test_it(self) -> None:
            answer = await asyncio.to_thread(requests.put, self.couch_url + "db", timeout=10)
            assert answer.status_code == 201
            assert "db" in self.couch

        test_again = test_it

    result = outcome(TestShop)
    assert (result.testsRun, result.failures, result.errors) == (2, [], [])


def test_a_test_case_counts_the_requests_of_each_test() -> None:
    class TestShop(CouchTestCase):
        def test_first(self) -> None:
            self.couch.create("shop")
            assert self.couchfake.requests.to("PUT", "/shop").count == 1

        test_second = test_first

    result = outcome(TestShop)
    assert (result.testsRun, result.failures, result.errors) == (2, [], [])


def test_a_test_case_does_without_the_context_of_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(unittest.TestCase, "enterClassContext", raising=False)  # Python 3.10 has none
    monkeypatch.delenv("SHOP_URL", raising=False)

    class TestShop(CouchTestCase):
        couch_env = "SHOP_URL"

        def test_it(self) -> None:
            assert os.environ["SHOP_URL"] == self.couch_url

    result = outcome(TestShop)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])
    assert "SHOP_URL" not in os.environ


def test_couch_fixture_is_imported_without_the_server_and_running_without_pytest() -> None:
    program = """
import sys
from couchfake.testing import couch_fixture
assert not {"couchfake.app", "couchdb_client", "werkzeug", "requests"} & set(sys.modules)
shop = couch_fixture("shop")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    program = """
import sys
from couchfake.testing import CouchTestCase, running
import couchfake
assert couchfake.running is running and couchfake.testing.running is running and couchfake.CouchFake
assert not {"pytest", "_pytest", "conftest_plugin"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    with pytest.raises(ImportError, match="couch_fixtures"):
        from couchfake.testing import couch_fixtures  # noqa: F401
