from __future__ import annotations

from couchfake.errors import NotSupported
from couchfake.http.request import Request
from couchfake.http.responses import Response


def all_docs(request: Request) -> Response:
    raise NotSupported("_all_docs")


all_docs_queries = design_docs = design_docs_queries = local_docs = local_docs_queries = all_docs
