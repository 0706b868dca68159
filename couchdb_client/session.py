"""Sessions: requests with retries, redirects, timeouts, hooks, a cache, and CouchDB's errors."""

from __future__ import annotations

import errno
import http.client
import logging
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from email.message import Message
from io import BytesIO
from typing import Any, Protocol, TypeAlias
from urllib.parse import urljoin

import requests
import urllib3.exceptions
from requests.structures import CaseInsensitiveDict

from couchdb_client import cache as answer_cache
from couchdb_client import json
from couchdb_client.conditions import BUILDS, ORDINARY, Conditions
from couchdb_client.endpoints import is_read, is_repeatable, is_slow, is_update_function
from couchdb_client.errors import (
    RedirectLimit,
    ServerError,
    TimedOut,
    connection_error,
    http_error,
    in_request,
    is_unsent,
)
from couchdb_client.logins import CookieLogin, Credentials
from couchdb_client.own_session import own_session
from couchdb_client.streams import CHUNK_SIZE, ResponseBody, Upload
from couchdb_client.transport import Answer, Request, TimeoutValue, Transport
from couchdb_client.urls import basic_auth

__all__ = ["DEFAULT_TIMEOUT", "RETRYABLE_ERRORS", "Exchange", "Session", "SessionLike"]

#: Seconds to wait for a connection, and for the next bytes of an answer. (Requests that may have to wait until the
#: server has built an index have no limit of the second kind, unless the session's timeout is another than this.)
DEFAULT_TIMEOUT = (10.0, 300.0)

#: ``errno`` codes after which a request is worth another try.
RETRYABLE_ERRORS = frozenset({
    errno.EPIPE, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED,
    errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETRESET, errno.ENETUNREACH, errno.ENETDOWN,
})  # fmt: skip

log = logging.getLogger("couchdb_client")

#: What requests, urllib3 and the standard library raise if the connection cannot be made or breaks.
_FAILURES = (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException)

#: The body of an answer: bytes, or text if it is JSON; None if it has not been read.
Content: TypeAlias = "bytes | str | None"


