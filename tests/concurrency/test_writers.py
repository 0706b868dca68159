"""Many who write at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from .conftest import Client, Couch

WRITERS = 8


Write = Callable[[Client, int, "str | None"], int]
"""One edit of ``/doc``, by its revision if it has one: the status of the answer."""


def put(client: Client, number: int, rev: str | None) -> int:
    return client("PUT", "/doc", {"n": number, **({"_rev": rev} if rev else {})}).status_code


def post(client: Client, number: int, rev: str | None) -> int:
    return client("POST", "", {"_id": "doc", "n": number, **({"_rev": rev} if rev else {})}).status_code


def bulk(client: Client, number: int, rev: str | None) -> int:
    document = {"_id": "doc", "n": number, **({"_rev": rev} if rev else {})}
    [row] = client.json("POST", "/_bulk_docs", {"docs": [document]})
    return 201 if row.get("ok") else {"conflict": 409}[row["error"]]


def copy(client: Client, number: int, rev: str | None) -> int:
    destination = f"doc?rev={rev}" if rev else "doc"
    return client("COPY", "/source", headers={"Destination": destination}).status_code


def attach(client: Client, number: int, rev: str | None) -> int:
    return client("PUT", f"/doc/file{f'?rev={rev}' if rev else ''}", data=b"%d" % number).status_code


@pytest.mark.parametrize("write", [put, post, bulk, copy, attach], ids=lambda write: write.__name__)
def test_of_eight_writers_of_one_document_one_wins_each_round_and_the_others_conflict(
    write: Write, couch: Couch
) -> None:
    couch.db.json("PUT", "/source", {"n": 0})
    rev: str | None = None
    for generation in range(1, 7):
        statuses: list[int] = []

        def work(client: Client, number: int, rev: str | None = rev, statuses: list[int] = statuses) -> None:
            statuses.append(write(client, number, rev))

        couch.at_once(*(partial(work, number=number) for number in range(WRITERS)))
        assert Counter(statuses) == {201: 1, 409: WRITERS - 1}
        found = couch.db.json("GET", "/doc?revs=true&conflicts=true")
        rev = found["_rev"]
        assert found["_revisions"]["start"] == len(found["_revisions"]["ids"]) == generation
        assert "_conflicts" not in found


def test_of_those_who_delete_and_those_who_update_one_wins(couch: Couch) -> None:
    for _ in range(6):
        rev = couch.db.json("PUT", "/doc", {})["rev"]
        statuses: list[int] = []

        def work(client: Client, number: int, rev: str = rev, statuses: list[int] = statuses) -> None:
            deletes = number % 2
            statuses.append(client("DELETE", f"/doc?rev={rev}").status_code if deletes else put(client, number, rev))

        couch.at_once(*(partial(work, number=number) for number in range(WRITERS)))
        counts = Counter(statuses)
        assert counts[200] + counts[201] == 1
        # Who comes to delete what another has deleted meanwhile finds nothing.
        assert set(counts) <= ({200, 404, 409} if counts[200] else {201, 409})
        found = couch.db("GET", "/doc")
        assert found.status_code == (404 if counts[200] else 200)
        if counts[201]:
            couch.db.json("DELETE", f"/doc?rev={found.json()['_rev']}")
    assert couch.db.json("GET")["doc_del_count"] == 1


def test_eight_writers_of_different_documents_lose_nothing(couch: Couch) -> None:
    each = 15

    def write(client: Client, writer: int) -> None:
        for number in range(each):
            rev = client.json("PUT", f"/{writer}-{number}", {"n": number})["rev"]
            if number % 3 == 0:
                client.json("PUT", f"/{writer}-{number}?rev={rev}", {"n": -number})
            if number % 5 == 0:
                client.json("POST", "/_bulk_docs", {"docs": [{"_id": f"{writer}-bulk-{number}-{i}"} for i in range(3)]})

    couch.at_once(*(partial(write, writer=writer) for writer in range(WRITERS)))
    documents = WRITERS * (each + 9)
    updates = documents + WRITERS * 5
    info = couch.db.json("GET")
    assert (info["doc_count"], info["doc_del_count"]) == (documents, 0)
    changes = couch.db.json("GET", "/_changes")
    assert len(changes["results"]) == len({row["id"] for row in changes["results"]}) == documents
    numbers = [int(row["seq"].partition("-")[0]) for row in changes["results"]]
    assert numbers == sorted(set(numbers))
    assert changes["last_seq"].partition("-")[0] == info["update_seq"].partition("-")[0] == str(updates)
    rows = couch.db.json("GET", "/_all_docs")["rows"]
    assert sorted(row["id"] for row in rows) == sorted(row["id"] for row in changes["results"])


def test_new_documents_get_dense_sequences_and_ids_of_their_own(couch: Couch) -> None:
    each = 12

    def write(client: Client) -> None:
        for _ in range(each):
            client.json("POST", "", {"x": 1})

    couch.at_once(*[write] * WRITERS)
    rows = couch.db.json("GET", "/_changes")["results"]
    assert [int(row["seq"].partition("-")[0]) for row in rows] == list(range(1, WRITERS * each + 1))


def test_replicators_that_bring_the_same_revisions_leave_them_once(couch: Couch) -> None:
    branches = [f"{number:032x}" for number in range(1, 11)]
    root = "f" * 32

    def bring(client: Client, first: int) -> None:
        for branch in branches[first:] + branches[:first]:
            revision = {"_id": "doc", "_rev": f"2-{branch}", "_revisions": {"start": 2, "ids": [branch, root]}}
            assert client.json("POST", "/_bulk_docs", {"docs": [revision], "new_edits": False}) == []

    couch.at_once(*(partial(bring, first=first) for first in range(WRITERS)))
    found = couch.db.json("GET", "/doc?conflicts=true&revs=true")
    assert [found["_rev"], *found["_conflicts"]] == [f"2-{branch}" for branch in reversed(branches)]
    assert found["_revisions"]["ids"] == [branches[-1], root]
    assert couch.db.json("GET")["update_seq"].startswith(f"{len(branches)}-")


def test_local_documents_and_others_are_written_side_by_side(couch: Couch) -> None:
    def write(client: Client, writer: int) -> None:
        for number in range(10):
            client.json("PUT", f"/_local/{writer}", {"n": number})
            client.json("PUT", f"/{writer}-{number}", {})

    couch.at_once(*(partial(write, writer=writer) for writer in range(4)))
    assert couch.db.json("GET")["doc_count"] == 40
    rows = couch.db.json("GET", "/_local_docs?include_docs=true")["rows"]
    assert [row["doc"]["n"] for row in rows] == [9] * 4


def test_of_eight_who_create_a_database_one_does(couch: Couch) -> None:
    base = couch.fake.url
    for round in range(5):
        statuses: list[int] = []

        def create(client: Client, name: str = f"made{round}", statuses: list[int] = statuses) -> None:
            statuses.append(client.session.put(base + name, timeout=30).status_code)

        couch.at_once(*[create] * WRITERS)
        assert Counter(statuses) == {201: 1, 412: WRITERS - 1}
