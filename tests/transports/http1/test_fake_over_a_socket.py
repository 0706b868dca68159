"""CouchFake on its socket: disconnecting clients, open feeds, and stopping the server."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest
import requests

from couchfake import CouchFake


@pytest.fixture
def fake() -> Iterator[CouchFake]:
    with CouchFake() as made:
        requests.put(made.url + "db", timeout=10).raise_for_status()
        yield made


def port(fake: CouchFake) -> int:
    return int(fake.url.rstrip("/").rpartition(":")[2])


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
        with contextlib.suppress(requests.exceptions.ChunkedEncodingError):  # the last line may be lost
            assert list(feed) == []
        answer.close()


def test_a_stopped_fake_keeps_its_data_and_starts_again(fake: CouchFake) -> None:
    requests.put(fake.url + "db/doc", json={"x": 1}, timeout=10)
    fake.stop()
    with fake.session() as session:
        assert session.get(fake.url + "db/doc").json()["x"] == 1
    assert fake.start().startswith("http://127.0.0.1:")
    assert requests.get(fake.url + "db/doc", timeout=10).json()["x"] == 1


@pytest.mark.parametrize("length", ["zz", "-1", "1", "99"])
def test_a_length_that_a_function_sets_does_not_count(fake: CouchFake, length: str) -> None:
    show = f"function() {{ return {{body: 'abc', headers: {{'Content-Length': '{length}'}}}}; }}"
    requests.put(fake.url + "db/_design/d", json={"shows": {"s": show}}, timeout=10).raise_for_status()
    for session in (requests.Session(), fake.session()):
        with session:
            answer = session.get((fake.url) + "db/_design/d/_show/s", timeout=10)
            assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"abc", "3")


def test_reason_phrases_are_those_of_the_real_server(fake: CouchFake) -> None:
    inside = CouchFake()
    for session, url in ((requests.Session(), fake.url), (inside.session(), inside.url)):
        with session:
            assert session.get(url + "missing", timeout=10).reason == "Object Not Found"
            assert session.put(url + "other", timeout=10).reason == "Created"
