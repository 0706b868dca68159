"""The fixture ``couch_network``."""

from __future__ import annotations

import pytest

from couchfake import CouchFake

from .conftest import Run, login_url

SPLIT_BRAIN = """
    def test_split_brain(couch_network):
        oslo, rome = couch_network.server(), couch_network.server()
        shops = [server.create("shop") for server in (oslo, rome)]
        for one, other in ((oslo, rome), (rome, oslo)):
            one.replicate("shop", other.resource.url + "shop", continuous=True)
        couch_network.settle()
        couch_network.cut(oslo, rome)
        shops[0]["tea"] = {"price": 3}
        shops[1]["tea"] = {"price": 4}
        couch_network.heal()
        with couch_network.fake(oslo).clock.skip_waits(), couch_network.fake(rome).clock.skip_waits():
            couch_network.settle()
        assert shops[0]["tea"] == shops[1]["tea"]
        assert len(shops[0].get("tea", conflicts=True)["_conflicts"]) == 1
"""


def test_a_test_builds_a_split_brain(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(SPLIT_BRAIN)
    run().assert_outcomes(passed=1)


def test_it_is_skipped_on_a_real_server(pytester: pytest.Pytester, run: Run, real: CouchFake) -> None:
    pytester.makepyfile(SPLIT_BRAIN)
    run("--couch-url", login_url(real)).assert_outcomes(skipped=1)
