"""A ``requests.Session`` that prepares plain requests without detours.

In process the application answers in a fraction of the time that ``requests`` takes to prepare a request, most of which
goes into merging default settings. :class:`InProcessSession` takes a shortcut where the result is the same (no cookies,
hooks, proxies or unusual headers; a URL that needs no quoting) and calls its base class everywhere else.
"""

from __future__ import annotations

import re
from typing import Any

import requests
from requests.cookies import RequestsCookieJar
from requests.models import PreparedRequest, Request
from requests.structures import CaseInsensitiveDict

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
