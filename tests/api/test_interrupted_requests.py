"""Requests that an exception cuts off, as a signal's handler raises it: all of one is done, or nothing."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from couchfake import CouchFake
from tests.interrupting import Interrupt, interrupted_at

STRIDE = 37  # lines from one cut to the next: a prime, so that the cuts of a loop fall on all of its lines

OPAQUE = re.compile(r"(\d+)-g2[\w-]+|'instance_start_time': '\d+'")
SOURCE = "function (doc) { emit(doc.n, 1); }"


class Party:
    """A fake with a database of documents of every kind."""

    def __init__(self) -> None:
        self.fake = CouchFake()
        self.session = self.fake.session()
        self("PUT", "db")
        self("PUT", "db/_design/d", {"views": {"v": {"map": SOURCE, "reduce": "_sum"}}})
        self("PUT", "db/a", {"n": 1, "_attachments": {"f": {"content_type": "text/plain", "data": "eHh4"}}})
        self.revs = {"a": self("GET", "db/a")["_rev"]}
        for rev in ("1-aa", "1-bb"):
            self("PUT", "db/forked?new_edits=false", {"_id": "forked", "_rev": rev, "n": 2})
        self("PUT", "db/_local/l", {"n": 1})
        self("GET", "db/_design/d/_view/v?reduce=false")

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.session.request(method, self.fake.url + path, json=body, **options)
        return answer.json() if answer.content else answer.status_code

    def state(self) -> Any:
        """All that another client sees; sequences without their opaque parts."""
        reads = [
            "",
            "/_changes?style=all_docs&include_docs=true&conflicts=true&attachments=true",
            "/_all_docs?include_docs=true&update_seq=true",
            "/_design/d/_view/v?reduce=false",
            "/_design/d/_view/v?group=true",
            "/_local_docs?include_docs=true",
            "/_security",
            "/_revs_limit",
            "/_purged_infos_limit",
            "/_index",
            "/forked?open_revs=all&revs=true",
        ]
        found = {"": self("GET", "_all_dbs")}
        for name in found[""]:
            if name.startswith("_"):
                continue
            found |= {
                f"{name}{read}": self("GET", name + read, headers={"Accept": "application/json"}) for read in reads
            }
        return OPAQUE.sub(r"\1", repr(found))


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Call a function in another thread, where a lock that was not released is noticed."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda function: pool.submit(function).result(timeout=30)


WRITES: dict[str, Callable[[Party], Any]] = {
    "PUT": lambda db: db("PUT", "db/a", {"_rev": db.revs["a"], "n": 5}),
    "POST": lambda db: db("POST", "db", {"_id": "posted", "n": 5}),
    "DELETE": lambda db: db("DELETE", f"db/a?rev={db.revs['a']}"),
    "COPY": lambda db: db("COPY", "db/a", headers={"Destination": "copied"}),
    "_bulk_docs": lambda db: db(
        "POST", "db/_bulk_docs", {"docs": [{"_id": "a", "_rev": db.revs["a"], "_deleted": True}, {"_id": "b", "n": 3}]}
    ),
    "new_edits=false": lambda db: db(
        "POST", "db/_bulk_docs", {"docs": [{"_id": "forked", "_rev": "2-cc", "n": 7}], "new_edits": False}
    ),
    "attachment": lambda db: db("PUT", f"db/a/g?rev={db.revs['a']}", "text"),
    "attachment deleted": lambda db: db("DELETE", f"db/a/f?rev={db.revs['a']}"),
    "design document": lambda db: db("PUT", "db/_design/e", {"validate_doc_update": "function () {}"}),
    "_local": lambda db: db("PUT", "db/_local/l", {"_rev": "0-1", "n": 2}),
    "_purge": lambda db: db("POST", "db/_purge", {"forked": ["1-bb"], "a": [db.revs["a"]]}),
    "_security": lambda db: db("PUT", "db/_security", {"admins": {"names": ["x"]}}),
    "_revs_limit": lambda db: db("PUT", "db/_revs_limit", 3),
    "_purged_infos_limit": lambda db: db("PUT", "db/_purged_infos_limit", 3),
    "_index": lambda db: db("POST", "db/_index", {"index": {"fields": ["n"]}, "name": "n", "ddoc": "n"}),
    "database created": lambda db: db("PUT", "new"),
    "database deleted": lambda db: db("DELETE", "db"),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_request_that_is_cut_off_is_done_as_a_whole_or_not_at_all(
    name: str, elsewhere: Callable[[Callable[[], Any]], Any]
) -> None:
    work = WRITES[name]
    done = Party()
    before = elsewhere(done.state)
    work(done)
    after = elsewhere(done.state)
    assert before != after
    cut = 0
    for line in itertools.count(1, STRIDE):
        party = Party()
        try:
            with interrupted_at(line):
                work(party)
        except Interrupt:
            cut += 1
        else:
            break
        found = elsewhere(party.state)
        assert found in (before, after), line
        if found == before:
            elsewhere(partial(work, party))
            assert elsewhere(party.state) == after, line
        party.fake.close()
    assert cut > 3
