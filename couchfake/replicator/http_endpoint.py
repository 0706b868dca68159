"""A database of any CouchDB by URL, as one end of a replication: over ``requests``."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import requests

from couchfake.errors import CouchError
from couchfake.node.node import Node
from couchfake.replicator.endpoints import Fetched, Page, SourceChange, SourceFilter, Unreachable, UpdateSequence
from couchfake.replicator.failures import changes_failed, db_not_found, revs_diff_failed
from couchfake.storage.edits import Edit, read_edit
from couchfake.storage.revision_ids import format_hash, format_rev
from couchfake.values import json

LONGEST_WAIT = 1.0
"""Seconds for which a request waits for changes: a job that is cancelled ends no later than its request."""


class HttpEndpoint:
    """See ``peers.ReplicationEndpoint``. ``session`` carries credentials and headers; ``url`` has none."""

    def __init__(self, node: Node, url: str, session: requests.Session, timeout: float = 30.0) -> None:
        self._node = node
        self._session = session
        self._timeout = timeout
        self.name = url.rstrip("/") + "/"

    # ---- HTTP

    def _send(self, method: str, path: str = "", **options: Any) -> requests.Response:
        if "body" in options:
            options["data"] = json.encode(options.pop("body"))
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        try:
            return self._session.request(method, self.name + path, timeout=self._timeout, **options)
        except requests.RequestException as error:
            raise Unreachable(f"{self.name}: {type(error).__name__}") from None

    def _ask(self, method: str, path: str = "", **options: Any) -> Any:
        response = self._send(method, path, **options)
        if response.status_code >= 400:
            raise _refusal(response)
        with self._understanding():
            return json.loads(response.content)

    @contextmanager
    def _understanding(self) -> Iterator[None]:
        """Around the reading of answers: what does not have a CouchDB's shape comes from something else."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unreachable(f"{self.name} does not answer as a CouchDB") from None

    # ---- the database

    def open(self) -> None:
        try:
            response = self._send("GET")
        except Unreachable:
            raise db_not_found(self.name) from None
        if response.status_code == 401:
            refusal = _refusal(response)
            if "Authorization" in self._session.headers or self._session.auth:
                raise CouchError(500, "replication_auth_error", f"authentication failed for {self.name}")
            raise _unauthorized(401, self.name) from refusal
        if response.status_code == 403:
            raise _unauthorized(403, self.name)
        if response.status_code >= 400:
            raise db_not_found(self.name)

    def create(self, params: Mapping[str, Any]) -> None:
        options = {name: json.dumps(value).strip('"') for name, value in params.items()}
        response = self._send("PUT", params=options)
        if response.status_code in (401, 403):  # whatever else went wrong shows when the database is opened
            raise _unauthorized(response.status_code, self.name)

    def update_seq(self) -> UpdateSequence:
        answer = self._ask("GET")
        with self._understanding():
            return answer.get("update_seq", 0)

    def design_document(self, name: str) -> dict[str, Any] | None:
        return self.read_local("_design/" + name)

    def changes(self, query: SourceFilter, since: UpdateSequence, limit: int) -> Page:
        params = {"since": _as_text(since), "limit": str(limit), "style": "all_docs", **_filter_params(query)}
        if query.winning_revs_only:
            params["style"] = "main_only"
        body: dict[str, Any] = {}
        if query.doc_ids is not None:
            body = {"doc_ids": query.doc_ids}
        elif query.selector is not None:
            body = {"selector": query.selector}
        method, options = ("POST", {"body": body}) if body else ("GET", {})
        try:
            answer = self._ask(method, "_changes", params=params, **options)
        except CouchError as error:
            raise changes_failed(error) from None
        with self._understanding():
            return Page(
                [
                    SourceChange(row["seq"], row["id"], [each["rev"] for each in row["changes"]])
                    for row in answer["results"]
                ],
                answer.get("last_seq", since),
            )

    def wait(self, since: UpdateSequence, seconds: float, stopping: threading.Event) -> None:
        milliseconds = str(int(max(0.0, min(seconds, LONGEST_WAIT)) * 1000))
        params = {"feed": "longpoll", "since": _as_text(since), "limit": "1", "timeout": milliseconds}
        self._send("GET", "_changes", params=params)

    def interrupt(self) -> None:
        """A waiting request ends by itself, soon."""

    def missing(self, revs: dict[str, list[str]]) -> dict[str, list[str]]:
        try:
            answer = self._ask("POST", "_revs_diff", body=revs)
        except CouchError as error:
            raise revs_diff_failed(error) from None
        with self._understanding():
            return {docid: entry["missing"] for docid, entry in answer.items()}

    # ---- documents

    def fetch(self, docid_revs: Sequence[tuple[str, list[str]]], bulk: bool) -> Fetched:
        attempts = sum(len(revs) for _, revs in docid_revs)
        if bulk:
            response = self._send(
                "POST",
                "_bulk_get",
                params={"revs": "true", "latest": "true", "attachments": "true"},
                body={"docs": [{"id": docid, "rev": rev} for docid, revs in docid_revs for rev in revs]},
                headers={"Accept": "application/json"},
            )
            if response.status_code < 400:
                with self._understanding():
                    documents = list(_bulk_documents(json.loads(response.content)))
                    edits = list(self._edits(documents))
                    return Fetched(edits, sum("_attachments" not in document for document in documents), attempts)
        with self._understanding():
            documents = [document for docid, revs in docid_revs for document in self._open_revs(docid, revs)]
            return Fetched(list(self._edits(documents)))

    def _open_revs(self, docid: str, revs: list[str]) -> Iterator[dict[str, Any]]:
        params = {"open_revs": json.dumps(revs), "revs": "true", "latest": "true", "attachments": "true"}
        for entry in self._ask("GET", _path(docid), params=params, headers={"Accept": "application/json"}):
            if "ok" in entry:
                yield entry["ok"]

    def _edits(self, documents: list[dict[str, Any]]) -> Iterator[Edit]:
        settings = self._node.attachment_settings()
        seen = set()
        for document in documents:
            key = (document["_id"], document["_rev"])
            if key not in seen:
                seen.add(key)
                yield read_edit(document, self._node.config, settings)

    def write(self, edits: list[Edit]) -> list[CouchError]:
        answer = self._ask("POST", "_bulk_docs", body={"new_edits": False, "docs": [_document(edit) for edit in edits]})
        with self._understanding():
            return [CouchError(403, row["error"], row.get("reason")) for row in answer if "error" in row]

    def read_local(self, docid: str) -> dict[str, Any] | None:
        response = self._send("GET", _path(docid))
        if response.status_code == 404:
            return None
        if response.status_code >= 400:
            raise _refusal(response)
        with self._understanding():
            document: dict[str, Any] = json.loads(response.content)
        return document

    def write_local(self, docid: str, document: dict[str, Any]) -> None:
        self._ask("PUT", _path(docid), body=document)


