"""A build of Fauxton, CouchDB's web interface, at ``/_utils/``.

Source: ``chttpd_misc:handle_utils_dir_req/2``, which answers everybody, with a Content-Security-Policy.
"""

from __future__ import annotations

import mimetypes
from email.utils import formatdate
from pathlib import Path

from couchfake.auth.permissions import authorize
from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, body_response
from couchfake.errors import MethodNotAllowed, NotFound
from couchfake.settings import CSP_UTILS_ENABLE, CSP_UTILS_HEADER_VALUE

INDEX = "index.html"
TYPES = {".js": "application/javascript", ".map": "application/json", ".woff": "font/woff", ".woff2": "font/woff2"}


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
        modified = formatdate(int(path.stat().st_mtime), usegmt=True)
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
    return TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
