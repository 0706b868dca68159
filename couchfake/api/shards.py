"""Where the documents of a database are: ``_shards`` and ``_sync_shards``. Shards are ranges only.

CouchDB documentation, "Database API: Shards".
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from couchfake.chttpd.request import Request
from couchfake.chttpd.responses import Response, json_response
from couchfake.errors import ServerError
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


def shards(request: Request) -> Response:
    """``GET /{db}/_shards``"""
    return json_response({"shards": {named_range(*each): [NODE_NAME] for each in ranges(request.db)}})


def shard_of(request: Request, docid: str) -> Response:
    """``GET /{db}/_shards/{docid}``"""
    hashed_part = docid.partition(":")[0] if request.db.partitioned else docid
    hashed = zlib.crc32(hashed_part.encode("utf-8", "surrogateescape"))
    [found] = [each for each in ranges(request.db) if each[0] <= hashed <= each[1]]
    return json_response({"range": named_range(*found), "nodes": [NODE_NAME]})


def longer_path(request: Request, rest: list[str]) -> Response:
    """A design document's id has a slash, and the real server breaks on it here, with any method."""
    raise ServerError("function_clause")


def sync_shards(request: Request, rest: list[str]) -> Response:
    """``POST /{db}/_sync_shards``: nothing to do, and accepted as the real server does."""
    return json_response({"ok": True}, 202)
