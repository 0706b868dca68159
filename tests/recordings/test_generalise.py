"""Answers as steps of a recording: what is kept, and what may be any value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from couchfake.recordings import load_area
from couchfake.recordings.comparison import Reply, judge
from couchfake.recordings.player import Conversation
from couchfake.recordings.target import Target
from couchfake.recordings.transcript import response_of

JSON = ("Content-Type", "application/json")


def body_of(value: Any, path: str = "/db/doc", status: int = 200) -> Any:
    return response_of(Reply(status, [JSON], json.dumps(value).encode()), "GET", path)["body"]


def test_sequences_keep_their_number() -> None:
    assert body_of({"last_seq": "3-g1AAAACReJzLYWBg"}) == {"last_seq": {"$any": "seq", "n": 3}}


def test_ids_that_the_server_chose_may_be_any() -> None:
    value = {"ok": True, "id": "6b1b0c9f0e4c4b0f8a2d7c6e5f4a3b2c", "rev": "1-967a00dff5e02add41819138abb3284d"}
    assert body_of(value) == {**value, "id": {"$any": "uuid"}}


def test_a_documents_own_members_are_kept() -> None:
    document = {"_id": "a", "_rev": "1-x", "sizes": 1, "ref": 2, "reason": "mine"}
    assert body_of(document) == document
    rows = {"rows": [{"id": "a", "key": "a", "value": {"sizes": 3}, "doc": document}]}
    assert body_of(rows) == rows


def test_a_servers_sizes_and_the_innards_of_a_crash_may_be_any() -> None:
    anything = {"$any": "anything"}
    assert body_of({"db_name": "db", "sizes": {"file": 1}}, "/db") == {"db_name": "db", "sizes": anything}
    crash = {"error": "badarg", "reason": "{badarg,[…]}", "ref": 123}
    assert body_of(crash, status=500) == {"error": "badarg", "reason": anything, "ref": anything}


def test_revisions_of_users_may_be_any_since_they_follow_from_a_random_salt() -> None:
    answer = {"ok": True, "id": "org.couchdb.user:a", "rev": "2-" + "a" * 32}
    assert body_of(answer, "/_users/org.couchdb.user:a")["rev"] == {"$any": "rev", "n": 2}
    assert body_of(answer, "/db/a")["rev"] == answer["rev"]


def test_headers_lose_tokens_times_and_boundaries() -> None:
    cookie = "AuthSession=YWRtOjY1; Version=1; Expires=Fri, 01-Jan-2027 00:00:00 GMT; Max-Age=600; Path=/; HttpOnly"
    reply = Reply(200, [("Set-Cookie", cookie), ("Content-Type", 'multipart/mixed; boundary="ab"'), ("Date", "x")], b"")
    headers = response_of(reply, "POST", "/_session")["headers"]
    assert set(headers) == {"Set-Cookie", "Content-Type"}
    assert "YWRtOjY1" not in json.dumps(headers)
    assert not judge({"status": 200, "headers": headers, "kind": "none", "body": None}, reply, "POST").differences


@pytest.mark.parametrize("area", ["revisions", "changes", "random_attachments", "random_views", "mango_index"])
def test_one_fakes_answers_agree_with_anothers_once_they_are_general(area: str) -> None:
    one, other = Target(None), Target(None)
    for scenario in load_area(area)["scenarios"]:
        first, second = Conversation(one.send), Conversation(other.send)
        for step in scenario["steps"]:
            method, path = step["request"]["method"], step["request"]["path"]
            verdict = judge(response_of(first.ask(step), method, path), second.ask(step), method)
            assert verdict.grade == "exact", (method, path, verdict.differences)