@dataclass(frozen=True)
class Exchange:
    """A request that was made, for the hooks ``after_answer``.

    ``url`` has no credentials; ``status`` is None and ``error`` the exception if no answer came; ``attempt`` counts
    from 1.
    """

    method: str
    url: str
    status: int | None
    seconds: float
    attempt: int
    error: Exception | None = None


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

    - ``transport``: yours, with its adapters, proxies, certificates, headers, cookies and hooks; None makes one that
      remembers no cookies and has room for the connections of any number of threads.
    - ``timeout``: seconds without a response after which `TimedOut` is raised, or a pair for connecting and reading;
      None disables it.
    - ``retry_delays``: seconds before each retry of a request that failed with one of the codes
      ``retryable_errors``. Requests that may not be repeated (POST, COPY, update functions) are retried only if no
      connection was made; POSTs that only read (``_find``, ``keys`` of a view…) like GETs.
    - ``cache``: a mapping (or a `Cache`) for responses with an ETag, which are revalidated by the next request.
    - ``max_redirects``: how many redirects of one request are followed.
    - ``truststore``: verify certificates against the operating system's store, with the package ``truststore``.
    - ``before_request``: functions that are called with ``(method, url, headers)`` before each request and may change
      the headers, a dictionary. ``after_answer``: functions that are called with an `Exchange` after each request.

    The logger ``couchdb_client`` gets a line for each request (DEBUG) and each retry (INFO), without credentials,
    parameters and bodies.
    """

    def __init__(
        self,
        cache: MutableMapping[str, answer_cache.Answer] | answer_cache.Cache | None = None,
        timeout: TimeoutValue = DEFAULT_TIMEOUT,
        max_redirects: int = 5,
        retry_delays: Iterable[float] = (0,),
        retryable_errors: Iterable[int | str] = RETRYABLE_ERRORS,
        *,
        transport: requests.Session | None = None,
        truststore: bool = False,
        before_request: Iterable[Callable[[str, str, dict[str, str | None]], None]] = (),
        after_answer: Iterable[Callable[[Exchange], None]] = (),
    ) -> None:
        self.cache = cache if cache is None or isinstance(cache, answer_cache.Cache) else answer_cache.Cache(cache)
        self.timeout = timeout
        self.max_redirects = max_redirects
        self.retry_delays = list(retry_delays)
        self.retryable_errors = set(retryable_errors)
        self.before_request = list(before_request)
        self.after_answer = list(after_answer)
        if transport is not None and truststore:
            raise ValueError("truststore is for a session of the client's own: mount an adapter on yours")
        self._wire = Transport(transport or own_session(truststore=truststore), is_own=transport is None)

    @property
    def transport(self) -> requests.Session:
        """The `requests.Session` that requests go through."""
        return self._wire.session

    def disable_ssl_verification(self) -> None:
        """Accept any certificate from now on."""
        self.transport.verify = False

    @property
    def _disable_ssl_verification(self) -> bool:
        """Whether any certificate is accepted: couchdb-python's name, which picas reads."""
        return self.transport.verify is False

    @property
    def user_agent(self) -> str | bytes | None:
        """The header User-Agent of each request. Assign to it to replace it."""
        return self.transport.headers.get("User-Agent")

    @user_agent.setter
    def user_agent(self, value: str) -> None:
        self.transport.headers["User-Agent"] = value

    def close(self) -> None:
        """Close the connections that are kept open for further requests."""
        self.transport.close()

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: MutableMapping[str, str] | None = None,
        credentials: Credentials = None,
        num_redirects: int = 0,
        *,
        conditions: Conditions = ORDINARY,
    ) -> tuple[int, Message, Any]:
        """Return ``(status, headers, body)`` of the response; the body is a readable binary file, None after a HEAD
        request.

        ``body`` is sent as it is if it is bytes, text or a file-like object, else as JSON. Raise a subclass of
        `HTTPError` for a status of 400 or above, `ConnectionFailed`, `TimedOut` or `RedirectLimit`.
        """
        answer, content = self.perform(method, url, body, headers, credentials, conditions, num_redirects=num_redirects)
        if isinstance(answer, tuple):
            return answer[0], answer[1], BytesIO(answer[2])
        if method.upper() == "HEAD":
            return answer.status, answer.message(), None
        return answer.status, answer.message(), BytesIO(content) if isinstance(content, bytes) else ResponseBody(answer)

    def request_json(
        self,
        method: str,
        url: str,
        body: Any,
        headers: MutableMapping[str, str] | None,
        credentials: Credentials,
        conditions: Conditions = ORDINARY,
    ) -> tuple[Answer | answer_cache.Answer, Any]:
        """Make a request as `request` does; return the response, and the decoded value of its body if that is JSON."""
        answer, content = self.perform(method, url, body, headers, credentials, conditions, whole=True)
        if isinstance(content, str):
            return answer, json.decode(content)
        if _is_json(answer[1] if isinstance(answer, tuple) else answer.headers):
            return answer, json.decode((content or b"").decode("utf-8"))
        return answer, BytesIO(content or b"")

    def perform(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: MutableMapping[str, str] | None = None,
        credentials: Credentials = None,
        conditions: Conditions = ORDINARY,
        *,
        whole: bool = False,
        num_redirects: int = 0,
    ) -> tuple[Answer | answer_cache.Answer, Content]:
        """Make a request as `request` does; return the answer and its body, None if that is long and not yet read.

        With ``whole`` the body is always read, and may be text if it is JSON. An answer from the cache is a tuple
        ``(status, headers, body)``.
        """
        sent: dict[str, str | None] = {"Accept": "application/json"}
        if headers:
            _merge(sent, headers)
        payload = _payload(body, sent)
        request = Request(method.upper(), url, sent, payload, self._timeout(conditions, url), conditions.cookies)
        request.once = not is_repeatable(request.method, url)
        known = self._known(request) if self.cache is not None else None
        answer, content = self._authenticated(request, credentials, whole)
        if answer.status < 300:
            if self.cache is not None:
                self._keep(self.cache, request, answer, content)
            return answer, content
        if answer.status == 304 and known is not None:
            return known, known[2]
        if answer.status < 400 and "Location" in answer.headers:
            redirected = self._redirected(request, answer)
            if redirected is not None:
                answer.close()
                if num_redirects >= self.max_redirects:
                    raise _about(RedirectLimit("Redirection limit exceeded"), request)
                return self._follow(request, redirected, credentials, conditions, whole, num_redirects + 1)
        if answer.status >= 400:
            raise _http_error(request, answer, content)
        return answer, content

    # Answers that are kept

    def _known(self, request: Request) -> answer_cache.Answer | None:
        """Return the answer in the cache, and have the server confirm it."""
        known = self.cache.get(request.url) if self.cache is not None and request.method == "GET" else None
        if known is not None and known[1]["ETag"]:
            request.headers.setdefault("If-None-Match", known[1]["ETag"])
        return known

    def _keep(self, cache: answer_cache.Cache, request: Request, answer: Answer, content: Content) -> None:
        if request.method == "GET" and isinstance(content, bytes) and "ETag" in answer.headers:
            cache.put(request.url, (answer.status, answer.message(), content))

    # Credentials

    def _authenticated(self, request: Request, credentials: Credentials, whole: bool) -> tuple[Answer, Content]:
        """Send with the credentials, which a login renews if they have expired."""
        if not credentials:
            return self._send(request, whole)
        if not isinstance(credentials, CookieLogin):
            request.headers["Authorization"] = basic_auth(credentials)
            return self._send(request, whole)
        request.cookies = False
        cookie = request.headers["Cookie"] = credentials.cookie(self)
        answer, content = self._send(request, whole)
        if answer.status == 401 and _can_be_sent_again(request.body):
            answer.close()
            credentials.expire(cookie)
            request.headers["Cookie"] = credentials.cookie(self)
            answer, content = self._send(request, whole)
        if "Set-Cookie" in answer.headers:
            credentials.renew(answer.message())
        return answer, content

    # Redirects

    def _redirected(self, request: Request, answer: Answer) -> Request | None:
        """Return the request that a redirecting answer leads to; None if the answer itself is what was wanted."""
        status, method = answer.status, request.method
        location = urljoin(request.url, answer.headers["Location"])
        if status == 303:
            kept = {name: value for name, value in request.headers.items() if name == "Accept"}
            return Request("HEAD" if method == "HEAD" else "GET", location, kept)
        if status not in (301, 302, 307, 308) or is_update_function(request.url):
            return None
        if method == "POST" and status in (301, 302) and not is_read(method, request.url):
            reason = (
                f"POST was redirected to {location}, and whether to repeat it there is not for the client to decide."
            )
            answer.close()
            raise _about(ServerError((status, ("redirected", reason))), request)
        if not _can_be_sent_again(request.body):
            answer.close()
            reason = f"{method} was redirected to {location}, but its body cannot be read again."
            raise _about(ServerError((status, ("redirected", reason))), request)
        return Request(method, location, dict(request.headers), request.body)

    def _follow(
        self,
        request: Request,
        redirected: Request,
        credentials: Credentials,
        conditions: Conditions,
        whole: bool,
        num_redirects: int,
    ) -> tuple[Answer | answer_cache.Answer, Content]:
        """Make the request that another was redirected to. Credentials go to the same server only."""
        if self.transport.should_strip_auth(request.url, redirected.url):
            credentials = None
            redirected.headers["Authorization"] = redirected.headers["Cookie"] = None
            conditions = replace(conditions, cookies=False)
        headers: Any = redirected.headers
        body = redirected.body
        return self.perform(
            redirected.method,
            redirected.url,
            body,
            headers,
            credentials,
            conditions,
            whole=whole,
            num_redirects=num_redirects,
        )

    # Sending

    def _send(self, request: Request, whole: bool) -> tuple[Answer, Content]:
        """Send, and send again where that is allowed and may help."""
        delays = iter(self.retry_delays)
        attempt = 1
        while True:
            started = time.perf_counter()
            try:
                if self.before_request:
                    self._call_before(request)
                answer = self._wire.send(request)
                content = self._content(request, answer, whole)
            except _FAILURES as exc:
                failure = self._note(request, started, attempt, exc)
                if not self._may_repeat(request, exc, failure):
                    raise failure from exc
                delay = next(delays, None)
                if delay is None:
                    raise failure from exc
                log.info("%s %s failed (%s), trying again", request.method, _path(request.url), failure.strerror)
                time.sleep(delay)
                attempt += 1
            else:
                if self.after_answer or log.isEnabledFor(logging.DEBUG):
                    self._report(Exchange(request.method, request.url, answer.status, _since(started), attempt))
                return answer, content

    def _content(self, request: Request, answer: Answer, whole: bool) -> Content:
        if not whole:
            return answer.content() if _is_read_at_once(request, answer) else None
        if self.cache is None and answer.status < 300 and request.method != "HEAD" and _is_json(answer.headers):
            return answer.text()
        return answer.content()

    def _note(self, request: Request, started: float, attempt: int, exc: Exception) -> OSError:
        """Return the client's exception for ``exc``; raise ``exc`` itself if it is not about the connection."""
        failure = connection_error(exc)
        if failure is None:
            raise exc
        in_request(failure, request.method, request.url)
        self._report(Exchange(request.method, request.url, None, _since(started), attempt, failure))
        return failure

    def _may_repeat(self, request: Request, exc: Exception, failure: OSError) -> bool:
        """Return whether the request may be sent again: it failed in a way that may pass, and cannot be done twice."""
        code = "timed out" if isinstance(failure, TimedOut) else failure.errno
        if code not in self.retryable_errors:
            return False
        if request.once and not is_unsent(exc):
            return False
        return not isinstance(request.body, Upload) or request.body.rewind()

    def _call_before(self, request: Request) -> None:
        for hook in self.before_request:
            hook(request.method, request.url, request.headers)

    def _report(self, exchange: Exchange) -> None:
        outcome = exchange.error if exchange.status is None else exchange.status
        log.debug("%s %s %s (%.1f ms)", exchange.method, _path(exchange.url), outcome, exchange.seconds * 1000)
        for hook in self.after_answer:
            hook(exchange)

    def _timeout(self, conditions: Conditions, url: str) -> TimeoutValue:
        timeout = self.timeout
        if timeout is None:
            return timeout
        if conditions is ORDINARY:
            if timeout != DEFAULT_TIMEOUT or not is_slow(url):
                return timeout
            conditions = BUILDS
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        if read is None or conditions.wait is None or (conditions.builds and timeout == DEFAULT_TIMEOUT):
            return connect, None
        return connect, read + conditions.wait


