"""Replication between two servers by URL."""

from __future__ import annotations

import base64
import gzip
import random
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Party

Eventually = Callable[[Callable[[], object]], None]


def make_history(party: Party, db: str) -> None:
    """Documents of every kind: plain, updated, deleted, in conflict, with an attachment, a design document."""
    party("PUT", f"/{db}")
    rev = party("PUT", f"/{db}/updated", {"n": 1})["rev"]
    party("PUT", f"/{db}/updated", {"n": 2, "_rev": rev})
    rev = party("PUT", f"/{db}/deleted", {})["rev"]
    party("DELETE", f"/{db}/deleted?rev={rev}")
    branches = [
        {"_id": "conflict", "_rev": f"2-{name * 32}", "_revisions": {"start": 2, "ids": [name * 32, "0" * 32]}}
        for name in "ab"
    ]
    party("POST", f"/{db}/_bulk_docs", {"new_edits": False, "docs": branches})
    data = base64.b64encode(b"hello" * 100).decode()
    party("PUT", f"/{db}/file", {"_attachments": {"h.txt": {"content_type": "text/plain", "data": data}}})
    party("PUT", f"/{db}/_design/d", {"views": {"v": {"map": "function (doc) { emit(doc.n); }"}}})
    party("PUT", f"/{db}/a%2Fb%20%C3%BC", {"slash": True})


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_everything_goes_over(here: Party, there: Party, direction: str) -> None:
    ours, theirs = (here, there) if direction == "push" else (there, here)
    make_history(ours, "db")
    source, target = ("db", there.endpoint("copy")) if direction == "push" else (there.endpoint("db"), "copy")
    answer = here("POST", "/_replicate", {"source": source, "target": target, "create_target": True})
    assert answer["ok"] is True
    assert answer["history"][0]["doc_write_failures"] == 0
    assert theirs.leaves("copy") == ours.leaves("db")
    for path in ("updated", "conflict?conflicts=true", "file?attachments=true", "_design/d", "a%2Fb%20%C3%BC"):
        assert theirs("GET", f"/copy/{path}") == ours("GET", f"/db/{path}")


@pytest.mark.parametrize("direction", ["push", "pull"])
@pytest.mark.parametrize("size", [100, 200_000])
def test_an_attachment_that_came_gzipped_stays_as_it_was_stored(
    here: Party, there: Party, direction: str, size: int
) -> None:
    ours, theirs = (here, there) if direction == "push" else (there, here)
    ours("PUT", "/db")
    content = random.Random(1).randbytes(size)
    for name, kind in (("a", "image/png"), ("b", "text/plain")):
        headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
        ours("PUT", f"/db/{name}/file", data=gzip.compress(content, mtime=5), headers=headers)
    source, target = ("db", there.endpoint("copy")) if direction == "push" else (there.endpoint("db"), "copy")
    answer = here("POST", "/_replicate", {"source": source, "target": target, "create_target": True})
    assert answer["history"][0]["docs_written"] == 2
    assert answer["history"][0]["doc_write_failures"] == 0
    for name in "ab":
        stub = ours("GET", f"/db/{name}?att_encoding_info=true")
        assert stub["_attachments"]["file"]["encoding"] == "gzip"
        assert theirs("GET", f"/copy/{name}?att_encoding_info=true") == stub


def test_a_second_run_has_nothing_to_do(here: Party, there: Party) -> None:
    make_history(here, "db")
    body = {"source": "db", "target": there.endpoint("copy"), "create_target": True}
    first = here("POST", "/_replicate", body)
    second = here("POST", "/_replicate", body)
    assert second["no_changes"] is True
    assert second["session_id"] == first["session_id"]


