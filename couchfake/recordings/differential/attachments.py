"""Requests about attachments, inline and alone."""

from __future__ import annotations

import base64
import gzip
from typing import Any

from couchfake.recordings.differential.world import Step, World

_NAMES = ("f.txt", "é.bin", "a/b", "x y")
_DATA = (b"", b"hello", b"hello " * 500, bytes(range(256)), "é😀".encode())
_TYPES = ("text/plain", "application/json", "image/png", "application/octet-stream", "text/html; charset=utf-8")


def put(world: World) -> Step:
    doc_id, data = world.id(), world.one(_DATA)
    headers = {"Content-Type": world.one(_TYPES)}
    if world.chance(0.1):
        headers["Content-Encoding"], data = "gzip", gzip.compress(data, mtime=0)
    query = f"?rev={world.revision(doc_id)}" if world.revisions.get(doc_id) else ""
    path = world.path(doc_id, world.one(_NAMES))
    return world.step("PUT", path + query, base64=base64.b64encode(data).decode(), headers=headers)


def get(world: World) -> Step:
    headers: dict[str, str] = {}
    if world.chance(0.3):
        headers["Range"] = world.one(("bytes=0-1", "bytes=-2", "bytes=1-", "bytes=9999-", "bytes=3-1", "x"))
    if world.chance(0.2):
        headers["Accept-Encoding"] = world.one(("gzip", "identity", "gzip;q=0"))
    doc_id = world.id()
    query = world.query({"rev": (world.revision(doc_id),)}, 1)
    path = world.path(doc_id, world.one(_NAMES)) + query
    return world.step(world.one(("GET", "GET", "HEAD")), path, **({"headers": headers} if headers else {}))


def delete(world: World) -> Step:
    doc_id = world.id()
    return world.step("DELETE", f"{world.path(doc_id, world.one(_NAMES))}?rev={world.revision(doc_id)}")


def put_inline(world: World) -> Step:
    doc_id, body = world.id(), world.body()
    attachments: dict[str, Any] = {}
    for name in world.some(_NAMES, 2):
        data = base64.b64encode(world.one(_DATA)).decode()
        attachments[name] = {"content_type": world.one(_TYPES), "data": data}
    if world.chance(0.3):
        attachments[world.one(_NAMES)] = {"stub": True}
    body["_attachments"] = attachments
    if world.revisions.get(doc_id):
        body["_rev"] = world.revision(doc_id)
    return world.step("PUT", world.path(doc_id), body)


def get_document(world: World) -> Step:
    choices = {"attachments": (True,), "att_encoding_info": (True,), "revs": (True,)}
    request: dict[str, Any] = {} if world.chance(0.6) else {"headers": {"Accept": "multipart/related"}}
    return world.step("GET", world.path(world.id()) + world.query(choices), **request)
