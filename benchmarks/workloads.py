"""What clients do all day, measured in operations a second: one function for each row of the table."""

from __future__ import annotations

import json
import random
import string
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import requests

from benchmarks.servers import Reached

_random = random.Random(7)
WORDS = ["".join(_random.choices(string.ascii_lowercase, k=_random.randint(3, 10))) for _ in range(600)]

DDOC = {
    "by_city": {
        "map": "function (doc) { if (doc.type === 'person') { emit([doc.city, doc.age], doc.score); } }",
        "reduce": "_stats",
    },
    "by_tag": {"map": "function (doc) { (doc.tags || []).forEach(function (t) { emit(t, 1); }); }", "reduce": "_sum"},
    "words": {
        "map": "function (doc) { (doc.bio || '').split(' ').forEach(function (w) {"
        " if (w.length > 6) { emit(w.toUpperCase(), null); } }); }"
    },
}


def person(number: int) -> dict[str, Any]:
    """A document of about 600 bytes, the same for the same number."""
    chance = random.Random(number)
    return {
        "type": "person",
        "name": f"{chance.choice(WORDS).title()} {chance.choice(WORDS).title()}",
        "age": chance.randint(1, 99),
        "city": chance.choice(WORDS[:40]),
        "tags": chance.sample(WORDS, 5),
        "active": chance.random() < 0.5,
        "score": round(chance.random() * 1000, 3),
        "address": {
            "street": chance.choice(WORDS),
            "zip": str(chance.randint(10000, 99999)),
            "geo": [chance.uniform(-90, 90), chance.uniform(-180, 180)],
        },
        "bio": " ".join(chance.choices(WORDS, k=40)),
    }


def ok(answer: requests.Response) -> requests.Response:
    answer.raise_for_status()
    return answer


