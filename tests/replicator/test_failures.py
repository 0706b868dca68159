"""What is reported of replications that cannot begin: by ``_replicate``, and for documents by ``_scheduler``."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from couchfake.app import CouchFake
from tests.api.conftest import Client

Eventually = Callable[[Callable[[], object]], None]
DESIGN = {"filters": {"throws": "function () { throw new Error('no') }"}, "views": {}}

NO_DOCUMENT = 'Couldn\'t open document `_design/nope` from source database `{url}a/`: {{error,<<"not_found">>}}'
NO_FUNCTION = 'Couldn\'t parse filter code from document d on `{url}a/`  Error: {{not_found,<<"missing json key: f">>}}'
NO_SOURCE = 'Could not open source database `{url}x/`: {{db_not_found,<<"{url}x/">>}}'
NOT_POSTED = (
    "{{changes_req_failed,400,\n"
    '                    {{[{{<<"error">>,<<"bad_request">>}},\n'
    '                      {{<<"reason">>,\n'
    '                       <<"Selector must be specified in POST payload">>}}]}}}}'
)


@pytest.fixture
def fake() -> CouchFake:
    return CouchFake(admins={"adm": "pass"})


@pytest.fixture
def admin(fake: CouchFake) -> Client:
    client = Client(fake, ("adm", "pass"))
    for path in ("/a", "/b", "/_replicator"):
        client.json("PUT", path)
    client.json("PUT", "/a/_design/d", DESIGN, 201)
    return client


def endpoint(fake: CouchFake, name: str, password: str = "pass") -> dict[str, Any]:
    return {"url": fake.url + name, "auth": {"basic": {"username": "adm", "password": password}}}


def scheduled(admin: Client, document: dict[str, Any], eventually: Eventually) -> Any:
    """Return the row of a new document once its first attempt has failed."""

    def row() -> Any:
        return admin.json("GET", "/_scheduler/docs/_replicator/job")

    admin.json("PUT", "/_replicator/job", document, 201)
    eventually(lambda: row()["state"] in ("error", "crashing"))
    return row()


@pytest.mark.parametrize("by_url", [True, False])
@pytest.mark.parametrize(
    ("source", "chosen", "answer"),
    [
        ("a", "nope/f", "404 not_found: " + NO_DOCUMENT),
        ("a", "d/f", "404 not_found: " + NO_FUNCTION),
        ("x", "d/f", "404 not_found: " + NO_SOURCE),
        ("a", "d/throws", "500 changes_req_failed: 500"),
        ("a", "_selector", "500 error: " + NOT_POSTED),
    ],
)
def test_a_client_gets_the_error_of_a_filter(
    fake: CouchFake, admin: Client, source: str, chosen: str, answer: str, by_url: bool
) -> None:
    ends = [endpoint(fake, source), endpoint(fake, "b")] if by_url else [source, "b"]
    asked = {"source": ends[0], "target": ends[1], "filter": chosen}
    url = fake.url if by_url else "http://127.0.0.1:5984/"
    assert admin.refusal("POST", "/_replicate", asked) == answer.format(url=url)


NO_LIST = '\n                       <<"`doc_ids` filter parameter is not a list of doc ids.">>'


@pytest.mark.parametrize("by_url", [True, False])
@pytest.mark.parametrize(
    ("members", "answer"),
    [
        ({"selector": {"a": {"$bogus": 1}}}, "500 case_clause: Invalid operator: $bogus"),
        ({"filter": "_other"}, '<<"unknown builtin filter name">>'),
        ({"filter": "_doc_ids"}, NO_LIST),
        ({"filter": "_doc_ids", "query_params": {"doc_ids": [1]}}, NO_LIST),
        ({"filter": "_doc_ids", "query_params": {"doc_ids": "{}"}}, NO_LIST),
        ({"filter": "_doc_ids", "query_params": {"doc_ids": "x"}}, '<<"invalid UTF-8 JSON">>'),
    ],
)
def test_a_condition_that_the_source_refuses_is_an_error(
    fake: CouchFake, admin: Client, members: dict[str, Any], answer: str, by_url: bool
) -> None:
    ends = [endpoint(fake, "a"), endpoint(fake, "b")] if by_url else ["a", "b"]
    refusal = admin.refusal("POST", "/_replicate", {"source": ends[0], "target": ends[1], **members})
    if "filter" in members:
        bad_request = '{{changes_req_failed,400,\n                    {{[{{<<"error">>,<<"bad_request">>}},\n'
        answer = ("500 error: " + bad_request + '                      {{<<"reason">>,{}}}]}}}}').format(answer)
    assert refusal == answer


@pytest.mark.parametrize("by_url", [True, False])
@pytest.mark.parametrize(
    ("members", "ids"),
    [
        ({"filter": "_doc_ids", "query_params": {"doc_ids": ["x"]}}, ["x"]),
        ({"filter": "_doc_ids", "query_params": {"doc_ids": '["x"]'}}, ["x"]),
        ({"filter": "_view", "query_params": {"view": "v/x"}}, ["y"]),
        ({"filter": "_design"}, ["_design/d", "_design/v"]),
    ],
)
def test_the_filters_of_the_source_choose_documents(
    fake: CouchFake, admin: Client, members: dict[str, Any], ids: list[str], by_url: bool
) -> None:
    admin.json("PUT", "/a/_design/v", {"views": {"x": {"map": "function (doc) { if (doc.x) emit(1); }"}}}, 201)
    for docid in ("x", "y"):
        admin.json("PUT", f"/a/{docid}", {"x": docid == "y"}, 201)
    ends = [endpoint(fake, "a"), endpoint(fake, "b")] if by_url else ["a", "b"]
    admin.json("POST", "/_replicate", {"source": ends[0], "target": ends[1], **members}, 200)
    assert [row["id"] for row in admin.json("GET", "/b/_all_docs")["rows"]] == ids


@pytest.mark.parametrize(
    ("source", "chosen", "reason"), [("a", "nope/f", NO_DOCUMENT), ("a", "d/f", NO_FUNCTION), ("x", "d/f", NO_SOURCE)]
)
def test_a_document_whose_filter_cannot_be_fetched_has_no_job_yet(
    fake: CouchFake, admin: Client, eventually: Eventually, source: str, chosen: str, reason: str
) -> None:
    document = {"source": endpoint(fake, source), "target": endpoint(fake, "b"), "filter": chosen}
    row = scheduled(admin, document, eventually)
    assert (row["state"], row["id"], row["info"]) == ("error", None, {"error": reason.format(url=fake.url)})
    assert row["error_count"] >= 1
    assert admin.json("GET", "/_scheduler/jobs")["jobs"] == []
    assert admin.json("GET", "/_active_tasks") == []


def test_a_document_runs_once_its_filter_can_be_fetched(fake: CouchFake, admin: Client, eventually: Eventually) -> None:
    document = {"source": endpoint(fake, "a"), "target": endpoint(fake, "b"), "filter": "late/f"}
    scheduled(admin, {**document, "continuous": True}, eventually)
    admin.json("PUT", "/a/_design/late", {"filters": {"f": "function () { return true }"}}, 201)
    fake.clock.advance(400)
    eventually(lambda: admin.json("GET", "/_scheduler/docs/_replicator/job")["state"] == "running")
    [job] = admin.json("GET", "/_scheduler/jobs")["jobs"]
    assert [each["type"] for each in job["history"]] == ["started", "added"]
    assert admin.json("GET", "/_scheduler/docs/_replicator/job")["error_count"] == 0


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"filter": "d/throws"}, "{{changes_req_failed,500}}"),
        ({"filter": "_selector"}, NOT_POSTED),
        ({"source": "anybody"}, "unauthorized: unauthorized to access or create database {url}a/"),
        (
            {"source": "wrong"},
            '{{replication_auth_error,{{session_request_unauthorized,"{url}_session","adm"}}}}',
        ),
        ({"source": "x"}, "db_not_found: could not open {url}x/"),
    ],
)
def test_a_job_that_fails_says_why(
    fake: CouchFake, admin: Client, eventually: Eventually, members: dict[str, str], reason: str
) -> None:
    sources = {"anybody": fake.url + "a", "wrong": endpoint(fake, "a", "wrong"), "x": endpoint(fake, "x")}
    document = {"source": endpoint(fake, "a"), "target": endpoint(fake, "b"), **members}
    if "source" in members:
        document["source"] = sources[members["source"]]
    row = scheduled(admin, document, eventually)
    assert (row["state"], row["info"]) == ("crashing", {"error": reason.format(url=fake.url)})


class Disconnected(HTTPAdapter):
    """A network in which no server is reached: no name is known, or no port is open."""

    def __init__(self, cause: OSError) -> None:
        super().__init__()
        self._cause = cause

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        try:
            raise NewConnectionError(None, "Failed to establish a new connection") from self._cause  # type: ignore[arg-type]
        except NewConnectionError as reason:
            raise requests.ConnectionError(MaxRetryError(None, request.url, reason)) from None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cause", "answer"),
    [
        (socket.gaierror(-2, "Name or service not known"), "500 nxdomain: could not resolve http://far.invalid/a/"),
        (
            ConnectionRefusedError(111, "Connection refused"),
            '500 error: {http_request_failed,"GET","http://far.invalid/a/",\n'
            "    {error,{error,{conn_failed,{error,econnrefused}}}}}",
        ),
    ],
)
def test_a_server_that_is_not_reached_is_named(fake: CouchFake, admin: Client, cause: OSError, answer: str) -> None:
    fake.outgoing = Disconnected(cause)
    assert admin.refusal("POST", "/_replicate", {"source": "http://far.invalid/a", "target": "b"}) == answer
