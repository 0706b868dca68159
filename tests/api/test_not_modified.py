"""Answers that say nothing has changed."""

from __future__ import annotations

from .conftest import Client


def test_an_answer_that_nothing_has_changed_says_its_length_and_keeps_the_etag(party: Client) -> None:
    party.json("PUT", "/db", status=201)
    etag = f'"{party.json("PUT", "/db/a", {}, 201)["rev"]}"'
    answer = party("GET", "/db/a", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["Content-Length"], answer.headers["ETag"]) == ("0", etag)
