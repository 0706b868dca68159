"""``[replicator]``: what its settings change, and that members of a request count more."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from couchfake.app import CouchFake
from couchfake.config import Config
from couchfake.replicator import http_endpoint
from couchfake.replicator.http_endpoint import Answer, HttpClient, refusal
from couchfake.replicator.request import read_options
from couchfake.replicator.transfer import Unreachable


@pytest.mark.parametrize(
    ("key", "text", "option", "value", "other"),
    [
        ("worker_batch_size", "7", "batch_size", 7, 500),
        ("checkpoint_interval", "2000", "checkpoint_interval", 2.0, 30.0),
        ("connection_timeout", "4000", "connection_timeout", 4.0, 30.0),
        ("retries_per_request", "0", "retries", 0, 5),
        ("use_checkpoints", "false", "use_checkpoints", False, True),
    ],
)
def test_a_setting_is_the_default_of_a_requests_member(
    key: str, text: str, option: str, value: Any, other: Any
) -> None:
    config = Config({"replicator": {key: text}})
    member = other if key in ("worker_batch_size", "retries_per_request", "use_checkpoints") else int(other * 1000)
    assert getattr(read_options({}, config), option) == value
    assert getattr(read_options({key: member}, config), option) == other
    assert getattr(read_options({}, Config()), option) == other


@pytest.mark.parametrize("value", [0, -1])
def test_a_size_or_time_that_is_not_positive_is_ignored(value: int) -> None:
    options = read_options({"worker_batch_size": value, "checkpoint_interval": value}, Config())
    assert (options.batch_size, options.checkpoint_interval) == (500, 30.0)


def replicated(config: dict[str, str]) -> dict[str, Any]:
    fake = CouchFake(config={"replicator": config})
    session = fake.session()
    for path in ("a", "b", "a/short", "a/much-longer"):
        session.put(fake.url + path, json={})
    answer: dict[str, Any] = session.post(fake.url + "_replicate", json={"source": "a", "target": "b"}).json()
    return answer


def test_documents_with_long_ids_are_not_replicated() -> None:
    history = replicated({"max_document_id_length": "6"})["history"][0]
    assert (history["docs_written"], history["doc_write_failures"]) == (1, 1)
    assert replicated({})["history"][0]["doc_write_failures"] == 0


def test_without_checkpoints_there_is_no_history() -> None:
    assert replicated({"use_checkpoints": "false"}) == {"ok": True, "use_checkpoints": False}


def test_the_history_of_a_job_is_bounded() -> None:
    fake = CouchFake(config={"replicator": {"max_history": "1"}})
    session = fake.session()
    for path in ("a", "b"):
        session.put(fake.url + path)
    body: dict[str, Any] = {"source": "a", "target": "b", "continuous": True}
    job = session.post(fake.url + "_replicate", json=body).json()["_local_id"]
    running = fake.node.replications.running.get(job)  # type: ignore[attr-defined]
    running.cancel()
    assert [each[0] for each in running.history] == ["crashed"]


@pytest.fixture
def serve() -> Iterator[Callable[[list[bytes]], str]]:
    """Start a server that sends one of the given answers to each connection, in order, and closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(answers: list[bytes]) -> None:
        for each in answers:
            client, _ = listener.accept()
            with client:
                if each:
                    client.recv(1 << 16)
                    client.sendall(each)

    def start(answers: list[bytes]) -> str:
        threading.Thread(target=answer, args=(answers,), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    listener.close()


GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def test_a_request_is_repeated_as_often_as_the_setting_says(serve: Callable[[list[bytes]], str]) -> None:
    client = HttpClient(serve([b"", b"", GOOD, b"", b"", GOOD]), requests.Session(), 10, retries=2)
    assert client.ask("GET") == {}
    client = HttpClient(client.url, requests.Session(), 10, retries=1)
    with pytest.raises(Unreachable, match="ConnectionError"):
        client.ask("GET")


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [
        (b'{"error":"conflict","reason":"x"}', "conflict", "x"),
        (b"{}", "unknown_error", None),
        (b"[5]", "unknown_error", None),
        (b"<html>", "unknown_error", None),
        (b"", "unknown_error", None),
    ],
)
def test_a_refusal_need_not_be_couchdbs(content: bytes, error: str, reason: str | None) -> None:
    refused = refusal(Answer(502, content))
    assert (refused.status, refused.error, refused.reason) == (502, error, reason)


def test_an_answer_that_does_not_end_is_given_up(
    serve: Callable[[list[bytes]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_endpoint, "LONGEST_ANSWER", 1000)
    endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 5000
    client = HttpClient(serve([endless]), requests.Session(), 10, retries=0)
    with pytest.raises(Unreachable, match="answers with more than 1000 bytes"):
        client.ask("GET")
