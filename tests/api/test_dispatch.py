"""The way of a request: what fails on it still gets an answer, and nothing of it stays in memory."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import Any

import pytest

from couchfake.api import dispatch
from couchfake.chttpd.request import Request
from couchfake.recordings.player import in_process


@pytest.mark.parametrize("path", ["/?callback=%zz", "/_up?a=%zz&callback=x", "/?callback=%"])
@pytest.mark.parametrize("allowed", ["true", "false"])
def test_a_broken_escape_beside_a_callback_is_a_bad_request(party: Any, path: str, allowed: str) -> None:
    party.set("chttpd", "allow_jsonp", allowed)
    reply = in_process(party.fake.wsgi)("GET", path, [], None)
    assert (reply.status, reply.body) == (400, b'{"error":"bad_request","reason":"invalid_url_encoding"}\n')


def test_a_failure_behind_the_endpoint_is_an_answer_too(
    party: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise LookupError("secret")

    monkeypatch.setattr(dispatch, "finish", broken)
    with caplog.at_level(logging.ERROR, "couchfake"):
        answer = party("GET", "/_up")
    assert (answer.status_code, answer.json()["reason"]) == (500, "internal error of couchfake")
    assert "secret" not in answer.text
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("PUT", "/db/a", {"json": {}}),
        ("PUT", "/db/b", {"data": b"{"}),
        ("GET", "/db/x", {}),
        ("POST", "/_replicate", {}),
    ],
)
def test_a_request_is_freed_as_soon_as_it_is_answered(
    party: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, options: dict[str, Any]
) -> None:
    party.json("PUT", "/db", status=201)
    seen: list[weakref.ref[Request]] = []

    class Watched(Request):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            if self.node is party.fake.node:  # servers of other tests may still be at work in threads of their own
                seen.append(weakref.ref(self))

    monkeypatch.setattr(dispatch, "Request", Watched)
    gc.collect()
    gc.disable()
    try:
        party(method, path, **options)
        assert seen
        assert [each() for each in seen if each() is not None] == []
    finally:
        gc.enable()
