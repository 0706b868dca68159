from __future__ import annotations

from typing import Any

import pytest

from couchfake.app import CouchFake
from couchfake.values.collation import Collator


@pytest.fixture(scope="session")
def collator() -> Collator:
    return Collator()


class Couch:
    """A server and one database, spoken to as a client would."""

    def __init__(self, fake: CouchFake, name: str, query: str = "") -> None:
        self.fake = fake
        self.session = fake.session()
        self.url = f"{fake.url}{name}"
        self.name = name
        assert self.session.put(self.url + query).status_code == 201

    def post(self, path: str, body: Any) -> dict:
        return self.session.post(f"{self.url}/{path}", json=body).json()

    def save(self, *docs: dict) -> None:
        results = self.session.post(f"{self.url}/_bulk_docs", json={"docs": docs}).json()
        assert all("ok" in result for result in results), results

    def find(self, selector: dict, **options: object) -> dict:
        return self.post("_find", {"selector": selector, **options})

    def ids(self, selector: dict, **options: object) -> list[str]:
        return [doc["_id"] for doc in self.find(selector, fields=["_id"], limit=1000, **options)["docs"]]

    def explain(self, selector: dict, **options: object) -> dict:
        return self.post("_explain", {"selector": selector, **options})

    def index(self, *fields: object, name: str | None = None, **options: object) -> dict:
        name = name or "-".join(map(str, fields))
        definition: dict[str, object] = {"fields": list(fields)}
        if "partial_filter_selector" in options:
            definition["partial_filter_selector"] = options.pop("partial_filter_selector")
        return self.post("_index", {"index": definition, "ddoc": name, "name": name, **options})


@pytest.fixture
def couch() -> Couch:
    return Couch(CouchFake(), "stock")


@pytest.fixture
def partitioned() -> Couch:
    return Couch(CouchFake(), "stock", "?partitioned=true")
