"""Uploads that end anywhere in the middle: nothing of them is written, and the server goes on."""

from __future__ import annotations

import base64
import json
import socket
import struct
from collections.abc import Iterator

import pytest
import requests

from couchfake import CouchFake

JSON = b"Content-Type: application/json\r\n"
RELATED = b"Content-Type: multipart/related; boundary=b\r\n"
DOCUMENT = b'{"_rev":"%b","n":2,"text":"a longer one"}'
PARTS = (
    b'--b\r\nContent-Type: application/json\r\n\r\n{"_rev":"%b","_attachments":{"f":{"follows":true,"length":9,'
    b'"content_type":"text/plain"}}}\r\n--b\r\n\r\n123456789\r\n--b--'
)


@pytest.fixture(scope="module")
def fake() -> Iterator[CouchFake]:
    with CouchFake() as made:
        yield made


@pytest.fixture
def session(fake: CouchFake) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.put(fake.url + "db", timeout=10).raise_for_status()
        yield session
        session.delete(fake.url + "db", timeout=10).raise_for_status()


def sized(line: bytes, kind: bytes, body: bytes) -> tuple[bytes, bytes]:
    return line + b"Host: h\r\n" + kind + b"Content-Length: %d\r\n\r\n" % len(body), body


def chunked(line: bytes, kind: bytes, body: bytes) -> tuple[bytes, bytes]:
    pieces = [body[start : start + 20] for start in range(0, len(body), 20)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return line + b"Host: h\r\n" + kind + b"Transfer-Encoding: chunked\r\n\r\n", chunks


UPLOADS = {
    "document": lambda rev: sized(b"PUT /db/doc HTTP/1.1\r\n", JSON, DOCUMENT % rev),
    "chunked document": lambda rev: chunked(b"PUT /db/doc HTTP/1.1\r\n", JSON, DOCUMENT % rev),
    "multipart": lambda rev: sized(b"PUT /db/doc HTTP/1.1\r\n", RELATED, PARTS % rev),
    "chunked multipart": lambda rev: chunked(b"PUT /db/doc HTTP/1.1\r\n", RELATED, PARTS % rev),
    "attachment": lambda rev: sized(b"PUT /db/doc/file?rev=%b HTTP/1.1\r\n" % rev, b"", b"some bytes " * 5),
    "chunked attachment": lambda rev: chunked(b"PUT /db/doc/file?rev=%b HTTP/1.1\r\n" % rev, b"", b"some bytes " * 5),
    "bulk": lambda rev: sized(
        b"POST /db/_bulk_docs HTTP/1.1\r\n", JSON, b'{"docs":[{"_id":"a"},{"_id":"doc","_rev":"%b"},{"_id":"z"}]}' % rev
    ),
    "replicated": lambda rev: chunked(
        b"POST /db/_bulk_docs HTTP/1.1\r\n",
        JSON,
        b'{"new_edits":false,"docs":[{"_id":"doc","_rev":"2-x"},{"_id":"z","_rev":"1-x"}]}',
    ),
}


def send_and_vanish(fake: CouchFake, data: bytes, ending: str) -> None:
    with socket.create_connection(("127.0.0.1", int(fake.url.rstrip("/").rpartition(":")[2])), timeout=10) as wire:
        wire.sendall(data)
        if ending == "half":
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(4096):
                pass
        elif ending == "reset":
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("ending", ["closed", "half", "reset"])
@pytest.mark.parametrize("kind", UPLOADS)
def test_an_upload_that_is_cut_anywhere_leaves_everything_as_it_was(
    kind: str, ending: str, fake: CouchFake, session: requests.Session
) -> None:
    db = fake.url + "db"
    rev = session.put(db + "/doc", json={"n": 1}, timeout=10).json()["rev"]
    before = session.get(db + "/doc?revs=true&local_seq=true", timeout=10).json()
    head, body = UPLOADS[kind](rev.encode())
    # A last chunk whose blank line is missing may count as whole.
    last = len(head) + len(body) - (5 if b"chunked" in head else 1)
    for cut in sorted({len(head) // 2, *range(len(head), last, max(1, len(body) // 7)), last}):
        send_and_vanish(fake, (head + body)[:cut], ending)
    assert session.get(db + "/doc?revs=true&local_seq=true", timeout=10).json() == before
    info = session.get(db, timeout=10).json()
    assert (info["doc_count"], info["doc_del_count"], info["update_seq"].partition("-")[0]) == (1, 0, "1")
    assert [row["id"] for row in session.get(db + "/_changes", timeout=10).json()["results"]] == ["doc"]
    # The whole of it is written, and as if nothing had been.
    with socket.create_connection(("127.0.0.1", int(fake.url.rstrip("/").rpartition(":")[2])), timeout=10) as wire:
        wire.sendall(head + body)
        assert wire.recv(4096).startswith(b"HTTP/1.1 201")
    written = session.get(db + "/doc?attachments=true", headers={"Accept": "application/json"}, timeout=10).json()
    assert written["_rev"].startswith("2-")
    for attachment in written.get("_attachments", {}).values():
        assert base64.b64decode(attachment["data"]) in (b"123456789", b"some bytes " * 5)


def test_a_request_whose_attachments_are_not_all_there_writes_nothing(
    fake: CouchFake, session: requests.Session
) -> None:
    document = {"_attachments": {name: {"follows": True, "length": 3} for name in "fg"}}
    body = b"--b\r\nContent-Type: application/json\r\n\r\n%b\r\n--b\r\n\r\n123\r\n--b--" % json.dumps(document).encode()
    headers = {"Content-Type": "multipart/related; boundary=b"}
    answer = session.put(fake.url + "db/doc", data=body, headers=headers, timeout=10)
    assert answer.status_code >= 400
    assert session.get(fake.url + "db", timeout=10).json()["update_seq"].startswith("0-")
