"""How requests travel: a `requests.Session` with CouchDB's manners."""

from __future__ import annotations

import copy
import errno
import time
from collections.abc import Iterable, MutableMapping
from email.message import Message
from http.client import HTTPMessage
from http.cookiejar import DefaultCookiePolicy
from io import BytesIO
from typing import Any, Protocol, TypeAlias
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.structures import CaseInsensitiveDict

from couchdb_client import json
from couchdb_client.cache import Answer, Cache
from couchdb_client.errors import RedirectLimit, TimedOut, connection_error, http_error
from couchdb_client.streams import CHUNK_SIZE, ResponseBody, Upload
from couchdb_client.urls import basic_auth

__all__ = ["DEFAULT_TIMEOUT", "RETRYABLE_ERRORS", "Session", "SessionLike"]

#: Seconds to wait for a connection, and for the next bytes of an answer (a large view may take minutes to be built).
DEFAULT_TIMEOUT = (10.0, 300.0)

#: ``errno`` codes after which a request is worth another try.
RETRYABLE_ERRORS = frozenset({
    errno.EPIPE, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED,
    errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETRESET, errno.ENETUNREACH, errno.ENETDOWN,
})  # fmt: skip

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})

Timeout: TypeAlias = "float | tuple[float | None, float | None] | None"


class SessionLike(Protocol):
    """What a `Resource` needs of its session: couchdb-python's own Session has it too."""

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Any = None,
        credentials: Any = None,
    ) -> tuple[int, Message, Any]: ...


class Session:
    """Sends requests through ``transport``, a `requests.Session`.

    ``transport``: yours, with its adapters, proxies, certificates, headers and cookies; None makes one that remembers
    no cookies. ``timeout``: seconds of silence after which `TimedOut` is raised, or a pair for connecting and reading;
    None waits for ever. ``retry_delays``: seconds before each further try of a request that failed with one of the
    codes ``retryable_errors``. Only requests by idempotent methods are tried again: never a POST or a COPY, whose
    repetition could do its work twice. ``cache``: a mapping (or a `Cache`) in which answers with an ETag are kept, to
    be confirmed by the server the next time. ``max_redirects``: how many redirections of one request are followed.
    """

    def __init__(
        self,
        cache: MutableMapping[str, Answer] | Cache | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        max_redirects: int = 5,
        retry_delays: Iterable[float] = (0,),
        retryable_errors: Iterable[int | str] = RETRYABLE_ERRORS,
        *,
        transport: requests.Session | None = None,
    ) -> None:
        self.cache = cache if cache is None or isinstance(cache, Cache) else Cache(cache)
        self.timeout = timeout
        self.max_redirects = max_redirects
        self.retry_delays = list(retry_delays)
        self.retryable_errors = set(retryable_errors)
        self.remembers_cookies = True
        self._anonymous = None if transport else _anonymous
        self.transport = transport or _own_transport(max_redirects)

    def disable_ssl_verification(self) -> None:
        """Accept any certificate from now on."""
        self.transport.verify = False

    def close(self) -> None:
        """Close the connections that are kept open for further requests."""
        self.transport.close()

    def adjusted(self, *, wait: float | None = 0, retries: bool = True, cookies: bool = True) -> Session:
        """This session for a special request, by the same transport: one that may be silent for ``wait`` more seconds
        (None: for ever), that must not be repeated, or whose cookies must neither be sent nor kept."""
        session = copy.copy(self)
        connect, read = self.timeout if isinstance(self.timeout, tuple) else (self.timeout, self.timeout)
        session.timeout = (connect, None if wait is None or read is None else read + wait)
        session.retry_delays = self.retry_delays if retries else []
        session.remembers_cookies = self.remembers_cookies and cookies
        return session

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: MutableMapping[str, str] | None = None,
        credentials: tuple[str, str] | None = None,
        num_redirects: int = 0,
    ) -> tuple[int, Message, Any]:
        """``(status, headers, body)`` of the answer; the body is a readable binary file, or None after a HEAD request.

        ``body`` is sent as it is if it is bytes, text or a file-like object, else as JSON. Raises `HTTPError`'s
        subclasses for a status of 400 or above, `ConnectionFailed`, `TimedOut`, `RedirectLimit`.
        """
        method = method.upper()
        known = self.cache.get(url) if self.cache and method == "GET" else None
        sent: CaseInsensitiveDict[str] = CaseInsensitiveDict({"Accept": "application/json", **(headers or {})})
        if known and known[1]["ETag"]:
            sent.setdefault("If-None-Match", known[1]["ETag"])
        if isinstance(body, (bytearray, memoryview)):
            body = bytes(body)
        if credentials:
            sent["Authorization"] = basic_auth(credentials)
        if body is not None and not isinstance(body, (str, bytes)) and not hasattr(body, "read"):
            body = json.encode(body)
            sent.setdefault("Content-Type", "application/json")
        response = self._send(method, url, body, sent)
        if known and response.status_code == 304:
            response.close()
            return known[0], known[1], BytesIO(known[2])
        if response.status_code == 303 and "Location" in response.headers:
            response.close()
            return self._redirected(urljoin(url, response.headers["Location"]), url, sent, credentials, num_redirects)
        return self._answer(method, url, response)

    def _redirected(
        self, location: str, url: str, headers: MutableMapping[str, str], credentials: Any, num_redirects: int
    ) -> tuple[int, Message, Any]:
        """The answer to GET ``location``, to which a request that was not a GET was sent on."""
        if num_redirects >= self.max_redirects:
            raise RedirectLimit("Redirection limit exceeded")
        same_server = urlsplit(location)[:2] == urlsplit(url)[:2]
        kept = {name: value for name, value in headers.items() if name.lower() == "accept"}
        return self.request("GET", location, None, kept, credentials if same_server else None, num_redirects + 1)

    def _answer(self, method: str, url: str, response: requests.Response) -> tuple[int, Message, Any]:
        headers = _headers(response)
        status = response.status_code
        if status >= 400:
            content = _content(response)
            raise http_error(status, "" if method == "HEAD" else _detail(headers, content))
        if method == "HEAD":
            response.close()
            return status, headers, None
        if not _is_short(response):
            return status, headers, ResponseBody(response)
        content = _content(response)
        if self.cache and method == "GET" and headers["ETag"]:
            self.cache.put(url, (status, headers, content))
        return status, headers, BytesIO(content)

    def _send(self, method: str, url: str, body: Any, headers: CaseInsensitiveDict[str]) -> requests.Response:
        """Send, and send again where that is allowed and may help."""
        payload: Any = Upload(body) if hasattr(body, "read") else body
        if isinstance(body, str):
            payload = body.encode("utf-8")
        delays = iter(self.retry_delays if method in _IDEMPOTENT else ())
        while True:
            try:
                return self._send_once(method, url, payload, headers)
            except requests.exceptions.TooManyRedirects as exc:
                raise RedirectLimit("Redirection limit exceeded") from exc
            except OSError as exc:
                failure = connection_error(exc)
                if failure is None:
                    raise
                code = "timed out" if isinstance(failure, TimedOut) else failure.errno
                delay = next(delays, None) if code in self.retryable_errors else None
                if delay is None or (isinstance(payload, Upload) and not payload.rewind()):
                    raise failure from exc
                time.sleep(delay)

    def _send_once(self, method: str, url: str, payload: Any, headers: CaseInsensitiveDict[str]) -> requests.Response:
        transport = self.transport
        own = "Authorization" in headers or "Cookie" in headers
        request = requests.Request(
            method, url, headers=headers, data=payload, auth=_anonymous if own else self._anonymous
        )
        prepared = transport.prepare_request(request)
        _keep_dots(prepared, url)
        # With verify=None the environment's certificates would win over a transport that is told not to verify.
        verify = None if transport.verify is True else transport.verify
        settings: dict[str, Any] = dict(
            transport.merge_environment_settings(prepared.url or url, {}, True, verify, None), timeout=self.timeout
        )
        if self.remembers_cookies:
            response = transport.send(prepared, allow_redirects=method in ("GET", "HEAD"), **settings)
        else:
            if "Cookie" not in headers:
                prepared.headers.pop("Cookie", None)
            response = transport.get_adapter(prepared.url or url).send(prepared, **settings)
        if method == "HEAD" or response.status_code >= 400 or _is_short(response):
            response.content  # noqa: B018 - reads it here, where a broken connection can still be retried
        return response