def test_both_servers_keep_the_same_checkpoint(here: Party, there: Party) -> None:
    make_history(here, "db")
    here("POST", "/_replicate", {"source": "db", "target": there.endpoint("copy"), "create_target": True})
    logs = [
        party("GET", f"/{db}/_local_docs?include_docs=true")["rows"] for party, db in ((here, "db"), (there, "copy"))
    ]
    assert len(logs[0]) == 1
    assert logs[0] == logs[1]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"doc_ids": ["updated", "file", "nobody"]}, {"updated", "file"}),
        ({"selector": {"n": 2}}, {"updated"}),
        ({"filter": "f/n", "query_params": {"n": "2"}}, {"updated"}),
        ({"filter": "_view", "query_params": {"view": "f/by_n"}}, {"updated"}),
    ],
)
@pytest.mark.parametrize("direction", ["push", "pull"])
def test_filters_choose_what_goes_over(
    here: Party, there: Party, options: dict[str, Any], ids: set[str], direction: str
) -> None:
    ours, theirs = (here, there) if direction == "push" else (there, here)
    make_history(ours, "db")
    functions = {
        "filters": {"n": "function (doc, req) { return String(doc.n) === req.query.n; }"},
        "views": {"by_n": {"map": "function (doc) { if (doc.n) emit(doc.n); }"}},
    }
    ours("PUT", "/db/_design/f", functions)
    source, target = ("db", there.endpoint("copy")) if direction == "push" else (there.endpoint("db"), "copy")
    here("POST", "/_replicate", {"source": source, "target": target, "create_target": True, **options})
    assert set(theirs.leaves("copy")) == ids


def test_a_continuous_replication_follows_until_it_is_cancelled(
    here: Party, there: Party, eventually: Eventually
) -> None:
    here("PUT", "/db")
    body = {"source": "db", "target": there.endpoint("copy"), "create_target": True, "continuous": True}
    job = here("POST", "/_replicate", body)["_local_id"]
    here.fill("db", 3)
    eventually(lambda: there("GET", "/copy").get("doc_count") == 3)
    assert [task["replication_id"] for task in here("GET", "/_active_tasks")] == [job]
    assert here("POST", "/_replicate", {**body, "cancel": True}) == {"ok": True, "_local_id": job}
    assert here("GET", "/_active_tasks") == []
    here.fill("db", 1, start=3)
    assert there("GET", "/copy")["doc_count"] == 3


def test_continuous_replications_in_both_directions_agree_on_winners(
    here: Party, there: Party, eventually: Eventually
) -> None:
    here("PUT", "/db")
    there("PUT", "/db")
    for source, target in (("db", there.endpoint("db")), (there.endpoint("db"), "db")):
        here("POST", "/_replicate", {"source": source, "target": target, "continuous": True})
    for number in range(20):
        here("PUT", f"/db/both-{number}", {"from": "here"})
        there("PUT", f"/db/both-{number}", {"from": "there"})
    eventually(lambda: here.leaves("db") == there.leaves("db") and len(here.leaves("db")) == 20)


def test_a_server_that_goes_away_and_comes_back_gets_the_rest(
    here: Party, there: Party, eventually: Eventually
) -> None:
    here("PUT", "/db")
    here.fill("db", 10)
    ends = {"source": here.endpoint("db"), "target": there.endpoint("copy")}
    asked = {"_id": "job", **ends, "create_target": True, "continuous": True}
    here("PUT", "/_replicator/job", asked)
    eventually(lambda: there("GET", "/copy").get("doc_count") == 10)
    port = int(there.address.rpartition(":")[2])
    there.fake.stop()
    here.fill("db", 10, start=10)
    eventually(lambda: here("GET", "/_scheduler/docs/_replicator/job")["state"] == "crashing")
    assert here("GET", "/_scheduler/docs/_replicator/job")["error_count"] >= 1
    there.fake.start(port)
    eventually(lambda: there("GET", "/copy").get("doc_count") == 20)
    assert here.leaves("db") == there.leaves("copy")
    eventually(lambda: here("GET", "/_scheduler/docs/_replicator/job")["state"] == "running")


