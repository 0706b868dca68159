"""A database of any CouchDB by URL, as the source or target of a replication.

``HttpClient`` sends requests with retries and bounds, ``HttpEndpoint`` is what a replication does with them.
Attachments are transferred in their stored form.
"""

from __future__ import annotations

import base64
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote

import requests

from couchfake.errors import CouchError
from couchfake.node import Node
from couchfake.replicator.errors import (
    changes_failed,
    db_not_found,
    login_refused,
    no_connection,
    revs_diff_failed,
    unknown_host,
)
from couchfake.replicator.request import basic_user
from couchfake.replicator.transfer import (
    Fetched,
    Page,
    SourceChange,
    SourceFilter,
    UnknownHost,
    Unreachable,
    UpdateSequence,
)
from couchfake.storage.attachments import Attachment, AttachmentSettings, store
from couchfake.storage.edits import Edit, read_edit
from couchfake.storage.revision_ids import format_hash, format_rev
from couchfake.values import json

LONGEST_ANSWER = 256 << 20
"""Bytes of an answer after which it counts as endless: a source must not fill the memory of its reader."""

_PIECE = 1 << 16


class Answer(NamedTuple):
    """A status and a whole body. The body is decoded unless ``raw`` bytes were requested."""

    status: int
    content: bytes


