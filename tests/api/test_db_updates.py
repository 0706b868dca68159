"""The feed of what happens to databases."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest


@pytest.fixture
def recording(admin: Any) -> Any:
    admin("PUT", "/_global_changes")
    return admin


def events(answer: Any) -> list[tuple[str, str]]:
    return [(each["type"], each["db_name"]) for each in answer["results"]]


def test_without_its_database_there_is_no_feed_but_parameters_are_checked_first(admin: Any) -> None:
    assert admin.refusal("GET", "/_db_updates") == "404 not_found: Database does not exist."
    assert admin.refusal("GET", "/_db_updates?timeout=x") == "400 bad_request: invalid_integer"


def test_databases_that_come_change_and_go(recording: Any) -> None:
    recording("PUT", "/a")
    recording("PUT", "/a/doc", json={})
    recording("PUT", "/a/other", json={})
    recording("DELETE", "/a")
    answer = recording.json("GET", "/_db_updates")
    assert events(answer) == [("created", "a"), ("updated", "a"), ("deleted", "a"), ("updated", "_dbs")]
    since = answer["results"][0]["seq"]
    assert events(recording.json("GET", f"/_db_updates?since={since}&limit=1")) == [("updated", "a")]
    assert events(recording.json("GET", "/_db_updates?descending=true&limit=1")) == [("updated", "_dbs")]
    assert events(recording.json("GET", "/_db_updates?since=now")) == []


def test_the_list_of_databases_changes_with_the_creation_of_the_feed_itself(recording: Any) -> None:
    recording("DELETE", "/_global_changes")
    recording("PUT", "/a")
    recording("PUT", "/_global_changes")
    recording("PUT", "/a/doc", json={})  # nothing is recorded before the first event
    assert events(recording.json("GET", "/_db_updates")) == [("updated", "_dbs"), ("updated", "a")]
    recording("PUT", "/b")
    recording("DELETE", "/b")
    assert recording.json("GET", "/_global_changes/updated:_dbs")["_rev"].startswith("3-")


def test_a_longpoll_waits_for_the_first_event(recording: Any) -> None:
    answers: list[Any] = []
    waiting = threading.Thread(
        target=lambda: answers.append(recording.json("GET", "/_db_updates?feed=longpoll&since=now&timeout=15000"))
    )
    waiting.start()
    while not answers:  # the first one may come before anybody waits
        recording("PUT", "/a")
        recording("DELETE", "/a")
        waiting.join(0.05)
    assert events(answers[0])
    assert events(recording.json("GET", "/_db_updates?feed=longpoll&since=now&timeout=10")) == []


def test_a_continuous_feed_has_a_line_for_each_event_and_ends_with_the_sequence(recording: Any) -> None:
    recording("PUT", "/a")
    recording("PUT", "/b")
    text = recording("GET", "/_db_updates?feed=continuous&timeout=10").text
    lines = [json.loads(line) for line in text.splitlines() if line]
    assert [line.get("db_name") for line in lines] == ["a", "b", "_dbs", None]
    assert lines[-1]["last_seq"] == lines[-2]["seq"]
    assert text.endswith("}\n\n")
    limited = recording("GET", "/_db_updates?feed=continuous&timeout=10&limit=1").text.splitlines()
    assert len([line for line in limited if line]) == 2


def test_a_heartbeat_is_sent_only_if_one_was_requested(recording: Any) -> None:
    assert recording("GET", "/_db_updates?feed=longpoll&since=now&timeout=10").text.startswith('{"results":[\n\n],')


def test_server_sent_events_carry_the_change(recording: Any) -> None:
    recording("PUT", "/a")
    answer = recording("GET", "/_db_updates?feed=eventsource&timeout=10")
    assert answer.headers["Content-Type"] == "text/event-stream"
    data, name, _ = answer.text.split("\n", 2)
    assert json.loads(data.removeprefix("data: "))["id"] == "created:a"
    assert name.startswith("id: ")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("feed=sometimes", "Supported `feed` types: normal, continuous, longpoll, eventsource"),
        ("since=nonsense", "Malformed sequence supplied in 'since' parameter."),
        ("limit=x", "invalid_integer"),
        ("heartbeat=-1", "invalid_integer"),
        ("timeout=%2B%2B1", "invalid_integer"),
    ],
)
def test_parameters_that_mean_nothing(recording: Any, query: str, reason: str) -> None:
    assert recording.refusal("GET", f"/_db_updates?{query}") == f"400 bad_request: {reason}"


def test_writing_events_down_can_be_switched_off(recording: Any) -> None:
    recording.set("global_changes", "update_db", "false")
    recording("PUT", "/a")
    assert ("created", "a") not in events(recording.json("GET", "/_db_updates"))