class Workloads:
    """The rows for one server. Each returns the number of operations that it did."""

    def __init__(self, server: Reached, docs: int) -> None:
        self.server = server
        self.docs = docs
        self.session = server.session()
        self.db = f"{server.url}/bench-{uuid.uuid4().hex[:8]}"
        self.small = f"{server.url}/small-{uuid.uuid4().hex[:8]}"
        self.revs: dict[str, str] = {}
        self.view = ""
        self.indexed = False

    def set_up(self) -> None:
        ok(self.session.put(self.db))
        ok(self.session.put(self.small))
        for low in range(0, self.docs, 500):
            docs = [dict(person(i), _id=f"p{i:06d}") for i in range(low, min(low + 500, self.docs))]
            ok(self.session.post(self.db + "/_bulk_docs", json={"docs": docs}))

    def create_delete_db(self) -> int:
        for _ in range(20):
            url = f"{self.server.url}/tmp-{uuid.uuid4().hex[:10]}"
            ok(self.session.put(url))
            ok(self.session.put(url + "/a", json={"x": 1}))
            ok(self.session.delete(url))
        return 20

    def put_doc(self) -> int:
        for i in range(300):
            doc_id = uuid.uuid4().hex
            self.revs[doc_id] = ok(self.session.put(f"{self.small}/{doc_id}", json=person(i))).json()["rev"]
        return 300

    def get_doc(self) -> int:
        for i in range(400):
            ok(self.session.get(f"{self.db}/p{(i * 37) % self.docs:06d}")).json()
        return 400

    def update_doc(self) -> int:
        if not self.revs:
            self.put_doc()
        chosen = list(self.revs.items())[:300]
        for doc_id, rev in chosen:
            answer = ok(self.session.put(f"{self.small}/{doc_id}", json=dict(person(1), _rev=rev)))
            self.revs[doc_id] = answer.json()["rev"]
        return len(chosen)

    def bulk_docs(self) -> int:
        for block in range(4):
            docs = [person(block * 500 + i) for i in range(500)]
            ok(self.session.post(self.small + "/_bulk_docs", json={"docs": docs}))
        return 2000

    def all_docs_include(self) -> int:
        count = 0
        for i in range(5):
            query = {"include_docs": "true", "limit": "500", "startkey": json.dumps(f"p{i * 100:06d}")}
            count += len(ok(self.session.get(self.db + "/_all_docs", params=query)).json()["rows"])
        return count

    def changes_tail(self) -> int:
        last = ok(self.session.get(self.db + "/_changes", params={"since": "now"})).json()["last_seq"]
        for _ in range(60):
            ok(self.session.get(self.db + "/_changes", params={"since": last})).json()
        return 60

    def changes_all(self) -> int:
        return len(ok(self.session.get(self.db + "/_changes")).json()["results"])

    def attachment_1mb(self) -> int:
        data = bytes(range(256)) * 4096
        for _ in range(5):
            url = f"{self.small}/{uuid.uuid4().hex}/blob.bin"
            ok(self.session.put(url, data=data, headers={"Content-Type": "application/octet-stream"}))
            if ok(self.session.get(url)).content != data:
                raise ValueError("the attachment came back changed")
        return 5

    def threads_8(self) -> int:
        def work() -> None:
            session = self.server.session()
            for i in range(40):
                url = f"{self.small}/{uuid.uuid4().hex}"
                ok(session.put(url, json=person(i)))
                ok(session.get(url))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return 640

    def view_build(self) -> int:
        name = "_design/" + uuid.uuid4().hex[:8]
        # the comment gives each round's index a signature of its own
        views = {key: dict(view, map=f"{view['map']} // {name}") for key, view in DDOC.items()}
        ok(self.session.put(f"{self.db}/{name}", json={"views": views}))
        self.view = f"{self.db}/{name}/_view"
        ok(self.session.get(self.view + "/by_tag?reduce=false&limit=1", timeout=600))
        return self.docs

    def view_key(self) -> int:
        for i in range(100):
            query = {"key": json.dumps(WORDS[i]), "reduce": "false"}
            ok(self.session.get(self.view + "/by_tag", params=query)).json()
        return 100

    def view_reduce_group(self) -> int:
        for _ in range(10):
            ok(self.session.get(self.view + "/by_city", params={"group_level": "1"})).json()
        return 10

    def view_after_write(self) -> int:
        for _ in range(30):
            doc: dict[str, Any] = {"type": "person", "city": "x", "age": 1, "score": 1}
            ok(self.session.put(f"{self.db}/w{uuid.uuid4().hex}", json=doc))
            ok(self.session.get(self.view + "/by_city", params={"startkey": '["x"]', "endkey": '["x",{}]'})).json()
        return 30

    def find_scan(self) -> int:
        selector: dict[str, Any] = {"age": {"$gt": 97}, "city": {"$regex": "^[a-m]"}}
        for _ in range(3):
            ok(self.session.post(self.db + "/_find", json={"selector": selector, "limit": 100000})).json()
        return 3 * self.docs

    def find_index(self) -> int:
        for i in range(60):
            selector: dict[str, Any] = {"city": WORDS[i % 40], "age": {"$gt": 50}}
            ok(self.session.post(self.db + "/_find", json={"selector": selector, "limit": 10})).json()
        return 60

    def before(self, row: str) -> None:
        """What a row needs and does not measure."""
        if row in ("view_key", "view_reduce_group", "view_after_write") and not self.view:
            self.view_build()
        if row == "find_index" and not self.indexed:
            index: dict[str, Any] = {"index": {"fields": ["city", "age"]}, "name": "ca", "ddoc": "ca"}
            ok(self.session.post(self.db + "/_index", json=index))
            self.find_index()
            self.indexed = True

    def rate(self, row: str) -> float:
        """Operations a second of one run of a row."""
        self.before(row)
        work: Callable[[], int] = getattr(self, row)
        started = time.perf_counter()
        return work() / (time.perf_counter() - started)


ROWS = [
    "create_delete_db", "put_doc", "get_doc", "update_doc", "bulk_docs", "all_docs_include", "changes_tail",
    "changes_all", "attachment_1mb", "threads_8", "view_build", "view_key", "view_reduce_group", "view_after_write",
    "find_scan", "find_index",
]  # fmt: skip
