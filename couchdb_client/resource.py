"""A URL of the server, and the requests that can be made to it and below it."""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING, Any

import requests

from couchdb_client import json
from couchdb_client.conditions import ORDINARY, Conditions
from couchdb_client.errors import HTTPError
from couchdb_client.logins import Credentials
from couchdb_client.session import Session, SessionLike
from couchdb_client.transport import Answer
from couchdb_client.urls import extract_credentials, urljoin

if TYPE_CHECKING:
    from typing import TypeGuard

    from typing_extensions import Self

__all__ = ["Resource"]


class Resource:
    """A URL of the server, reached through ``session``.

    Credentials in ``url`` are taken out and sent as Basic authentication. ``session`` is a `Session`, a
    `requests.Session` (which becomes the transport of a `Session`), any object with the same ``request`` method, or
    None for a session of its own. ``headers`` are sent with each request.

    A subclass that replaces ``_request`` sees every request.

    Calling a resource with segments of a path gives the resource below it: ``resource('db', 'a/b')`` is ``…/db/a%2Fb``.
    Each method takes a ``path`` (one segment, or a list of them), ``headers``, perhaps a ``body`` (see
    `Session.request`), and any other keyword as a parameter of the query string. All return ``(status, headers,
    data)``: data is a readable binary file, or from the methods that end in ``_json`` the decoded value if the answer
    is JSON. Errors are those of `Session.request`.
    """

    #: The document that errors of requests to this resource are about.
    docid: str | None = None
    #: What is special about the requests.
    conditions: Conditions = ORDINARY

    def __init__(
        self, url: str, session: SessionLike | requests.Session | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.url, found = extract_credentials(url)
        self.credentials: Credentials = found
        self.session: SessionLike = _session(session)
        self.headers = headers or {}

    def __call__(self, *path: str) -> Self:
        return self._at(urljoin(self.url, *path))

    def under(self, conditions: Conditions) -> Self:
        """Return this resource with other conditions for its requests."""
        resource = self._at(self.url)
        resource.conditions = conditions
        return resource

    def of_document(self, docid: str) -> Self:
        """Return the resource of the document ``docid`` of this database.

        In the ID of a design or local document the slash after the reserved word separates segments; any other is
        escaped.
        """
        resource = self._at(urljoin(self.url, *(docid.split("/", 1) if docid[:1] == "_" else (docid,))))
        resource.docid = docid
        return resource

    def parent(self) -> Self:
        """Return the resource one segment above."""
        return self._at(self.url.rpartition("/")[0])

    def _at(self, url: str) -> Self:
        if type(self).__init__ is not Resource.__init__:  # a subclass that wants to see each of its resources
            resource = type(self)(url, self.session)
        else:
            resource = type(self).__new__(type(self))
            resource.url = url
            resource.session = self.session
        resource.credentials = self.credentials
        resource.headers = self.headers.copy()
        resource.docid = self.docid
        resource.conditions = self.conditions
        return resource

    def delete(self, path: Any = None, headers: Any = None, **params: Any) -> tuple[int, Message, Any]:
        return self._request("DELETE", path, headers=headers, **params)

    def get(self, path: Any = None, headers: Any = None, **params: Any) -> tuple[int, Message, Any]:
        return self._request("GET", path, headers=headers, **params)

    def head(self, path: Any = None, headers: Any = None, **params: Any) -> tuple[int, Message, Any]:
        return self._request("HEAD", path, headers=headers, **params)

    def post(self, path: Any = None, body: Any = None, headers: Any = None, **params: Any) -> tuple[int, Message, Any]:
        return self._request("POST", path, body=body, headers=headers, **params)

    def put(self, path: Any = None, body: Any = None, headers: Any = None, **params: Any) -> tuple[int, Message, Any]:
        return self._request("PUT", path, body=body, headers=headers, **params)

    def delete_json(self, path: Any = None, headers: Any = None, **params: Any) -> tuple[int, Message, Any]:
        return self._request_json("DELETE", path, headers=headers, **params)

    def get_json(self, path: Any = None, headers: Any = None, **params: Any) -> tuple[int, Message, Any]:
        return self._request_json("GET", path, headers=headers, **params)

    def post_json(
        self, path: Any = None, body: Any = None, headers: Any = None, **params: Any
    ) -> tuple[int, Message, Any]:
        return self._request_json("POST", path, body=body, headers=headers, **params)

    def put_json(
        self, path: Any = None, body: Any = None, headers: Any = None, **params: Any
    ) -> tuple[int, Message, Any]:
        return self._request_json("PUT", path, body=body, headers=headers, **params)

    def copy_json(self, destination: str, path: Any = None, **params: Any) -> tuple[int, Message, Any]:
        """Send CouchDB's COPY, to a document of the same database; ``destination`` is its quoted ID, perhaps with
        ``?rev=``."""
        return self._request_json("COPY", path, headers={"Destination": destination}, **params)

    def _request(
        self, method: str, path: Any = None, body: Any = None, headers: Any = None, **params: Any
    ) -> tuple[int, Message, Any]:
        session = self.session
        conditions: Any = {"conditions": self.conditions} if _is_ours(session) else {}
        try:
            return session.request(
                method,
                self._url(path, params),
                body=body,
                headers={**self.headers, **(headers or {})},
                credentials=self.credentials,
                **conditions,
            )
        except HTTPError as exc:
            exc.docid = exc.docid or self.docid
            raise

    def _request_json(
        self, method: str, path: Any = None, body: Any = None, headers: Any = None, **params: Any
    ) -> tuple[int, Message, Any]:
        if not _is_ours(self.session) or type(self)._request is not Resource._request:
            status, answer_headers, data = self._request(method, path, body=body, headers=headers, **params)
            if data is not None and "application/json" in (answer_headers.get("Content-Type") or ""):
                return status, answer_headers, json.decode(data.read().decode("utf-8"))
            return status, answer_headers, data
        answer, data = self._fetch(self.session, method, path, body, headers, params)
        if isinstance(answer, tuple):
            return answer[0], answer[1], data
        return answer.status, answer.message(), data

    def fetch(self, method: str, path: Any = None, body: Any = None, headers: Any = None, **params: Any) -> Any:
        """Make a request and return the decoded value of the answer, without its status and headers."""
        if not _is_ours(self.session) or type(self)._request is not Resource._request:
            return self._request_json(method, path, body, headers, **params)[2]
        return self._fetch(self.session, method, path, body, headers, params)[1]

    def _fetch(
        self, session: Session, method: str, path: Any, body: Any, headers: Any, params: dict[str, Any]
    ) -> tuple[Answer | tuple[int, Message, bytes], Any]:
        all_headers = {**self.headers, **headers} if headers else self.headers
        try:
            return session.request_json(
                method, self._url(path, params), body, all_headers, self.credentials, self.conditions
            )
        except HTTPError as exc:
            exc.docid = exc.docid or self.docid
            raise

    def _url(self, path: Any, params: dict[str, Any]) -> str:
        if path is None:
            return urljoin(self.url, **params) if params else self.url
        return urljoin(self.url, *(path if isinstance(path, (list, tuple)) else (path,)), **params)


def _is_ours(session: SessionLike) -> TypeGuard[Session]:
    """Return whether ``session`` is a `Session` whose ``request`` no subclass has replaced."""
    return isinstance(session, Session) and type(session).request is Session.request


def _session(session: SessionLike | requests.Session | None) -> SessionLike:
    if session is None or isinstance(session, requests.Session):
        return Session(transport=session)
    return session