def _merge(sent: dict[str, str | None], headers: MutableMapping[str, str]) -> None:
    """Add ``headers`` to ``sent``; a name that differs in case only replaces the other."""
    merged = CaseInsensitiveDict(sent)
    merged.update(headers)
    sent.clear()
    sent.update({"-".join(map(str.capitalize, name.split("-"))): value for name, value in merged.items()})


def _payload(body: Any, sent: dict[str, str | None]) -> Any:
    """Return what to send for ``body``, and set the content type if that is JSON."""
    if body is None or isinstance(body, (bytes, Upload)):
        return body
    if isinstance(body, str):
        return body.encode("utf-8")
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read"):
        return Upload(body)
    sent.setdefault("Content-Type", "application/json")
    return json.encode(body).encode("utf-8")


def _can_be_sent_again(body: Any) -> bool:
    return not isinstance(body, Upload) or body.rewind()


def _is_read_at_once(request: Request, answer: Answer) -> bool:
    """Return whether the body is short (or an error's): then a connection that breaks can still be repeated."""
    if answer.status >= 400 or answer.status in (204, 304) or request.method == "HEAD":
        return True
    length = answer.headers.get("Content-Length", "")
    return length.isdecimal() and int(length) < CHUNK_SIZE


def _is_json(headers: Mapping[str, str] | Message) -> bool:
    return "application/json" in (headers.get("Content-Type") or "")


def _http_error(request: Request, answer: Answer, content: Content) -> Exception:
    detail: Any = "" if request.method == "HEAD" else content
    if isinstance(content, bytes) and _is_json(answer.headers):
        try:
            error = json.decode(content.decode("utf-8"))
        except ValueError:
            error = None
        if isinstance(error, dict):
            detail = error.get("error"), error.get("reason")
    return _about(http_error(answer.status, detail), request)


def _about(exc: Exception, request: Request) -> Exception:
    in_request(exc, request.method, request.url)
    return exc


def _path(url: str) -> str:
    """Return the path of a URL, without its parameters."""
    return "/" + url.partition("?")[0].split("/", 3)[-1]


def _since(started: float) -> float:
    return time.perf_counter() - started