def test_a_server_other_than_couchdb_is_refused_at_once(here: Party, stranger: str) -> None:
    here("PUT", "/db")
    answer = here("POST", "/_replicate", {"source": f"{stranger}/db", "target": "db"})
    assert set(answer) >= {"error", "reason"}


def test_passwords_are_shown_nowhere(here: Party, there: Party, eventually: Eventually) -> None:
    here("PUT", "/db")
    url = there.address.replace("http://", "http://adm:pass@") + "/copy"
    asked = {"source": here.endpoint("db"), "target": url, "create_target": True, "continuous": True}
    here("PUT", "/_replicator/job", asked)
    eventually(lambda: there("GET", "/copy").get("doc_count") == 0)
    for path in ("/_active_tasks", "/_scheduler/jobs", "/_scheduler/docs"):
        answer = str(here("GET", path))
        assert "/copy" in answer
        assert "pass" not in answer


@pytest.mark.parametrize("direction", ["push", "pull"])
def test_a_changed_filter_function_starts_over(here: Party, there: Party, direction: str) -> None:
    ours = here if direction == "push" else there
    source, target = ("db", there.endpoint("copy")) if direction == "push" else (there.endpoint("db"), "copy")
    ours("PUT", "/db")
    ours.fill("db", 4)
    body = {"source": source, "target": target, "create_target": True, "filter": "f/f"}
    rev = ours("PUT", "/db/_design/f", {"filters": {"f": "function (doc) { return doc.number < 2; }"}})["rev"]
    assert here("POST", "/_replicate", body)["history"][0]["docs_written"] == 2
    ours("PUT", "/db/_design/f", {"_rev": rev, "filters": {"f": "function (doc) { return doc.number < 3; }"}})
    assert here("POST", "/_replicate", body)["history"][0]["docs_written"] == 1


def test_closing_a_server_ends_its_replications(here: Party, there: Party) -> None:
    for party, source, target in ((here, "db", there.endpoint("db")), (there, "db", here.endpoint("db"))):
        party("PUT", "/db")
        party("POST", "/_replicate", {"source": source, "target": target, "continuous": True})
    for party in (here, there):
        party.fake.close()
        assert party("GET", "/_active_tasks") == []


@pytest.mark.parametrize("login", [None, ("adm", "wrong"), ("bob", "pw")])
def test_a_host_header_gives_the_server_no_name_that_replications_believe(
    here: Party, there: Party, login: tuple[str, str] | None
) -> None:
    here("PUT", "/_users/org.couchdb.user:bob", {"name": "bob", "type": "user", "roles": [], "password": "pw"})
    for party, count in ((here, 1), (there, 2)):
        party("PUT", "/db")
        party.fill("db", count)
    name = there.address.removeprefix("http://")
    here.fake.session().get(here.fake.session_url, headers={"Host": name}, auth=login)
    here("POST", "/_replicate", {"source": there.endpoint("db"), "target": "copy", "create_target": True})
    assert here("GET", "/copy")["doc_count"] == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_reaches_itself_by_the_names_under_which_it_listens(here: Party, host: str) -> None:
    here("PUT", "/db")
    here.fill("db", 1)
    url = here.address.replace("127.0.0.1", host).replace("http://", "http://adm:pass@")
    here.fake.node.config.set("replicator", "retries_per_request", "0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.create_connection", None)  # nothing is to go by a socket
        answer = here("POST", "/_replicate", {"source": f"{url}/db", "target": "copy", "create_target": True})
    assert answer["ok"] is True


def test_an_admin_gives_the_server_a_name(here: Party) -> None:
    here("PUT", "/db")
    here.fill("db", 1)
    here("GET", "/", headers={"Host": "couch.example:5984"})
    source = "http://adm:pass@couch.example:5984/db"
    answer = here("POST", "/_replicate", {"source": source, "target": "copy", "create_target": True})
    assert answer["ok"] is True
