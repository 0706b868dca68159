"""Seeded noise on the wire: whatever arrives, the server answers in HTTP or closes, and goes on."""

from __future__ import annotations

import contextlib
import random
import socket

import pytest
import requests

from couchfake import CouchFake

SEEDS = [
    b"GET /db/doc?rev=1-a HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n",
    b'PUT /db/a%2Fb HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nContent-Type: application/json\r\n\r\n{"x":1}',
    (
        b"POST /db/_bulk_docs HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
        b'b\r\n{"docs":[{"\r\n9\r\n_id":"k"}\r\n2\r\n]}\r\n0\r\n\r\n'
    ),
    b"PUT /db/d/f.txt HTTP/1.1\r\nExpect: 100-continue\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc",
    b"COPY /db/doc HTTP/1.0\r\nDestination: other\r\nConnection: keep-alive\r\n\r\n",
    b"GET http://host/db/_all_docs?limit=2 HTTP/1.1\r\nCookie: AuthSession=abc\r\nAuthorization: Basic eDp5\r\n\r\n",
]
PIECES = [
    b"\r\n", b"\n", b"\0", b" ", b":", b"%", b"%zz", b"\xff\xfe", b"HTTP/1.1", b"Content-Length: 99999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"\t", b"ffffffffffff\r\n", b"/" * 50, b"?" * 9,
]  # fmt: skip


def mutated(chance: random.Random) -> bytes:
    """One to three requests with a few bytes cut, changed, doubled or put in."""
    data = bytearray(b"".join(chance.choices(SEEDS, k=chance.randint(1, 3))))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            del data[at : at + chance.randint(1, 20)]
        elif kind == 1:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 2:
            data[at:at] = data[at : at + chance.randint(1, 40)]
        else:
            data[at:at] = chance.choice(PIECES)
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_noise_gets_http_or_the_end_of_the_connection(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(seed)
    with CouchFake() as fake:
        requests.put(fake.url + "db", timeout=10).raise_for_status()
        address = ("127.0.0.1", int(fake.url.rstrip("/").rpartition(":")[2]))
        for _ in range(100):
            data = mutated(chance)
            with socket.create_connection(address, timeout=20) as wire:
                answer = b""
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    wire.sendall(data)
                    wire.shutdown(socket.SHUT_WR)
                    while piece := wire.recv(65536):
                        answer += piece
            assert not answer or answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), data
            assert not any(line in answer for line in (b"HTTP/1.1 500", b"HTTP/1.0 500")), data
        assert requests.get(fake.url, timeout=10).json()["couchdb"] == "Welcome"
    assert "Traceback" not in caplog.text
