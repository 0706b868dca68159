"""The shop's server, seeded once, and a client of the application."""

import os
import sys
from pathlib import Path

import pytest
from werkzeug.test import Client

from couchfake.testing import couch_fixture

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

shop = couch_fixture("shop", seed=HERE / "seeds", scope="session")


@pytest.fixture(scope="session")
def webshop(couch_address):
    """The application, imported with the address of this run in its environment.

    In a project of your own, write ``couch_env = COUCHDB_URL`` into pytest.ini instead, and import it as usual.
    """
    os.environ["COUCHDB_URL"] = couch_address
    import webshop

    return webshop


@pytest.fixture(scope="session")
def indexed(shop):
    """The shop with its index, made once for the whole run."""
    shop.index()["by-price", "by-price"] = ["price"]
    return shop


@pytest.fixture
def client(webshop, indexed):
    """A client of the application. Each test begins with the seed."""
    return Client(webshop.app)


@pytest.fixture
def price_list(webshop, indexed):
    """The list of prices, following the changes feed while the test runs."""
    prices = webshop.PriceList()
    prices.start()
    yield prices
    prices.stop()
