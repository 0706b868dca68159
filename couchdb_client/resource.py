"""A URL of the server, and the requests that can be made to it and below it."""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING, Any

import requests

from couchdb_client import json
from couchdb_client.session import Session, SessionLike
from couchdb_client.urls import extract_credentials, urljoin

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Resource"]


class Resource:
    """``url`` (credentials in it are taken out and sent as Basic authentication), reached through ``session``.

    ``session`` is a `Session`, a `requests.Session` (which becomes the transport of a `Session`), any object with the
    same ``request`` method, or None for a session of its own. ``headers`` are sent with each request.

    Calling a resource with segments of a path gives the resource below it: ``resource('db', 'a/b')`` is ``…/db/a%2Fb``.
    Each method takes a ``path`` (one segment, or a list of them), ``headers``, perhaps a ``body`` (see
    `Session.request`), and any other keyword as a parameter of the query string. All return ``(status, headers,
    data)``: data is a readable binary file, or from the methods that end in ``_json`` the decoded value if the answer
    is JSON. Errors are those of `Session.request`.
    """

    def __init__(
        self, url: str, session: SessionLike | requests.Session | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.url, self.credentials = extract_credentials(url)
        self.session: SessionLike = _session(session)
        self.headers = headers or {}

    def __call__(self, *path: str) -> Self:
        return self._at(urljoin(self.url, *path))

    def adjusted(self, **conditions: Any) -> Self:
        """This resource, its requests made under the ``conditions`` of `Session.adjusted` (where the session is such a
        one)."""
        resource = self._at(self.url)
        if isinstance(self.session, Session):
            resource.session = self.session.adjusted(**conditions)
        return resource

    def parent(self) -> Self:
        """The resource one segment above."""
        return self._at(self.url.rpartition("/")[0])

    def _at(self, url: str) -> Self:
        resource = type(self)(url, self.session)
        resource.credentials = self.credentials
        resource.headers = self.headers.copy()
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
        """CouchDB's COPY, to a document of the same database; ``destination`` is its quoted id, perhaps with
        ``?rev=``."""
        return self._request_json("COPY", path, headers={"Destination": destination}, **params)

    def _request(
        self, method: str, path: Any = None, body: Any = None, headers: Any = None, **params: Any
    ) -> tuple[int, Message, Any]:
        segments = [] if path is None else path if isinstance(path, (list, tuple)) else [path]
        return self.session.request(
            method,
            urljoin(self.url, *segments, **params),
            body=body,
            headers={**self.headers, **(headers or {})},
            credentials=self.credentials,
        )

    def _request_json(
        self, method: str, path: Any = None, body: Any = None, headers: Any = None, **params: Any
    ) -> tuple[int, Message, Any]:
        status, answer_headers, data = self._request(method, path, body=body, headers=headers, **params)
        if data is not None and "application/json" in (answer_headers.get("Content-Type") or ""):
            return status, answer_headers, json.decode(data.read())
        return status, answer_headers, data


def _session(session: SessionLike | requests.Session | None) -> SessionLike:
    if session is None or isinstance(session, requests.Session):
        return Session(transport=session)
    return session