def _refusal(response: requests.Response) -> CouchError:
    try:
        answer = json.loads(response.content)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    return CouchError(response.status_code, str(answer.get("error", "unknown_error")), answer.get("reason"))


def _unauthorized(status: int, url: str) -> CouchError:
    error = "unauthorized" if status == 401 else "forbidden"
    return CouchError(status, error, f"{error} to access or create database {url}")


def _as_text(value: Any) -> str:
    """As a parameter. Sequences are strings or (before 2.0) numbers; those of Cloudant were arrays."""
    return value if isinstance(value, str) else json.dumps(value)


def _filter_params(query: SourceFilter) -> dict[str, str]:
    if query.doc_ids is not None:
        return {"filter": "_doc_ids"}
    if query.selector is not None:
        return {"filter": "_selector"}
    if query.filter is not None:
        given = query.query_params.items()
        return {"filter": query.filter, **{name: _as_text(value) for name, value in given}}
    return {}


def _path(docid: str) -> str:
    for prefix in ("_design/", "_local/"):
        if docid.startswith(prefix):
            return prefix + quote(docid[len(prefix) :], safe="")
    return quote(docid, safe="")


def _bulk_documents(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for result in answer["results"]:
        for entry in result["docs"]:
            if "ok" in entry:
                yield entry["ok"]


def _document(edit: Edit) -> dict[str, Any]:
    """The JSON of a revision with its history and attachments, as ``_bulk_docs`` takes it."""
    assert edit.rev is not None
    document = edit.document()
    document["_rev"] = format_rev(edit.rev)
    document["_revisions"] = {"start": edit.start, "ids": [format_hash(raw) for raw in edit.ids]}
    attachments = edit.attachments or [entry.stored for entry in edit.inputs if entry.stored is not None]
    if attachments:
        document["_attachments"] = {
            one.name: {
                "content_type": one.content_type,
                "revpos": one.revpos,
                "data": base64.b64encode(one.decoded()).decode("ascii"),
            }
            for one in attachments
        }
    return document
