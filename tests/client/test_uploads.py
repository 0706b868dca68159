"""Files that are sent while they are read."""

from __future__ import annotations

import io
from typing import Any

import pytest

from couchdb_client import Database, Session


class Growing(io.BytesIO):
    """A file that somebody appends to while it is read."""

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if piece:
            position = self.tell()
            self.seek(0, io.SEEK_END)
            self.write(b"more")
            self.seek(position)
        return piece


class Shrinking(io.BytesIO):
    """A file that is truncated once its beginning has been read."""

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if piece:
            self.truncate(self.tell())
        return piece


def test_a_file_that_grows_is_stored_up_to_the_length_announced(people: Database) -> None:
    doc: dict[str, Any] = {"_id": "doc"}
    people.save(doc)
    people.put_attachment(doc, Growing(b"x" * 200_000), "log.bin")
    attachment = people.get_attachment("doc", "log.bin")
    assert attachment.read() == b"x" * 200_000


def test_a_file_that_shrinks_fails_at_once(people: Database) -> None:
    doc: dict[str, Any] = {"_id": "doc"}
    people.save(doc)
    with pytest.raises(ValueError, match="became shorter while it was sent: 65536 of 200000 bytes"):
        people.put_attachment(doc, Shrinking(b"x" * 200_000), "log.bin")
    assert people["doc"].rev == doc["_rev"]


def test_after_a_file_that_shrank_the_session_can_still_be_used(serve: Any) -> None:
    def play(connection: Any) -> None:
        connection.send(b"")
        connection.is_left()

    def answers(connection: Any) -> None:
        connection.request()
        connection.answer(b'{"version":"3.5.0"}')

    played = serve(play, answers)
    db = Database(played.url + "db", session=Session(timeout=20))
    with pytest.raises(ValueError, match="became shorter"):
        db.put_attachment({"_id": "a", "_rev": "1-a"}, Shrinking(b"x" * 200_000), "log.bin")
    assert db.resource.get_json()[2] == {"version": "3.5.0"}
