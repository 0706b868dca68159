"""How one request travels through a `requests.Session`.

Everything a `requests.Session` can be given is honoured: adapters, authentication, proxies, certificates, cookies,
headers, hooks, and subclasses or patches of its methods. But most sessions have little of it, and requests spends two
thirds of the time of a small request on merging settings and on wrapping the answer. So there are three ways, the
shortest that comes to the same being taken each time:

1. *direct*: nothing but a plain adapter, headers, certificates and Basic authentication. The request goes to a
   connection of the adapter's own pool, by http.client (see `couchdb_client.direct`).
2. *adapter*: the request is prepared by the session and given to the adapter.
3. *session*: the request goes through the session's ``send``: there are hooks, or ``send`` is not requests' own.

What the environment says (proxies, certificates, ``.netrc``) is looked up once for each server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPMessage
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.utils import get_netrc_auth
from urllib3.response import BaseHTTPResponse

from couchdb_client.direct import PIECE_SIZE, DirectResponse, KeptConnections, Timeouts, exchange
from couchdb_client.methods import Methods
from couchdb_client.urls import basic_auth

__all__ = ["Answer", "Request", "TimeoutValue", "Transport"]

TimeoutValue: TypeAlias = "float | tuple[float | None, float | None] | None"

#: A URL that requests would send as it is: a host in lower case, no user, and a path and query of plain characters and
#: escapes in upper case. (Escaped dots, which requests would take for a step up, go the direct way unharmed.)
_PLAIN_URL = re.compile(
    r"(https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?)((?:/[A-Za-z0-9_.~!$&'()*+,;=:@%/-]*)(?:\?[A-Za-z0-9_.~!$&'()*+,;=:@%/?-]*)?)",
    re.ASCII,
)
_DOTS = re.compile(r"/\.{1,2}(?:[/?]|\Z)")


_SESSION = Methods(
    requests.Session, "send", "get_adapter", "prepare_request", "merge_environment_settings", "rebuild_auth"
)
_SESSION_SEND = Methods(requests.Session, "send", "get_adapter")
_ADAPTER = Methods(
    HTTPAdapter, "send", "get_connection_with_tls_context", "add_headers", "build_response", "request_url"
)  # fmt: skip


@dataclass
class Request:
    """A request to be sent.

    Of ``headers`` None as a value removes the session's. Authorization and Cookie among them, even None, replace the
    session's authentication.
    """

    method: str
    url: str
    headers: dict[str, str | None]
    body: Any = None
    timeout: TimeoutValue = None
    #: Whether the session's cookies are sent, and the answer's kept.
    cookies: bool = True
    #: Whether the server must not get the request twice.
    once: bool = False


class Answer:
    """An answer whose body has not been read, from `direct.exchange`, urllib3 or requests."""

    __slots__ = ("_direct", "_raw", "headers", "method", "response", "status", "url")

    def __init__(
        self,
        request: Request,
        raw: BaseHTTPResponse | DirectResponse,
        response: requests.Response | None = None,
    ) -> None:
        self.method = request.method
        self.url = request.url
        self.response = response
        self._direct: DirectResponse | None = None
        self._raw: BaseHTTPResponse | None = None
        if isinstance(raw, DirectResponse):
            self._direct = raw
        else:
            self._raw = raw
        self.status: int = raw.status if response is None else response.status_code
        headers: Any = raw.headers if response is None else response.headers
        self.headers: Mapping[str, str] = headers

    @property
    def raw(self) -> BaseHTTPResponse:
        """The answer as urllib3 has it."""
        if self._raw is None:
            assert self._direct is not None
            self._raw = self._direct.wrapped()
        return self._raw

    def content(self) -> bytes:
        """Return the whole body, decoded, and give the connection back."""
        if self.response is not None and self.response._content_consumed:  # by a hook
            return self.response.content
        direct = self._plain()
        return self.raw.read(decode_content=True) if direct is None else direct.read()

    def read(self, size: int) -> bytes | None:
        """Return the next ``size`` bytes of the body, the rest if that is negative; None if `pieces` has to be read."""
        direct = self._plain()
        return None if direct is None else direct.read(size)

    def _plain(self) -> DirectResponse | None:
        """Return the answer whose body can be read as it was sent, without urllib3."""
        return self._direct if self._raw is None and "Content-Encoding" not in self.headers else None

    def text(self) -> str:
        """Return the whole body as `content` does, as text; it is UTF-8. Raise UnicodeDecodeError if it is not."""
        direct = self._plain()
        return self.content().decode("utf-8") if direct is None else direct.text()

    def pieces(self) -> Iterator[bytes]:
        """Return the pieces of the body, decoded, each as soon as it arrives.

        A chunked body comes chunk by chunk, one of known length in large pieces. Where neither is known, the end of the
        connection is the end of the body, and waiting for a large piece could take until then: there, whatever has
        arrived is a piece.
        """
        if self.response is not None and self.response._content_consumed:
            return iter([self.response.content])
        direct = self._plain()
        if direct is not None:
            return direct.pieces()
        raw = self.raw
        if getattr(raw, "chunked", False) or "Content-Length" in self.headers or not hasattr(raw, "read1"):
            pieces = raw.stream(PIECE_SIZE, decode_content=True)
            return (piece for piece in pieces if piece)
        return iter(lambda: raw.read1(PIECE_SIZE, decode_content=True), b"")

    def close(self) -> None:
        """Close the connection if the body was not read to its end, else give it back."""
        if self.response is not None:
            self.response.close()
        elif self._raw is not None:
            self._raw.close()
            self._raw.release_conn()
        elif self._direct is not None:
            self._direct.close()

    def interrupt(self) -> None:
        """End a read that waits in another thread."""
        if self._raw is None and self._direct is not None:
            self._direct.interrupt()
            return
        if not hasattr(self.raw, "shutdown"):
            self.close()
            return
        with suppress(ValueError, RuntimeError, OSError):  # it has been read to its end
            self.raw.shutdown()

    def message(self) -> Message:
        """Return the headers as a mapping that ignores case; ``get_all('Set-Cookie')`` gives a field's values apart."""
        if self._direct is not None:
            return self._direct.headers
        original = getattr(getattr(self.raw, "_original_response", None), "msg", None)
        if isinstance(original, HTTPMessage):
            return original
        fields = self.headers.items()
        if "Set-Cookie" in self.headers:  # the one field that may be repeated and whose values may hold commas
            fields = getattr(getattr(self.raw, "headers", None), "iteritems", self.headers.items)()
        message = HTTPMessage()
        for name, value in fields:
            message.set_raw(name, value)
        return message


