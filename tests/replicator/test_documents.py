"""Documents of ``_replicator``: which ones run, which ones wait or fail, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couchfake.app import CouchFake

Eventually = Callable[[Callable[[], object]], None]


class Client:
    """JSON calls to a server without admins; replications name its databases by URL."""

    def __init__(self) -> None:
        self.fake = CouchFake()
        self._session = self.fake.session()

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return self._session.request(method, self.fake.url.rstrip("/") + path, json=body, timeout=20).json()

    def body(self, **more: Any) -> dict[str, Any]:
        return {"source": f"{self.fake.url}a", "target": f"{self.fake.url}b", **more}

    def scheduled(self, docid: str) -> Any:
        return self("GET", f"/_scheduler/docs/_replicator/{docid}")


@pytest.fixture
def client() -> Client:
    client = Client()
    for db in ("a", "b"):
        client("PUT", f"/{db}")
    client("PUT", "/a/x", {"n": 1})
    return client


def test_a_completed_document_that_is_saved_again_runs_again(client: Client, eventually: Eventually) -> None:
    def state() -> Any:
        return client("GET", "/_replicator/job").get("_replication_state")

    client("PUT", "/_replicator/job", client.body())
    eventually(lambda: state() == "completed")
    client("PUT", "/a/y", {})
    rev = client("GET", "/_replicator/job")["_rev"]
    client("PUT", "/_replicator/job", client.body(_rev=rev))
    eventually(lambda: state() == "completed")
    assert client("GET", "/b")["doc_count"] == 2


def states(client: Client) -> list[Any]:
    """Return the states that the document's revisions have had."""
    revisions = client("GET", "/_replicator/job?revs_info=true")["_revs_info"]
    seen = [client("GET", f"/_replicator/job?rev={each['rev']}").get("_replication_state") for each in revisions]
    return seen[::-1]


@pytest.mark.parametrize(("setting", "seen"), [("false", [None]), ("true", [None, "triggered"])])
def test_documents_say_that_they_run_where_this_is_configured(
    client: Client, eventually: Eventually, setting: str, seen: list[str]
) -> None:
    client.fake.node.config.set("replicator", "update_docs", setting)
    client("PUT", "/_replicator/job", client.body())
    eventually(lambda: client("GET", "/_replicator/job").get("_replication_state") == "completed")
    assert states(client) == [*seen, "completed"]
    assert ("_replication_id" in client("GET", "/_replicator/job")) == (setting == "true")


def test_documents_say_that_a_filter_is_missing_where_this_is_configured(
    client: Client, eventually: Eventually
) -> None:
    client.fake.node.config.set("replicator", "update_docs", "true")
    client("PUT", "/_replicator/job", client.body(filter="nope/f", continuous=True))
    eventually(lambda: client("GET", "/_replicator/job").get("_replication_state") == "error")
    assert "Couldn't open document `_design/nope`" in client("GET", "/_replicator/job")["_replication_state_reason"]
    client("PUT", "/a/_design/nope", {"filters": {"f": "function () { return true }"}})
    client.fake.clock.advance(400)
    eventually(lambda: client("GET", "/_replicator/job").get("_replication_state") == "triggered")
    assert "_replication_state_reason" not in client("GET", "/_replicator/job")


def test_a_completed_document_has_no_job(client: Client, eventually: Eventually) -> None:
    client("PUT", "/_replicator/job", client.body())
    eventually(lambda: client.scheduled("job").get("state") == "completed")
    row = client.scheduled("job")
    assert row["id"] is None
    assert "source_seq" not in row["info"]
    assert row["info"]["docs_written"] == 1


def test_the_second_document_of_a_replication_fails(client: Client, eventually: Eventually) -> None:
    client("PUT", "/_replicator/one", client.body(continuous=True))
    eventually(lambda: client.scheduled("one")["state"] == "running")
    client("PUT", "/_replicator/two", client.body(continuous=True))
    eventually(lambda: client("GET", "/_replicator/two").get("_replication_state") == "failed")
    job = client.scheduled("one")["id"]
    reason = (
        f"Replication `{job}` specified by document `two` already started, triggered by document `one`"
        " from db `_replicator`"
    )
    assert client("GET", "/_replicator/two")["_replication_state_reason"] == reason
    row = client.scheduled("two")
    assert (row["state"], row["info"], row["error_count"], row["id"]) == ("failed", {"error": reason}, 1, None)


def test_a_document_waits_for_the_end_of_a_clients_replication(client: Client, eventually: Eventually) -> None:
    job = client("POST", "/_replicate", client.body(continuous=True))["_local_id"]
    client("PUT", "/_replicator/one", client.body(continuous=True))
    row = client.scheduled("one")
    assert row["state"] == "error"
    assert row["info"] == {
        "error": f"Replication `{job}` specified by document `one` already running as a transient replication,"
        " started via `_replicate` API endpoint"
    }
    client("POST", "/_replicate", {"id": job, "cancel": True})
    eventually(lambda: client.scheduled("one")["state"] == "running")


def test_a_job_is_found_by_an_id_with_a_plus_and_shows_how_far_it_is(client: Client, eventually: Eventually) -> None:
    job = client("POST", "/_replicate", client.body(continuous=True))["_local_id"]
    assert job.endswith("+continuous")

    def info() -> Any:
        return client("GET", f"/_scheduler/jobs/{job}")["info"]

    eventually(lambda: info()["changes_pending"] == 0)
    assert info()["through_seq"] == client("GET", "/a/_changes")["last_seq"]
    assert info()["source_seq"] is not None


def test_before_anything_was_copied_a_job_shows_no_sequences(client: Client, eventually: Eventually) -> None:
    started = client.fake.node.replications
    client.fake.node.delete_database("b")
    client("PUT", "/_replicator/one", client.body())
    eventually(lambda: client.scheduled("one")["state"] == "crashing")
    job = started.running.all()[0]  # type: ignore[attr-defined]
    info = job.statistics(is_running=True)
    assert (info["checkpointed_source_seq"], info["source_seq"], info["through_seq"]) == ("0", None, None)
    started.stop()


def test_design_documents_are_not_counted_as_fetched_in_bulk(client: Client) -> None:
    client("PUT", "/a/_design/d", {})
    history = client("POST", "/_replicate", {"source": "a", "target": "b"})["history"][0]
    assert (history["docs_written"], history["bulk_get_docs"], history["bulk_get_attempts"]) == (2, 1, 1)
