"""The application behind ``requests``, without a socket.

    with session(application) as s:
        s.get(BASE_URL + "/_all_dbs").json()

:class:`ApplicationAdapter` is a ``requests`` transport adapter that calls a WSGI application in the caller's thread.
The answer is that of the same request over a socket: paths keep their escapes, streaming answers stream, cookies and
redirects work, and closing an answer ends the feed behind it. There are two differences: an exception in the
application is raised unchanged instead of as a broken connection, and a timeout interrupts an application that waits
through its :class:`~couchfake.transports.client.Client`, but is raised late if the application computes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.models import PreparedRequest, Request
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3.exceptions import ReadTimeoutError

from couchfake.transports.client import ENVIRON_KEY, Client, ClientDisconnected
from couchfake.transports.in_process.response import RawAnswer, read_timed_out
from couchfake.transports.monotonic import real_monotonic
from couchfake.transports.wsgi import Answer, DateHeader, base_environ, header_items, make_environ, within_limits

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


HOST = "couchfake.invalid"  # a name that never resolves (RFC 2606)
BASE_URL = f"http://{HOST}"


class Upload(io.RawIOBase):
    """A request body that is made while it is read, from a file or an iterable; ``length`` in bytes, if known."""

    def __init__(self, pieces: Iterator[bytes | str], length: int | None) -> None:
        self._pieces = pieces
        self._remaining = length
        self._ahead = b""
        self.error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._ahead:
            if self._remaining == 0:
                return 0
            try:
                piece = next(self._pieces)
            except StopIteration:
                if self._remaining is None:
                    return 0
                raise ClientDisconnected("the body is shorter than its Content-Length") from None
            except Exception as error:  # the caller's own; send() raises it when the application has ended
                self.error = error
                raise ClientDisconnected("the body could not be made") from error
            self._ahead = piece.encode("utf-8") if isinstance(piece, str) else piece
            if self._remaining is not None:
                self._ahead = self._ahead[: self._remaining]
                self._remaining -= len(self._ahead)
        size = min(len(buffer), len(self._ahead))
        buffer[:size] = self._ahead[:size]
        self._ahead = self._ahead[size:]
        return size


def _file_pieces(file: Any) -> Iterator[bytes | str]:
    while piece := file.read(1 << 16):
        yield piece


def _read_timeout(timeout: Any) -> float | None:
    """Return the read time-out of what ``requests`` allows: None, seconds, (connect, read), or urllib3's Timeout."""
    if timeout is None or isinstance(timeout, (int, float)):
        return timeout
    if isinstance(timeout, tuple):
        return _read_timeout(timeout[1])
    seconds: float | None = timeout.read_timeout
    return seconds


