"""Requests about documents and attachments: reading, writing, revisions, bulk, local documents, purges and headers."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from couchfake.recordings.differential.world import FORGED, Step, World, escape

_READING: dict[str, tuple[Any, ...]] = {
    "revs": (True, False), "revs_info": (True, False), "conflicts": (True, False), "deleted_conflicts": (True, False),
    "meta": (True, False), "local_seq": (True, False), "latest": (True, False), "attachments": (True, False),
    "att_encoding_info": (True,), "new_edits": (True,), "w": (1,), "r": (1,),
}  # fmt: skip
_HEADERS: tuple[dict[str, str], ...] = (
    {"Accept": "*/*"}, {"Accept": "text/html"}, {"Accept": "multipart/mixed"}, {"Accept": "multipart/related"},
    {"Accept": "application/json;q=0.5, text/plain"}, {"Accept": ""}, {"X-Couch-Full-Commit": "true"},
    {"Origin": "http://example.org"}, {"If-None-Match": "*"}, {"X-HTTP-Method-Override": "GET"},
    {"Range": "bytes=0-1"}, {"Accept-Encoding": "gzip"},
)  # fmt: skip


def get(world: World) -> Step:
    doc_id = world.id()
    query = world.query(_READING | {"rev": (world.revision(doc_id),)})
    return world.step(world.one(("GET", "GET", "GET", "HEAD")), world.path(doc_id) + query)


def get_open_revs(world: World) -> Step:
    doc_id = world.id()
    wanted = (
        "all" if world.chance(0.4) else json.dumps([world.revision(doc_id) for _ in range(world.random.randrange(3))])
    )
    query = world.query({"revs": (True,), "latest": (True, False), "attachments": (True,)}, 2)
    joined = f"{query}&" if query else "?"
    request: dict[str, Any] = {} if world.chance(0.6) else {"headers": {"Accept": "multipart/mixed"}}
    return world.step("GET", f"{world.path(doc_id)}{joined}open_revs={escape(wanted)}", **request)


def put(world: World) -> Step:
    doc_id, body = world.id(), world.body()
    query, headers = "", {}
    place = world.random.randrange(5)
    if world.revisions.get(doc_id) or world.chance(0.1):
        revision = world.revision(doc_id)
        if place < 3:
            body["_rev"] = revision
        elif place == 3:
            query = f"?rev={escape(revision)}"
        else:
            headers["If-Match"] = f'"{revision}"'
    if world.chance(0.07):
        body[world.one(("_deleted", "_id", "_x", "_revisions", "_attachments", "_local_seq", "_rev"))] = world.value(1)
    return world.step("PUT", world.path(doc_id) + query, body, **({"headers": headers} if headers else {}))


def put_branch(world: World) -> Step:
    """Write a revision as a replicator does, so that conflicts come to be."""
    doc_id, body = world.id(), world.body()
    start = world.random.randint(1, 3)
    known = [each.partition("-")[2] for each in world.revisions.get(doc_id, []) if each.startswith(f"{start - 1}-")]
    new = "".join(world.random.choices("0123456789abcdef", k=32))
    body["_revisions"] = {"start": start, "ids": [new, *known[-1:]]}
    if world.chance(0.15):
        body["_deleted"] = True
    return world.step("PUT", world.path(doc_id) + "?new_edits=false", body)


def post(world: World) -> Step:
    return world.step("POST", world.path(), {"_id": world.id(), **world.body()})


def delete(world: World) -> Step:
    doc_id = world.id()
    if world.chance(0.15):
        return world.step("DELETE", world.path(doc_id))
    return world.step("DELETE", f"{world.path(doc_id)}?rev={escape(world.revision(doc_id))}")


def copy(world: World) -> Step:
    source, target = world.id(), world.id()
    destination = escape(target)
    if target in world.revisions and world.chance(0.7):
        destination += f"?rev={world.revision(target)}"
    return world.step("COPY", world.path(source), headers={"Destination": destination})


def bulk_docs(world: World) -> Step:
    docs = []
    for _ in range(world.random.randint(0, 4)):
        doc_id, body = world.id(), world.body()
        if doc_id in world.revisions and world.chance(0.8):
            body["_rev"] = world.revision(doc_id)
        if world.chance(0.1):
            body["_deleted"] = True
        docs.append({"_id": doc_id, **body})
    value: dict[str, Any] = {"docs": docs}
    if world.chance(0.2):
        value["new_edits"] = world.one((True, False, False))
    return world.step("POST", world.path("_bulk_docs"), value)


def bulk_get(world: World) -> Step:
    docs = []
    for _ in range(world.random.randint(0, 4)):
        doc_id = world.id()
        docs.append({"id": doc_id, **({"rev": world.revision(doc_id)} if world.chance(0.5) else {})})
    query = world.query({"revs": (True,), "latest": (True,), "attachments": (True,)}, 2)
    return world.step("POST", world.path("_bulk_get") + query, {"docs": docs})


def revs_diff(world: World) -> Step:
    wanted = {doc_id: [world.revision(doc_id), world.one(FORGED[:3])] for doc_id in (world.id(), world.id())}
    return world.step("POST", world.path(world.one(("_revs_diff", "_missing_revs"))), wanted)


def purge(world: World) -> Step:
    doc_id = world.id()
    return world.step("POST", world.path("_purge"), {doc_id: [world.revision(doc_id)]})


def local(world: World) -> Step:
    path = world.path("_local/" + world.one(("a", "b", "x y")))
    method = world.one(("GET", "PUT", "PUT", "DELETE", "LIST"))
    if method == "LIST":
        return world.step("GET", world.path("_local_docs") + world.query({"include_docs": (True,), "limit": (1, 2)}))
    return world.step(method, path, world.body() if method == "PUT" else None)


def with_header(world: World) -> Step:
    step = world.one((get, put, get_open_revs))(world)
    step["request"]["headers"] = step["request"].get("headers", {}) | world.one(_HEADERS)
    return step


_MALFORMED = ("", "{", "[]", "1", "null", '"x"', '{"docs":1}', '{"docs":[1]}', '{"docs":[{"_id":1}]}', '{"a":1}')


def malformed(world: World) -> Step:
    """Send something that is not what the endpoint takes."""
    path = world.path(world.one(("a", "_bulk_docs", "_bulk_get", "_revs_diff", "_purge", "_local/a", "_design/d")))
    body = world.one(
        ("", "{", "[]", "1", "null", '"x"', '{"docs":1}', '{"docs":[1]}', '{"docs":[{"_id":1}]}', '{"a":1}')
    )
    method = world.one(("PUT", "POST"))
    return world.step(method, path, body=body, headers={"Content-Type": "application/json"})


def multipart(world: World) -> Step:
    """Write a document and an attachment in one request."""
    doc_id, data = world.id(), world.one(("hello", "", "é" * 20, "x" * 3000))
    length = len(data.encode()) + (world.one((-1, 1)) if world.chance(0.1) else 0)
    stub = {"follows": True, "content_type": world.one(("text/plain", "image/png")), "length": length}
    doc = {**world.body(), "_attachments": {"f.txt": stub}}
    if world.revisions.get(doc_id):
        doc["_rev"] = world.revision(doc_id)
    parts = f"--x\r\nContent-Type: application/json\r\n\r\n{json.dumps(doc)}\r\n--x\r\n\r\n{data}\r\n--x--"
    return world.step(
        "PUT", world.path(doc_id), body=parts, headers={"Content-Type": 'multipart/related; boundary="x"'}
    )


# Attachments, inline and alone.

_NAMES = ("f.txt", "é.bin", "a/b", "x y")
_DATA = (b"", b"hello", b"hello " * 500, bytes(range(256)), "é😀".encode())
_TYPES = ("text/plain", "application/json", "image/png", "application/octet-stream", "text/html; charset=utf-8")


def put_attachment(world: World) -> Step:
    doc_id, data = world.id(), world.one(_DATA)
    headers = {"Content-Type": world.one(_TYPES)}
    if world.chance(0.1):
        headers["Content-Encoding"], data = "gzip", gzip.compress(data, mtime=0)
    query = f"?rev={world.revision(doc_id)}" if world.revisions.get(doc_id) else ""
    path = world.path(doc_id, world.one(_NAMES))
    return world.step("PUT", path + query, base64=base64.b64encode(data).decode(), headers=headers)


def get_attachment(world: World) -> Step:
    headers: dict[str, str] = {}
    if world.chance(0.3):
        headers["Range"] = world.one(("bytes=0-1", "bytes=-2", "bytes=1-", "bytes=9999-", "bytes=3-1", "x"))
    if world.chance(0.2):
        headers["Accept-Encoding"] = world.one(("gzip", "identity", "gzip;q=0"))
    doc_id = world.id()
    query = world.query({"rev": (world.revision(doc_id),)}, 1)
    path = world.path(doc_id, world.one(_NAMES)) + query
    return world.step(world.one(("GET", "GET", "HEAD")), path, **({"headers": headers} if headers else {}))


def delete_attachment(world: World) -> Step:
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


def get_with_attachments(world: World) -> Step:
    choices = {"attachments": (True,), "att_encoding_info": (True,), "revs": (True,)}
    request: dict[str, Any] = {} if world.chance(0.6) else {"headers": {"Accept": "multipart/related"}}
    return world.step("GET", world.path(world.id()) + world.query(choices), **request)
