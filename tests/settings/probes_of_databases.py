"""Probes of what decides about documents, queries and replications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from couchfake.replicator.request import read_options
from couchfake.settings import (
    CHANGES_DOC_IDS_OPTIMIZATION_THRESHOLD,
    CLUSTER_Q,
    COMPRESSIBLE_TYPES,
    COMPRESSION_LEVEL,
    DEFAULT_SECURITY,
    GLOBAL_CHANGES_DBNAME,
    GLOBAL_CHANGES_UPDATE_DB,
    INDEX_SCAN_WARNING_THRESHOLD,
    MAINTENANCE_MODE,
    MANGO_DEFAULT_LIMIT,
    MAX_ATTACHMENT_SIZE,
    MAX_ATTACHMENTS_PER_DOCUMENT,
    MAX_DATABASE_NAME_LENGTH,
    MAX_DOCUMENT_ID_LENGTH,
    MAX_DOCUMENT_SIZE,
    MAX_PARTITION_SIZE,
    OS_PROCESS_TIMEOUT,
    PARTITION_QUERY_LIMIT,
    PURGE_MAX_DOCUMENT_ID_NUMBER,
    PURGE_MAX_REVISIONS_NUMBER,
    QUERY_LIMIT,
    QUERY_REVS_LIMIT,
    REDUCE_LIMIT,
    REDUCE_LIMIT_RATIO,
    REDUCE_LIMIT_THRESHOLD,
    REPLICATOR_CHECKPOINT_INTERVAL,
    REPLICATOR_CONNECTION_TIMEOUT,
    REPLICATOR_MAX_DOCUMENT_ID_LENGTH,
    REPLICATOR_MAX_HISTORY,
    REPLICATOR_RETRIES_PER_REQUEST,
    REPLICATOR_UPDATE_DOCS,
    REPLICATOR_USE_CHECKPOINTS,
    REPLICATOR_WORKER_BATCH_SIZE,
    STEM_INTERACTIVE_UPDATES,
    UTC_ID_SUFFIX,
    UUIDS_ALGORITHM,
    UUIDS_MAX_COUNT,
)

from .probing import NOBODY, Probe, Server

TEXT = {"Content-Type": "text/plain"}
INLINE = {"content_type": "text/plain", "data": "YWFhYQ=="}


def with_documents(server: Server, *ids: str, query: str = "") -> Server:
    server.made("/db" + query)
    server.json("POST", "/db/_bulk_docs", {"docs": [{"_id": docid, "n": 1} for docid in ids]})
    return server


def stored_size(server: Server) -> Any:
    """The bytes that an attachment of 1,000 equal letters takes, None if it is stored as it is."""
    server.made("/db")
    assert server.status("PUT", "/db/doc/a", data=b"a" * 1000, headers=TEXT) == 201
    return server.json("GET", "/db/doc?att_encoding_info=true")["_attachments"]["a"].get("encoding")


def pending_of_ids(server: Server) -> Any:
    with_documents(server, "a", "b", "c")
    return server.json("POST", "/db/_changes?filter=_doc_ids", {"doc_ids": ["a", "b"]})["pending"]


def find(server: Server, selector: dict[str, Any]) -> Any:
    return with_documents(server, *"abcdefghijklmnopqrstuvwxyzA").json("POST", "/db/_find", {"selector": selector})


def purged(server: Server, named: dict[str, list[str]]) -> int:
    return with_documents(server).status("POST", "/db/_purge", named)


def status_of_limit(server: Server, path: str) -> int:
    return with_documents(server, "a:1", query="?partitioned=true").status("GET", path)


def revisions_in_filter(server: Server) -> int:
    """How many revisions of a document a filter function is given."""
    rev = None
    server.made("/db")
    for number in range(3):
        rev = server.json("PUT", "/db/a", {"n": number, **({"_rev": rev} if rev else {})})["rev"]
    source = "function (doc) { return doc._revisions.ids.length === 3; }"
    server.made("/db/_design/d", json={"filters": {"f": source}})
    return len(server.json("GET", "/db/_changes?filter=d/f")["results"])


def reduced(size: int, rows: int = 1) -> Callable[[Server], Any]:
    """Observe what becomes of a reduction to a string of ``size`` letters."""

    def observe(server: Server) -> Any:
        with_documents(server, *(f"{number:03}" for number in range(rows)))
        source = f"function () {{ return new Array({size + 1}).join('x'); }}"
        view = {"map": "function (doc) { emit(doc._id, null); }", "reduce": source}
        server.made("/db/_design/d", json={"views": {"v": view}})
        [row] = server.json("GET", "/db/_design/d/_view/v")["rows"]
        return row.get("error", "reduced")

    return observe


def busy_function(server: Server) -> int:
    source = "function () { for (var i = 0; i < 3000000; i++); return 'done'; }"
    server.made("/db").made("/db/_design/d", json={"shows": {"s": source}})
    return server.status("GET", "/db/_design/d/_show/s")


def length_of_history(server: Server) -> int:
    assert server.made("/db").status("PUT", "/db/_revs_limit", 1) == 200
    rev = None
    for number in range(3):
        rev = server.json("PUT", "/db/a", {"n": number, **({"_rev": rev} if rev else {})})["rev"]
    return len(server.json("GET", "/db/a?revs_info=true")["_revs_info"])


def replicated(server: Server) -> dict[str, Any]:
    with_documents(server, "short", "much-longer").made("/target")
    answer: dict[str, Any] = server.json("POST", "/_replicate", {"source": "db", "target": "target"})
    return answer


def events_of_job(server: Server) -> int:
    server.made("/a", "/b")
    body = {"source": "a", "target": "b", "continuous": True}
    job = server.json("POST", "/_replicate", body)["_local_id"]
    running = server.fake.node.replications.running.get(job)  # type: ignore[attr-defined]
    running.cancel()
    return len(running.history)


def states_of_document(server: Server) -> list[str | None]:
    server.made("/a", "/b").made("/_replicator/job", json={"source": url(server, "a"), "target": url(server, "b")})
    seq = "0"
    while server.json("GET", "/_replicator/job").get("_replication_state") != "completed":
        seq = server.json("GET", f"/_replicator/_changes?feed=longpoll&since={seq}")["last_seq"]
    revisions = server.json("GET", "/_replicator/job?revs_info=true")["_revs_info"]
    seen = [server.json("GET", f"/_replicator/job?rev={each['rev']}").get("_replication_state") for each in revisions]
    return seen[::-1]


def url(server: Server, name: str) -> str:
    return f"http://adm:pass@{server.fake.url.removeprefix('http://')}{name}"


def option(name: str) -> Callable[[Server], Any]:
    """Observe an option of a replication that its request leaves out."""
    return lambda server: getattr(read_options({}, server.fake.node.config), name)


def updated_databases(server: Server) -> list[str]:
    server.made("/_global_changes", "/a")
    return [row["db_name"] for row in server.json("GET", "/_db_updates")["results"]]


def uuid(server: Server) -> str:
    return str(server.json("GET", "/_uuids")["uuids"][0])


PROBES = [
    Probe(COMPRESSION_LEVEL, "0", stored_size, "gzip", None),
    Probe(COMPRESSIBLE_TYPES, "application/json", stored_size, "gzip", None),
    Probe(CLUSTER_Q, "3", lambda server: server.made("/db").json("GET", "/db")["cluster"]["q"], 1, 3),
    Probe(CHANGES_DOC_IDS_OPTIMIZATION_THRESHOLD, "1", pending_of_ids, 1, 0),
    Probe(DEFAULT_SECURITY, "everyone", lambda server: server.made("/db").status("GET", "/db", login=NOBODY), 401, 200),
    Probe(MAINTENANCE_MODE, "true", lambda server: server.status("GET", "/_up"), 200, 404),
    Probe(
        MAX_ATTACHMENT_SIZE,
        "3",
        lambda server: server.made("/db").status("PUT", "/db/doc/a", data=b"aaaa", headers=TEXT),
        201,
        413,
    ),
    Probe(
        MAX_ATTACHMENTS_PER_DOCUMENT,
        "1",
        lambda server: server.made("/db").status("PUT", "/db/doc", {"_attachments": {"a": INLINE, "b": INLINE}}),
        201,
        413,
    ),
    Probe(MAX_DATABASE_NAME_LENGTH, "3", lambda server: server.status("PUT", "/long"), 201, 400),
    Probe(MAX_DOCUMENT_ID_LENGTH, "3", lambda server: server.made("/db").status("PUT", "/db/long", {}), 201, 400),
    Probe(MAX_DOCUMENT_SIZE, "10", lambda server: server.made("/db").status("PUT", "/db/a", {"n": "x" * 9}), 201, 413),
    Probe(
        MAX_PARTITION_SIZE,
        "5",
        lambda server: with_documents(server, "a:1", query="?partitioned=true").status("PUT", "/db/a:2", {}),
        201,
        403,
    ),
    Probe(OS_PROCESS_TIMEOUT, "1", busy_function, 200, 500),
    Probe(STEM_INTERACTIVE_UPDATES, "false", length_of_history, 1, 3),
    Probe(
        GLOBAL_CHANGES_DBNAME,
        "events",
        lambda server: server.made("/events").status("GET", "/_db_updates"),
        404,
        200,
    ),
    Probe(GLOBAL_CHANGES_UPDATE_DB, "false", lambda server: "a" in updated_databases(server), True, False),
    Probe(MANGO_DEFAULT_LIMIT, "2", lambda server: len(find(server, {"n": 1})["docs"]), 25, 2),
    Probe(
        INDEX_SCAN_WARNING_THRESHOLD,
        "50",
        lambda server: "examined is high in proportion" in find(server, {"n": 2})["warning"],
        True,
        False,
    ),
    Probe(PURGE_MAX_DOCUMENT_ID_NUMBER, "1", lambda server: purged(server, {"a": ["1-a"], "b": ["1-a"]}), 201, 400),
    Probe(PURGE_MAX_REVISIONS_NUMBER, "1", lambda server: purged(server, {"a": ["1-a", "1-b"]}), 201, 400),
    Probe(
        PARTITION_QUERY_LIMIT,
        "2",
        lambda server: status_of_limit(server, "/db/_partition/a/_all_docs?limit=3"),
        200,
        400,
    ),
    Probe(QUERY_LIMIT, "2", lambda server: status_of_limit(server, "/db/_all_docs?limit=3"), 200, 400),
    Probe(REDUCE_LIMIT, "false", reduced(6000), "reduce_overflow_error", "reduced"),
    Probe(REDUCE_LIMIT_RATIO, "0.001", reduced(6000), "reduce_overflow_error", "reduced"),
    Probe(REDUCE_LIMIT_THRESHOLD, "10", reduced(100), "reduced", "reduce_overflow_error"),
    Probe(QUERY_REVS_LIMIT, "2", revisions_in_filter, 1, 0),
    Probe(REPLICATOR_CHECKPOINT_INTERVAL, "2000", option("checkpoint_interval"), 30.0, 2.0),
    Probe(REPLICATOR_CONNECTION_TIMEOUT, "2000", option("connection_timeout"), 30.0, 2.0),
    Probe(
        REPLICATOR_MAX_DOCUMENT_ID_LENGTH,
        "6",
        lambda server: replicated(server)["history"][0]["docs_written"],
        2,
        1,
    ),
    Probe(REPLICATOR_MAX_HISTORY, "1", events_of_job, 3, 1),
    Probe(REPLICATOR_RETRIES_PER_REQUEST, "1", option("retries"), 5, 1),
    Probe(REPLICATOR_UPDATE_DOCS, "true", states_of_document, [None, "completed"], [None, "triggered", "completed"]),
    Probe(REPLICATOR_USE_CHECKPOINTS, "false", lambda server: "history" in replicated(server), True, False),
    Probe(REPLICATOR_WORKER_BATCH_SIZE, "7", option("batch_size"), 500, 7),
    Probe(UUIDS_ALGORITHM, "utc_id", lambda server: len(uuid(server)), 32, 14),
    Probe(UUIDS_MAX_COUNT, "1", lambda server: server.status("GET", "/_uuids?count=2"), 200, 400),
    Probe(UTC_ID_SUFFIX, "-b", lambda server: uuid(server)[14:], "", "-b", {"uuids": {"algorithm": "utc_id"}}),
]