class HttpClient:
    """``session`` carries credentials and headers; ``url`` has neither, and ends with a slash.

    ``timeout``: seconds; ``retries``: how often a request is repeated if no connection is made.
    """

    def __init__(self, url: str, session: requests.Session, timeout: float, retries: int) -> None:
        self.url = url
        self._session = session
        self._timeout = timeout
        self._retries = retries

    @property
    def login(self) -> str | None:
        """The user whose credentials requests carry, None without any."""
        auth = self._session.auth
        if isinstance(auth, tuple):
            return str(auth[0])
        header = self._session.headers.get("Authorization")
        return None if header is None else basic_user(str(header))

    def send(self, method: str, path: str = "", *, raw: bool = False, **options: Any) -> Answer:
        """Send a request and read the answer. Raise Unreachable if there is none, or none that ends.

        ``body`` is sent as JSON; other options are those of ``requests``. ``raw`` leaves the body's encoding alone.
        """
        if "body" in options:
            options["data"] = json.encode(options.pop("body"))
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        retries = self._retries
        while True:
            try:
                return self._send_once(method, path, raw, options)
            except requests.RequestException as error:
                if retries == 0 or not isinstance(error, requests.ConnectionError):
                    kind = UnknownHost if _is_unknown_host(error) else Unreachable
                    raise kind(f"{self.url}: {type(error).__name__}") from None
                retries -= 1

    def _send_once(self, method: str, path: str, raw: bool, options: dict[str, Any]) -> Answer:
        url = self.url + path
        with self._session.request(method, url, timeout=self._timeout, stream=True, **options) as response:
            pieces = response.raw.stream(_PIECE, decode_content=False) if raw else response.iter_content(_PIECE)
            content = bytearray()
            for piece in pieces:
                content += piece
                if len(content) > LONGEST_ANSWER:
                    raise Unreachable(f"{self.url} answers with more than {LONGEST_ANSWER} bytes")
            return Answer(response.status_code, bytes(content))

    def ask(self, method: str, path: str = "", **options: Any) -> Any:
        """Send a request and return the JSON of the answer. Raise CouchError for a refusal."""
        answer = self.send(method, path, **options)
        if answer.status >= 400:
            raise refusal(answer)
        with self.understanding():
            return json.loads(answer.content)

    @contextmanager
    def understanding(self) -> Iterator[None]:
        """Raise Unreachable if an answer turns out not to have the form of CouchDB's."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unreachable(f"{self.url} does not answer as a CouchDB") from None


def _is_unknown_host(error: requests.RequestException) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, BaseException) and isinstance(reason.__cause__ or reason.__context__, socket.gaierror)


def refusal(answer: Answer) -> CouchError:
    """The error that an answer reports."""
    try:
        body = json.loads(answer.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        body = {}
    return CouchError(answer.status, str(body.get("error", "unknown_error")), body.get("reason"))


# ---- the endpoint

LONGEST_WAIT = 1.0
"""Seconds that one request waits for changes. A job that is cancelled ends when its request does."""


class HttpEndpoint:
    """The implementation of ``ReplicationEndpoint`` for a database by URL."""

    def __init__(self, node: Node, client: HttpClient) -> None:
        self._node = node
        self._client = client
        self.name = client.url

    # ---- the database

    def open(self) -> None:
        try:
            answer = self._client.send("GET")
        except UnknownHost:
            raise unknown_host(self.name) from None
        except Unreachable:
            raise no_connection(self.name) from None
        if answer.status == 401:
            if self._client.login is not None:
                raise login_refused(self.name, self._client.login)
            raise _unauthorized(401, self.name)
        if answer.status == 403:
            raise _unauthorized(403, self.name)
        if answer.status >= 400:
            raise db_not_found(self.name)

    def create(self, params: Mapping[str, Any]) -> None:
        options = {name: json.dumps(value).strip('"') for name, value in params.items()}
        answer = self._client.send("PUT", params=options)
        if answer.status in (401, 403):  # other errors show when the database is opened
            raise _unauthorized(answer.status, self.name)

    def update_seq(self) -> UpdateSequence:
        answer = self._client.ask("GET")
        with self._client.understanding():
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
            answer = self._client.ask(method, "_changes", params=params, **options)
        except CouchError as error:
            raise changes_failed(error) from None
        with self._client.understanding():
            return Page(
                [
                    SourceChange(row["seq"], row["id"], [each["rev"] for each in row["changes"]])
                    for row in answer["results"]
                ],
                answer.get("last_seq", since),
                answer.get("pending"),
            )

    def wait(self, since: UpdateSequence, seconds: float, stopping: threading.Event) -> None:
        milliseconds = str(int(max(0.0, min(seconds, LONGEST_WAIT)) * 1000))
        params = {"feed": "longpoll", "since": _as_text(since), "limit": "1", "timeout": milliseconds}
        self._client.send("GET", "_changes", params=params)

    def interrupt(self) -> None:
        """Do nothing: a waiting request ends soon."""

    def missing(self, revs: dict[str, list[str]]) -> dict[str, list[str]]:
        try:
            answer = self._client.ask("POST", "_revs_diff", body=revs)
        except CouchError as error:
            raise revs_diff_failed(error) from None
        with self._client.understanding():
            return {docid: entry["missing"] for docid, entry in answer.items()}

    # ---- documents

    def fetch(self, docid_revs: Sequence[tuple[str, list[str]]], bulk: bool) -> Fetched:
        attempts = sum(len(revs) for docid, revs in docid_revs if not docid.startswith("_design/"))
        if bulk:
            answer = self._client.send(
                "POST",
                "_bulk_get",
                params={"revs": "true", "latest": "true", "attachments": "true"},
                body={"docs": [{"id": docid, "rev": rev} for docid, revs in docid_revs for rev in revs]},
                headers={"Accept": "application/json"},
            )
            if answer.status < 400:
                with self._client.understanding():
                    documents = list(_bulk_documents(json.loads(answer.content)))
                    edits = list(self._edits(documents))
                    in_bulk = sum(
                        "_attachments" not in each for each in documents if not each["_id"].startswith("_design/")
                    )
                    return Fetched(edits, in_bulk, attempts)
        with self._client.understanding():
            documents = [document for docid, revs in docid_revs for document in self._open_revs(docid, revs)]
            return Fetched(list(self._edits(documents)))

    def _open_revs(self, docid: str, revs: list[str]) -> Iterator[dict[str, Any]]:
        params = {"open_revs": json.dumps(revs), "revs": "true", "latest": "true", "attachments": "true"}
        for entry in self._client.ask("GET", _path(docid), params=params, headers={"Accept": "application/json"}):
            if "ok" in entry:
                yield entry["ok"]

    def _edits(self, documents: list[dict[str, Any]]) -> Iterator[Edit]:
        settings = self._node.attachment_settings()
        seen = set()
        for document in documents:
            key = (document["_id"], document["_rev"])
            if key not in seen:
                seen.add(key)
                edit = read_edit(document, self._node.config, settings)
                fetch_as_stored(self._client, _path(edit.id), document, edit)
                yield edit

    def write(self, edits: list[Edit]) -> list[CouchError]:
        settings = self._node.attachment_settings()
        together: list[Edit] = []
        alone: list[Edit] = []
        for edit in edits:
            (alone if needs_multipart(_attachments(edit), settings) else together).append(edit)
        failures = self._write_together(together) if together else []
        for edit in alone:
            try:
                put_as_stored(self._client, _path(edit.id), _document(edit), _attachments(edit))
            except CouchError as error:
                failures.append(error)
        return failures

    def _write_together(self, edits: list[Edit]) -> list[CouchError]:
        docs = [_with_data(_document(edit), _attachments(edit)) for edit in edits]
        answer = self._client.ask("POST", "_bulk_docs", body={"new_edits": False, "docs": docs})
        with self._client.understanding():
            return [CouchError(403, row["error"], row.get("reason")) for row in answer if "error" in row]

    def read_local(self, docid: str) -> dict[str, Any] | None:
        answer = self._client.send("GET", _path(docid))
        if answer.status == 404:
            return None
        if answer.status >= 400:
            raise refusal(answer)
        with self._client.understanding():
            document: dict[str, Any] = json.loads(answer.content)
        return document

    def write_local(self, docid: str, document: dict[str, Any]) -> None:
        self._client.ask("PUT", _path(docid), body=document)


def _unauthorized(status: int, url: str) -> CouchError:
    error = "unauthorized" if status == 401 else "forbidden"
    return CouchError(status, error, f"{error} to access or create database {url}")


def _as_text(value: Any) -> str:
    """A sequence as a parameter. Sequences are strings or (before 2.0) numbers; those of Cloudant were arrays."""
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


def _attachments(edit: Edit) -> list[Attachment]:
    return list(edit.attachments) or [entry.stored for entry in edit.inputs if entry.stored is not None]


def _document(edit: Edit) -> dict[str, Any]:
    """The JSON of a revision with its history and without its attachments."""
    assert edit.rev is not None
    document = edit.document()
    document["_rev"] = format_rev(edit.rev)
    document["_revisions"] = {"start": edit.start, "ids": [format_hash(raw) for raw in edit.ids]}
    return document


def _with_data(document: dict[str, Any], attachments: list[Attachment]) -> dict[str, Any]:
    """A document with its attachments' data, as ``_bulk_docs`` takes it."""
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


