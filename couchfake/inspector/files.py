"""The files of the page, the login form that takes its place until an admin has logged in, and Fauxton.

Fauxton is CouchDB's web interface. A build of it is served at ``/_utils/``.
"""

from __future__ import annotations

import html
import mimetypes
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from werkzeug.http import http_date

from couchfake.auth.permissions import authorize
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, body_response, etag_matches, make_etag, not_modified
from couchfake.control.observer import CONTROL_PATH
from couchfake.errors import MethodNotAllowed, NotFound
from couchfake.settings import CSP_UTILS_ENABLE, CSP_UTILS_HEADER_VALUE

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_NAME = re.compile(r"[a-z_]+\.[a-z]+")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page: its own files and nothing else, no inline script and no inline style."""

HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_LOGIN_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:80vh;margin:1rem}"
    "main{border:1px solid #8886;border-radius:10px;padding:1.5rem 2rem;width:min(20rem,90vw);box-sizing:border-box}"
    "h1{font-size:1.2rem;margin:0}label{display:block}p[role]{color:#d33}"
    "input,button{font:inherit;width:100%;box-sizing:border-box;padding:.35rem .6rem;border-radius:6px}"
    "input{border:1px solid #8888}button{border:0;background:#b3321f;color:#fff;cursor:pointer}"
)
_LOGIN_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_LOGIN_STYLE.encode()).digest()).decode()}';"
    " img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_LOGIN = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>couchfake: log in</title>
<link rel="icon" href="data:,"><style>%s</style></head>
<body><main><h1>couchfake</h1><p>Log in as a server admin.</p>%s
<form method="post" action="%s">
<p><label>Name <input name="name" autocomplete="username" required autofocus></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Log in</button></p></form></main></body></html>
"""


def page(request: Request) -> Response:
    """Return the inspector, a page for a browser."""
    if not request.target[0].endswith("/"):
        return Response(b"", 301, {"Location": f"{request.base_uri}{CONTROL_PATH}/"})
    return _file(request, "index.html")


def static_file(request: Request, name: str) -> Response:
    """Return a file of the inspector. Raise NotFound if there is no such file."""
    if not _NAME.fullmatch(name) or name == "index.html":
        raise NotFound()
    return _file(request, name)


def _file(request: Request, name: str) -> Response:
    path = STATIC / name
    if not path.is_file():
        raise NotFound()
    data = path.read_bytes()
    etag = make_etag(data.decode())
    if etag_matches(request.header("If-None-Match"), etag):
        return not_modified(etag)
    return body_response(data, TYPES[path.suffix], headers={**HEADERS, "ETag": etag})


def login_form(request: Request) -> Response:
    """Return a form whose answer is a session cookie and the way back to the page. It works without scripts."""
    back = f"{CONTROL_PATH}/"
    refused = "<p role=alert>Name or password is incorrect.</p>" if "refused" in request.parameters else ""
    action = html.escape(f"/_session?next={back}&fail={back}%3Frefused")
    headers = {**HEADERS, "Content-Security-Policy": _LOGIN_POLICY}
    return body_response((_LOGIN % (_LOGIN_STYLE, refused, action)).encode(), TYPES[".html"], 401, headers)


# ---- Fauxton
#
# Source: ``chttpd_misc:handle_utils_dir_req/2``, which answers everybody, with a Content-Security-Policy.

INDEX = "index.html"
_FAUXTON_TYPES = {
    ".js": "application/javascript",
    ".map": "application/json",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}


class NotFauxton(ValueError):
    """The folder holds no build of Fauxton."""


class Fauxton:
    """Answers requests below ``/_utils``. Raise NotFauxton if the folder has no ``index.html``."""

    def __init__(self, folder: Path) -> None:
        if not (folder / INDEX).is_file():
            raise NotFauxton(f"{folder} has no {INDEX}: it is not a build of Fauxton")
        self._folder = folder.resolve()

    def __call__(self, request: Request) -> Response:
        """Answer a request. Raise CouchError for one that is refused."""
        authorize(request.user, request.verb, request.segments, request.node.security_of, request.node.config)
        if request.verb != "GET":
            raise MethodNotAllowed("GET,HEAD")
        names = request.segments[1:]
        if not names and not request.target[0].endswith("/"):
            return Response(b"", 301, {"Location": f"{request.base_uri}/_utils/"})
        path = self._folder.joinpath(*names or [INDEX]).resolve() if _are_plain(names) else self._folder
        if not path.is_file() or not path.is_relative_to(self._folder):
            raise NotFound()
        modified = http_date(path.stat().st_mtime)
        headers = {"Cache-Control": "private, must-revalidate", "Last-Modified": modified}
        config = request.node.config
        if config[CSP_UTILS_ENABLE]:
            headers["Content-Security-Policy"] = config[CSP_UTILS_HEADER_VALUE]
        if request.header("If-Modified-Since") == modified:
            return Response(b"", 304, headers)
        return body_response(path.read_bytes(), _type_of(path), headers=headers)


def _are_plain(names: list[str]) -> bool:
    return not any(name in ("", ".", "..") or set(name) & set("/\\\0") for name in names)


def _type_of(path: Path) -> str:
    return _FAUXTON_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
