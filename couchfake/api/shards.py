"""Where the documents of a database are: ``_shards`` and ``_sync_shards``. Shards are ranges only.

CouchDB documentation, "Database API: Shards".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import MethodNotAllowed, ServerError
from couchfake.node.node import NODE_NAME
from couchfake.storage.database import Database

_SPACE = 1 << 32


def ranges(database: Database) -> Iterator[tuple[int, int]]:
    """Yield the first and last hash of each shard."""
    count = database.q
    size = _SPACE // count
    for place in range(count):
        yield place * size, (place + 1) * size - 1 if place < count - 1 else _SPACE - 1


def named_range(first: int, last: int) -> str:
    """Return the name of a shard's range of hashes."""
    return f"{first:08x}-{last:08x}"


def shards(request: Request, rest: list[str]) -> Response:
    """``GET /{db}/_shards`` and ``/{db}/_shards/{docid}``"""
    if len(rest) > 1:
        # A design document's id has a slash, and the real server does not expect one here.
        raise ServerError("function_clause")
    if request.verb != "GET":
        raise MethodNotAllowed("GET")
    if not rest:
        return json_response({"shards": {named_range(*each): [NODE_NAME] for each in ranges(request.db)}})
    docid = rest[0].partition(":")[0] if request.db.partitioned else rest[0]
    hashed = zlib.crc32(docid.encode("utf-8", "surrogateescape"))
    [found] = [each for each in ranges(request.db) if each[0] <= hashed <= each[1]]
    return json_response({"range": named_range(*found), "nodes": [NODE_NAME]})


def sync_shards(request: Request, rest: list[str]) -> Response:
    """``POST /{db}/_sync_shards``: nothing to do, and accepted as the real server does."""
    return json_response({"ok": True}, 202)
