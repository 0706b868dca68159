"""Requests to one database of another server, with retries and bounds."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import requests

from couchfake.errors import CouchError
from couchfake.replicator.endpoints import UnknownHost, Unreachable
from couchfake.replicator.request import basic_user
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