# Attachments whose stored form JSON cannot carry: those that a client sent gzipped
#
# The data in a document's JSON is always decoded, and whether a server compresses it again depends on its settings. The
# digest, and with it the revision, follow from the stored bytes; so such attachments are sent and fetched as stored.


_LARGE = 1 << 16  # bytes


def fetch_as_stored(client: HttpClient, path: str, document: dict[str, Any], edit: Edit) -> None:
    """Replace attachments of an edit whose digest differs from the document's by the source's stored bytes.

    ``path``: the document's, at the source.
    """
    digests = {name: entry.get("digest") for name, entry in document.get("_attachments", {}).items()}
    changed = [one for one in edit.inputs if one.stored is not None and one.stored.digest != digests[one.name]]
    if not changed:
        return
    params = {"rev": document["_rev"], "att_encoding_info": "true"}
    stubs = client.ask("GET", path, params=params)["_attachments"]
    for place, entry in enumerate(edit.inputs):
        if entry in changed and entry.stored is not None and stubs[entry.name].get("encoding") == "gzip":
            stored = _fetch(client, path, document["_rev"], entry.stored, stubs[entry.name]["length"])
            edit.inputs[place] = replace(entry, stored=stored)


def _fetch(client: HttpClient, path: str, rev: str, old: Attachment, length: int) -> Attachment:
    answer = client.send(
        "GET",
        f"{path}/{quote(old.name, safe='')}",
        raw=True,
        params={"rev": rev},
        headers={"Accept-Encoding": "gzip"},
    )
    settings = AttachmentSettings()  # of no effect: bytes that come encoded are stored as they are
    return store(
        old.name, old.content_type, answer.content, settings, encoding="gzip", length=length, revpos=old.revpos
    )


def needs_multipart(attachments: list[Attachment], settings: AttachmentSettings) -> bool:
    """Return whether a server with such settings may store the decoded data of any attachment in another form.

    Large ones count anyway: to send them as they are costs less than to compress them for comparison.
    """
    return any(
        one.encoding == "gzip"
        and (one.encoded_length > _LARGE or store(one.name, one.content_type, one.decoded(), settings).md5 != one.md5)
        for one in attachments
    )


def put_as_stored(client: HttpClient, path: str, document: dict[str, Any], attachments: list[Attachment]) -> None:
    """Write a revision with its attachments' stored bytes, as ``multipart/related``. Raise CouchError if refused."""
    document = {**document, "_attachments": {one.name: _announced(one) for one in attachments}}
    boundary = secrets.token_hex(16)
    client.ask(
        "PUT",
        path,
        params={"new_edits": "false"},
        data=b"".join(_multipart(boundary, document, attachments)),
        headers={"Content-Type": f'multipart/related; boundary="{boundary}"'},
    )


def _announced(one: Attachment) -> dict[str, Any]:
    entry = {"content_type": one.content_type, "revpos": one.revpos, "digest": one.digest, "follows": True}
    if one.encoding == "identity":
        return {**entry, "length": one.length}
    return {**entry, "length": one.length, "encoding": one.encoding, "encoded_length": one.encoded_length}


def _multipart(boundary: str, document: dict[str, Any], attachments: list[Attachment]) -> Iterator[bytes]:
    mark = b"--" + boundary.encode("ascii")
    yield mark + b"\r\nContent-Type: application/json\r\n\r\n" + json.encode(document)
    for one in attachments:
        yield b"\r\n" + mark + b"\r\n\r\n" + one.data
    yield b"\r\n" + mark + b"--"
