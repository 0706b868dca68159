"""The pictures of the documentation. ``COUCHFAKE_PICTURES=1`` writes them into ``docs/images``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from couchfake import CouchFake

from .conftest import IMAGES, Browsing

Send = Callable[..., Any]
DDOC = {
    "_id": "_design/shop",
    "views": {
        "by_price": {"map": "function (doc) {\n  log('priced: ' + doc._id);\n  emit(doc.price, doc.name);\n}"},
    },
}


@pytest.fixture
def take(browsing: Browsing, tmp_path: Path) -> Callable[[str], None]:
    folder = IMAGES if os.environ.get("COUCHFAKE_PICTURES") else tmp_path

    def picture(name: str) -> None:
        browsing.tab.screenshot(path=folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size < 200_000

    return picture


@pytest.fixture(autouse=True)
def shop(fake: CouchFake, couch: Send) -> None:
    couch("PUT", "/shop")
    names = ["Assam", "Ceylon", "Darjeeling", "Earl Grey", "Genmaicha", "Gyokuro", "Keemun", "Lapsang", "Sencha"]
    docs = [
        {"_id": f"tea-{n + 1}", "type": "tea", "name": name, "price": 2 + n / 2, "stock": 7 * n}
        for n, name in enumerate(names)
    ]
    couch("POST", "/shop/_bulk_docs", {"docs": [*docs, DDOC]})
    base = {"type": "tea", "name": "Oolong", "price": 4}
    winning = [{**base, "price": 5}, {**base, "price": 5, "stock": 3}]
    fake.grow("shop", "tea-oolong", [base, winning, {**base, "price": 6}, None])


def test_the_picture_of_documents(browsing: Browsing, take: Callable[[str], None]) -> None:
    browsing.tab.set_viewport_size({"width": 1000, "height": 560})
    tab = browsing.go("#/db/shop")
    tab.get_by_role("link", name="tea-1").wait_for()
    take("inspector-documents")


def test_the_picture_of_a_tree(browsing: Browsing, take: Callable[[str], None]) -> None:
    browsing.tab.set_viewport_size({"width": 1000, "height": 900})
    tab = browsing.go("#/doc/shop/tea-oolong")
    tab.locator("[data-rev]", has_text="winner").locator("circle").click()
    tab.locator(".revisions .badge.winner").wait_for()
    tab.locator("[data-rev]", has_text="conflict").locator("circle").click(modifiers=["Shift"])
    tab.locator(".diff").wait_for()
    take("inspector-tree")


def test_the_picture_of_requests(browsing: Browsing, couch: Send, take: Callable[[str], None]) -> None:
    browsing.tab.set_viewport_size({"width": 1000, "height": 620})
    couch("GET", "/shop/_design/shop/_view/by_price?limit=3")
    couch("GET", "/shop/tea-white")
    couch("POST", "/shop/_find", {"selector": {"price": {"$gt": 5}}, "limit": 2})
    couch("PUT", "/shop/tea-1", {"price": 9})
    tab = browsing.go("#/requests")
    tab.locator("tbody tr", has_text="_find").click()
    tab.locator(".detail pre").first.wait_for()
    take("inspector-requests")