def _own_transport(max_redirects: int) -> requests.Session:
    transport = requests.Session()
    transport.max_redirects = max_redirects
    transport.headers["User-Agent"] = f"couchdb_client {requests.utils.default_user_agent()}"
    # An AuthSession cookie that came with an answer would outrank the credentials of the requests that follow.
    transport.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return transport


def _anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An authentication that adds nothing: else requests looks for credentials elsewhere, and overwrites ours."""
    return request


def _keep_dots(prepared: requests.PreparedRequest, url: str) -> None:
    """Restore the escaped dots of a document called ``..``, which requests would take for a step up."""
    if "/%2E" in url and prepared.url:
        parts = urlsplit(prepared.url)
        prepared.url = urlunsplit(parts._replace(path=urlsplit(url).path))


def _is_short(response: requests.Response) -> bool:
    if response.status_code in (204, 304):
        return True
    length = response.headers.get("Content-Length", "")
    return length.isdecimal() and int(length) < CHUNK_SIZE


def _content(response: requests.Response) -> bytes:
    try:
        return response.content
    except OSError as exc:
        failure = connection_error(exc)
        if failure is None:
            raise
        raise failure from exc


def _headers(response: requests.Response) -> Message:
    """The answer's headers: a mapping that ignores case. ``get_all('Set-Cookie')`` gives that field's values apart."""
    fields = response.headers.items()
    if "Set-Cookie" in response.headers:  # the one field that may be repeated and whose values may hold commas
        fields = getattr(getattr(response.raw, "headers", None), "iteritems", response.headers.items)()
    message = HTTPMessage()
    for name, value in fields:
        message[name] = value
    return message


def _detail(headers: Message, content: bytes) -> Any:
    if "application/json" in headers.get("Content-Type", ""):
        try:
            error = json.decode(content)
        except ValueError:
            return content
        if isinstance(error, dict):
            return error.get("error"), error.get("reason")
    return content
