from __future__ import annotations

from couchfake.errors import NotSupported
from couchfake.http.request import Request
from couchfake.http.responses import Response


def changes(request: Request, rest: list[str]) -> Response:
    raise NotSupported("_changes")
