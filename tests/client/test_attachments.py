"""Attachments in one request with their document, and parts of attachments."""

from __future__ import annotations

import io
from typing import Any

import pytest

from couchdb_client import Database, ResourceConflict, ServerError


def read(db: Database, docid: str, name: str, **options: Any) -> bytes:
    attachment = db.get_attachment(docid, name, **options)
    with attachment:
        return bytes(attachment.read())


class Pipe:
    """A stream of unknown length."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def read(self, size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def test_a_document_is_saved_with_its_attachments_by_one_request(people: Database) -> None:
    doc: dict[str, Any] = {"_id": "john", "n": 1}
    files: dict[str, Any] = {
        "large.bin": io.BytesIO(b"x" * 300_000),
        "a/b ü.txt": "text é",
        "raw": (b"\0\r\n--bytes", "application/x-raw"),
        "stream": Pipe(b"one ", b"two"),
    }
    assert people.save_with_attachments(doc, files) == ("john", doc["_rev"])
    assert read(people, "john", "large.bin") == b"x" * 300_000
    assert read(people, "john", "a/b ü.txt").decode() == "text é"
    assert read(people, "john", "raw") == b"\0\r\n--bytes"
    assert read(people, "john", "stream") == b"one two"
    stubs = people["john"]["_attachments"]
    assert stubs["raw"]["content_type"] == "application/x-raw"
    assert people["john"].rev.startswith("1-")


def test_attachments_that_the_document_lists_stay(people: Database) -> None:
    doc: dict[str, Any] = {"n": 1}
    docid, _ = people.save_with_attachments(doc, {"a": b"first", "b": b"second"})
    doc = people[docid]
    people.save_with_attachments(doc, {"b": b"new", "c": b"third"})
    assert [read(people, docid, name) for name in "abc"] == [b"first", b"new", b"third"]
    with pytest.raises(ResourceConflict):
        people.save_with_attachments({"_id": docid}, {"a": b""})


def test_a_part_of_an_attachment_is_read(people: Database) -> None:
    people.save_with_attachments({"_id": "doc"}, {"a.bin": bytes(range(100)), "a.txt": b"0123456789"})
    assert read(people, "doc", "a.bin", range=(10, 13)) == bytes([10, 11, 12])
    assert read(people, "doc", "a.bin", range=(98, None)) == bytes([98, 99])
    assert read(people, "doc", "a.bin", range=(90, 1000)) == bytes(range(90, 100))
    with pytest.raises(ServerError) as caught:
        people.get_attachment("doc", "a.bin", range=(100, None))
    assert caught.value.status == 416


def test_a_part_of_an_attachment_that_the_server_keeps_compressed_is_cut_out(people: Database) -> None:
    people.save_with_attachments({"_id": "doc"}, {"a.txt": b"0123456789" * 20_000})
    assert read(people, "doc", "a.txt", range=(100_003, 100_006)) == b"345"
    assert read(people, "doc", "a.txt", range=(199_998, None)) == b"89"


@pytest.mark.parametrize("span", [(-1, 5), (5, 5), (6, 5)])
def test_what_is_not_a_range_is_refused(wire: Any, db: Database, span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not a range"):
        db.get_attachment("doc", "a", range=span)
    assert wire.lines == []


def test_a_redirected_document_is_sent_again_with_its_attachments(wire: Any, db: Database) -> None:
    wire.says(b"", 307, [("Location", "/moved/john")])
    wire.says(b'{"id":"john","rev":"1-a"}', 201)
    db.save_with_attachments({"_id": "john"}, {"a.bin": io.BytesIO(b"content")})
    assert wire.lines == ["PUT /people/john", "PUT /moved/john"]
    assert wire.bodies[0] == wire.bodies[1]
    assert b"content" in wire.bodies[1]