class ApplicationAdapter(BaseAdapter):
    """Answers requests for ``host`` by calling ``application``; passes others to ``elsewhere``."""

    def __init__(self, application: WSGIApplication, host: str = HOST, elsewhere: BaseAdapter | None = None) -> None:
        super().__init__()
        self.application = application
        self.host = host
        self._elsewhere = elsewhere or HTTPAdapter()
        self._prefix = f"http://{host}/"
        self._date = DateHeader()
        self._environ: dict[str, Any] = {**base_environ(host, 80, client_port=0), "HTTP_HOST": host}

    def close(self) -> None:
        self._elsewhere.close()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Answer a prepared request. Raise what ``requests.adapters.HTTPAdapter.send`` raises."""
        url = request.url or ""
        if url.startswith(self._prefix):
            netloc, target = self.host, url[len(self._prefix) - 1 :].partition("#")[0]
        else:
            parts = urlsplit(url)
            if parts.scheme != "http" or parts.hostname != self.host:
                return self._elsewhere.send(request, stream, timeout, verify, cert, proxies)
            netloc, target = parts.netloc.rpartition("@")[2], request.path_url
        if target.startswith("//"):  # as requests' own adapter does
            target = "/" + target.lstrip("/")
        headers: Any = request.headers  # which have the method that their annotation lacks
        fields = list(headers.lower_items())
        application = within_limits(self.application, request.method or "", target, fields)
        environ, upload = self._environment(request, target, fields)
        if netloc != self.host:
            environ["HTTP_HOST"] = environ.get("HTTP_HOST") or netloc
        client = environ[ENVIRON_KEY] = Client()
        seconds = _read_timeout(timeout)
        if seconds is not None:
            client.deadline = real_monotonic() + seconds
        try:
            raw = self._call(application, environ, client, seconds, url)
        except ClientDisconnected as error:
            if upload is not None and upload.error is not None:
                raise upload.error from None
            raise requests.ConnectionError(error, request=request) from error
        except ReadTimeoutError as error:
            raise requests.ReadTimeout(error, request=request) from error
        if upload is not None and upload.error is not None:
            raw.close()
            raise upload.error
        return self._response(request, raw, stream)

    def _environment(
        self, request: requests.PreparedRequest, target: str, fields: list[tuple[str, Any]]
    ) -> tuple[dict[str, Any], Upload | None]:
        headers = header_items(fields)
        body: Any = request.body
        upload: Upload | None = None
        if isinstance(body, str):
            body = body.encode("utf-8")
        length = int(headers["CONTENT_LENGTH"]) if headers.get("CONTENT_LENGTH") else None
        stream: Any
        if body is None or (isinstance(body, bytes) and (length is None or length <= len(body))):
            stream = io.BytesIO((body or b"")[:length])
        else:
            if isinstance(body, (bytes, bytearray)):
                body = iter([bytes(body)])
            upload = Upload(_file_pieces(body) if hasattr(body, "read") else iter(body), length)
            stream = io.BufferedReader(upload, 1 << 16)
        return make_environ(self._environ, request.method or "", target, headers, stream), upload

    def _call(
        self, application: WSGIApplication, environ: dict[str, Any], client: Client, seconds: float | None, url: str
    ) -> RawAnswer:
        """Have the application answer up to its head, as a server does that sends it."""
        answer = Answer(application, environ)
        if seconds is not None and client.gone:
            answer.close()
            raise read_timed_out(url, seconds)
        return RawAnswer(answer, client, seconds, url)

    def _response(self, request: requests.PreparedRequest, raw: RawAnswer, stream: bool) -> requests.Response:
        response = requests.Response()
        response.status_code = raw.status
        response.reason = raw.reason
        response.url = request.url or ""
        response.request = request
        response.connection = self  # type: ignore[assignment]  # for authentication handlers
        fields: dict[str, str] = {}
        for name, value in raw.fields:
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        if not raw.has_date:
            fields["Date"] = self._date()
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict(fields)
        response.headers = headers
        response.encoding = get_encoding_from_headers(headers)
        response.raw = raw
        if raw.sets_cookies:
            raw.keep_cookies()
            extract_cookies_to_jar(response.cookies, request, raw)
        if not stream:
            response._content = raw.whole()
            response._content_consumed = True
        return response


def session(application: WSGIApplication, host: str = HOST) -> requests.Session:
    """Return a ``requests.Session`` whose requests to ``http://host`` are answered by ``application``, in process.

    Requests to other hosts go over the network. Nothing is taken from the environment (``trust_env`` is False).
    """
    made = InProcessSession()
    made.mount("http://", ApplicationAdapter(application, host, made.get_adapter("http://")))
    return made


# A ``requests.Session`` that prepares plain requests without detours
#
# In process the application answers in a fraction of the time that ``requests`` takes to prepare a request, most of
# which goes into merging default settings. ``InProcessSession`` takes a shortcut where the result is the same (no
# cookies, hooks, proxies or unusual headers; a URL that needs no quoting) and calls its base class everywhere else.


# A URL that requests would leave as it is: host in lower case, no user, no dot segments, only characters that need no
# quoting, and escapes in upper case of characters that need it.
_PLAIN_URL = re.compile(
    r"http://[a-z0-9.-]+(?::[0-9]+)?"
    r"(?:/(?!\.{1,2}(?:[/?]|\Z))(?:[A-Za-z0-9_.~!$&'()*+,;=:@-]|%(?:2[0-9A-CF]|3[A-F]|40|5[BCDE]|60|7[BCDF]|[0189A-F][0-9A-F]))*)+"
    r"(?:\?(?:[A-Za-z0-9_.~!$&'()*+,;=:@/?-]|%(?:2[0-9A-CF]|3[A-F]|40|5[BCDE]|60|7[BCDF]|[0189A-F][0-9A-F]))*)?\Z"
)


class InProcessSession(requests.Session):
    """A ``requests.Session`` that is quick with plain requests; ``adapter.session()`` makes one."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of one request; its own win over the session's."""
        if self.trust_env or proxies or self.proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        return {
            "proxies": {},
            "stream": self.stream if stream is None else stream,
            "verify": self.verify if verify is None else verify,
            "cert": self.cert if cert is None else cert,
        }

    def resolve_redirects(self, resp: Any, req: Any, *arguments: Any, **settings: Any) -> Any:
        """Yield the responses of a chain of redirects."""
        return super().resolve_redirects(resp, req, *arguments, **settings) if resp.is_redirect else iter(())

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Return the request with the session's settings merged in."""
        own: Any = self.headers
        if (
            request.cookies
            or self.params
            or self.trust_env
            or any(request.hooks.values())
            or any(self.hooks.values())
            or next(iter(self.cookies), None) is not None
            or not all(type(value) is str and value.isprintable() and value[:1] != " " for value in own.values())
        ):
            return super().prepare_request(request)
        prepared = PreparedRequest()
        prepared.method = (request.method or "").upper()
        url: Any = request.url
        if not request.params and type(url) is str and _PLAIN_URL.match(url):
            prepared.url = url
        else:
            prepared.prepare_url(url, request.params)
        if request.headers:
            merged: CaseInsensitiveDict[Any] = CaseInsensitiveDict(own)
            merged.update(request.headers)
            prepared.prepare_headers({name: value for name, value in merged.items() if value is not None})
        else:
            prepared.headers = CaseInsensitiveDict(own)
        prepared._cookies = RequestsCookieJar()
        if request.data or request.files or request.json is not None:
            prepared.prepare_body(request.data, request.files, request.json)
        else:
            prepared.prepare_content_length(None)
        auth = request.auth or self.auth
        if auth or prepared.url is not url:
            prepared.prepare_auth(auth, url)
        return prepared