@dataclass
class _Environment:
    """What applies to all requests to one server: proxies, certificates, credentials from ``.netrc``."""

    proxies: dict[str, str]
    verify: bool | str
    cert: Any
    netrc: tuple[str, str] | None


@dataclass
class _Cached:
    """What a `Transport` has found out and made, of no use to another process."""

    pid: int = field(default_factory=os.getpid)
    environments: dict[Any, _Environment] = field(default_factory=dict)
    kept: dict[Any, KeptConnections] = field(default_factory=dict)


class Transport:
    """Sends requests through ``session``.

    ``is_own`` says that the client made the session: then no credentials are looked up in ``.netrc``. A process made by
    ``fork`` gets connections of its own.
    """

    def __init__(self, session: requests.Session, *, is_own: bool) -> None:
        self.session = session
        self.is_own = is_own
        self._cached = _Cached()

    def __getstate__(self) -> dict[str, Any]:
        return {"session": self.session, "is_own": self.is_own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._cached = _Cached()

    def send(self, request: Request) -> Answer:
        """Send the request and return the answer, with whatever status. Redirects are not followed.

        Raise what requests or urllib3 raise.
        """
        session = self.session
        if os.getpid() != self._cached.pid:
            self._renew_connections()
        adapter = session.get_adapter(request.url)
        if isinstance(adapter, HTTPAdapter) and self._is_plain(request, adapter):
            plain = _PLAIN_URL.fullmatch(request.url)
            environment = self._environment(plain[1], session) if plain and not _DOTS.search(request.url) else None
            if plain and environment and not environment.proxies:
                kept = self._kept(adapter, plain[1], environment)
                if kept.is_direct():
                    return self._send_direct(request, kept, plain[2], environment)
        return self._send_prepared(request, adapter)

    def _is_plain(self, request: Request, adapter: HTTPAdapter) -> bool:
        """Return whether nothing but what `_send_direct` knows has to be done for the request."""
        session = self.session
        return (
            _ADAPTER.are_those_of(adapter)
            and _SESSION.are_those_of(session)
            and adapter.max_retries.total == 0
            and not any(session.hooks.values())
            and not session.params
            and (not session.auth or type(session.auth) is tuple)
            and (not request.cookies or not len(session.cookies))
        )

    # The direct way

    def _send_direct(self, request: Request, kept: KeptConnections, target: str, environment: _Environment) -> Answer:
        session = self.session
        fields: dict[str, tuple[str, Any]] = {name.lower(): (name, value) for name, value in session.headers.items()}
        for name, value in request.headers.items():
            fields[name.lower()] = name, value
        credentials: Any = session.auth or environment.netrc
        if credentials and "Authorization" not in request.headers and "Cookie" not in request.headers:
            fields["authorization"] = "Authorization", basic_auth(credentials)
        length = getattr(request.body, "len", None)
        if length is not None:
            fields["content-length"] = "Content-Length", str(length)
        timeouts = _pair(request.timeout)
        direct = exchange(kept, request.method, target, fields, request.body, timeouts, once=request.once)
        answer = Answer(request, direct)
        if "Set-Cookie" in answer.headers and request.cookies:
            prepared = requests.Request(request.method, request.url).prepare()
            extract_cookies_to_jar(session.cookies, prepared, answer.raw)
        return answer

    def _kept(self, adapter: HTTPAdapter, origin: str, environment: _Environment) -> KeptConnections:
        """Return the adapter's connections to the server."""
        key = (adapter, origin, environment.verify, environment.cert)
        kept = self._cached.kept.get(key)
        if kept is None or kept.pool.pool is None:  # closed, by the session or to make room for other servers
            prepared = requests.Request("GET", origin + "/").prepare()
            pool = adapter.get_connection_with_tls_context(prepared, environment.verify, {}, environment.cert)
            adapter.cert_verify(pool, origin, environment.verify, environment.cert)
            kept = self._cached.kept[key] = KeptConnections(pool)
        return kept

    # The other ways

    def _send_prepared(self, request: Request, adapter: BaseAdapter) -> Answer:
        session = self.session
        prepared = self._prepare(request)
        environment = self._environment(_origin(request.url), session)
        settings: dict[str, Any] = {
            "stream": True,
            "timeout": request.timeout,
            "verify": environment.verify,
            "cert": environment.cert,
            "proxies": environment.proxies,
        }
        if request.cookies and (any(prepared.hooks.values()) or not _SESSION_SEND.are_those_of(session)):
            response = session.send(prepared, allow_redirects=False, **settings)
        else:
            response = adapter.send(prepared, **settings)
            if request.cookies and "Set-Cookie" in response.headers:
                extract_cookies_to_jar(session.cookies, prepared, response.raw)
        return Answer(request, cast(BaseHTTPResponse, response.raw), response)

    def _prepare(self, request: Request) -> requests.PreparedRequest:
        """Return the request as the session prepares it."""
        session = self.session
        given = "Authorization" in request.headers or "Cookie" in request.headers
        anonymous = given or (self.is_own and not session.auth)
        if not session.auth and not session.trust_env and all(map(_is_plain_value, request.headers.values())):
            # Nothing but the headers themselves depends on them: requests need not merge and check them.
            prepared = session.prepare_request(requests.Request(request.method, request.url, data=request.body))
            for name, value in request.headers.items():
                prepared.headers[name] = cast("str", value)
        else:
            prepared = session.prepare_request(
                requests.Request(
                    request.method,
                    request.url,
                    headers=cast(Any, request.headers),
                    data=request.body,
                    auth=_anonymous if anonymous else None,
                )
            )
        if "/%2E" in request.url:
            _keep_dots(prepared, request.url)
        if not request.cookies and "Cookie" not in request.headers:
            prepared.headers.pop("Cookie", None)
        return prepared

    # What is looked up once

    def _environment(self, origin: str, session: requests.Session) -> _Environment:
        """Return what the session and the environment configure for requests to ``origin`` (a scheme and a host)."""
        proxies = session.proxies
        key = (origin, session.verify, session.cert, session.trust_env, tuple(proxies.items()) if proxies else None)
        found = self._cached.environments.get(key)
        if found is None:
            found = self._cached.environments[key] = self._look_up(origin, session)
        return found

    def _look_up(self, origin: str, session: requests.Session) -> _Environment:
        # With verify=None the environment's certificates would win over a session that is set not to verify.
        verify = None if session.verify is True else session.verify
        settings = session.merge_environment_settings(origin + "/", {}, True, verify, None)
        if settings["verify"] is True and session.trust_env:
            settings["verify"] = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or True
        netrc = get_netrc_auth(origin + "/") if session.trust_env and not self.is_own and not session.auth else None
        return _Environment(dict(settings["proxies"]), settings["verify"], settings["cert"], netrc)

    def _renew_connections(self) -> None:
        """Leave the connections of the process that this one was forked from to that process."""
        for adapter in self.session.adapters.values():
            if isinstance(adapter, HTTPAdapter):
                adapter.__setstate__(adapter.__getstate__())
        self._cached = _Cached()


def _anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """An authentication that adds nothing: else requests looks for credentials elsewhere, and overwrites ours."""
    return request


def _pair(timeout: TimeoutValue) -> Timeouts:
    return timeout if isinstance(timeout, tuple) else (timeout, timeout)


def _is_plain_value(value: object) -> bool:
    return type(value) is str and value.isprintable()


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _keep_dots(prepared: requests.PreparedRequest, url: str) -> None:
    """Restore the escaped dots of a document called ``..``, which requests would take for a step up."""
    if prepared.url:
        parts = urlsplit(prepared.url)
        prepared.url = urlunsplit(parts._replace(path=urlsplit(url).path))
