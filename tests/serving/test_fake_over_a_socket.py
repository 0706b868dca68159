"""CouchFake behind its socket: rough clients, many clients, and the end of the server."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from couchfake import CouchFake


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake() as made:
        requests.put(made.url + "db", timeout=10).raise_for_status()
        yield made


def new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def port(fake: CouchFake) -> int:
    return int(fake.url.rstrip("/").rpartition(":")[2])


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Run ``work(0)`` to ``work(count - 1)`` in threads that start together; the first error comes out."""
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        gate.wait(30)
        work(number)

    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(run, number) for number in range(count)]:
            future.result(60)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"PUT /db/doc HTTP/1.1\r\nContent-Length: 1000", b'{"a":1}'),
        (b"PUT /db/doc HTTP/1.1\r\nTransfer-Encoding: chunked", b'7\r\n{"a":1}\r\n'),
        (b"PUT /db/doc HTTP/1.1\r\nTransfer-Encoding: chunked", b'7\r\n{"a":1}\r\nzz\r\n'),
        (b"PUT /db/doc/file.txt HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 1000", b"half a text"),
        (b"PUT /db/doc/file.txt HTTP/1.1\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked", b"5\r\nhalf \r\n"),
        (b"POST /db/_bulk_docs HTTP/1.1\r\nContent-Length: 1000", b'{"docs":[{"_id":"doc"}]}'),
        (
            b"PUT /db/doc HTTP/1.1\r\nContent-Type: multipart/related; boundary=b\r\nContent-Length: 1000",
            b'--b\r\n\r\n{"_attachments":{"f":{"follows":true,"length":9}}}\r\n--b\r\n\r\n123',
        ),
    ],
    ids=["document", "chunked", "malformed", "attachment", "chunked attachment", "bulk", "multipart"],
)
def test_a_client_that_vanishes_in_an_upload_leaves_nothing_behind(
    head: bytes, body: bytes, fake: CouchFake, caplog: pytest.LogCaptureFixture
) -> None:
    for ending in (socket.SHUT_WR, None):
        with socket.create_connection(("127.0.0.1", port(fake)), timeout=10) as wire:
            json_type = b"" if b"Content-Type" in head else b"Content-Type: application/json\r\n"
            wire.sendall(head + b"\r\n" + json_type + b"Host: h\r\n\r\n" + body)
            if ending is not None:
                wire.shutdown(ending)
                while wire.recv(4096):
                    pass
    info = requests.get(fake.url + "db", timeout=10).json()
    assert (info["doc_count"], info["doc_del_count"], info["update_seq"].partition("-")[0]) == (0, 0, "0")
    assert "Traceback" not in caplog.text


def test_of_eight_writers_of_one_document_one_wins_each_round(fake: CouchFake) -> None:
    rounds = 12
    url = fake.url + "db/doc"
    base: dict[str, str] = {}
    statuses: list[int] = []

    def write(writer: int) -> None:
        with new_session() as session:
            statuses.append(session.put(url, json={"writer": writer, **base}, timeout=30).status_code)

    for _ in range(rounds):
        statuses.clear()
        at_once(8, write)
        assert sorted(statuses) == [201] + [409] * 7
        base["_rev"] = requests.get(url, timeout=10).json()["_rev"]
    assert base["_rev"].startswith(f"{rounds}-")


def test_eight_writers_of_different_documents_lose_nothing(fake: CouchFake) -> None:
    def write(writer: int) -> None:
        with new_session() as session:
            for number in range(20):
                session.put(f"{fake.url}db/{writer}-{number}", json={"n": number}, timeout=30).raise_for_status()

    at_once(8, write)
    answer = requests.get(fake.url + "db/_changes", timeout=10).json()
    assert len({row["id"] for row in answer["results"]}) == 160
    assert answer["last_seq"].startswith("160-")


def test_feeds_of_twenty_clients_get_each_change_and_end_with_the_server(fake: CouchFake) -> None:
    answers = [
        requests.get(fake.url + "db/_changes?feed=continuous&since=now&heartbeat=60000", stream=True, timeout=30)
        for _ in range(20)
    ]
    lines = [filter(None, answer.iter_lines()) for answer in answers]
    requests.put(fake.url + "db/doc", json={}, timeout=10).raise_for_status()
    assert {json.loads(next(feed))["id"] for feed in lines} == {"doc"}
    fake.stop()
    for answer, feed in zip(answers, lines, strict=True):
        with contextlib.suppress(requests.exceptions.ChunkedEncodingError):  # its last word may be lost
            assert list(feed) == []
        answer.close()


def test_a_stopped_fake_keeps_its_data_and_starts_again(fake: CouchFake) -> None:
    requests.put(fake.url + "db/doc", json={"x": 1}, timeout=10)
    fake.stop()
    with fake.session() as session:
        assert session.get(fake.url + "db/doc").json()["x"] == 1
    assert fake.start().startswith("http://127.0.0.1:")
    assert requests.get(fake.url + "db/doc", timeout=10).json()["x"] == 1
