"""Attachments on their own. CouchDB documentation, "Document API: Attachments"."""

from __future__ import annotations

from couchfake.errors import NotFound
from couchfake.http.request import Request
from couchfake.http.responses import Response


def of_document(request: Request, docid: str, name: list[str]) -> Response:
    """``/{db}/{docid}/{name}``"""
    raise NotFound()


def of_design_document(request: Request, ddoc: str, name: list[str]) -> Response:
    """``/{db}/_design/{ddoc}/{name}``"""
    return of_document(request, "_design/" + ddoc, name)
